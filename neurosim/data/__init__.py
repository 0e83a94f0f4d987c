"""Data sets by name; adding one is adding a file to this folder."""

from __future__ import annotations

import functools
import importlib
import os
import pkgutil

from neurosim.checks import require, require_one_of
from neurosim.data.base import Dataset, Source
from neurosim.data.fetch import FOLDER_VARIABLE
from neurosim.data.shared import shared
from neurosim.data.synthetic import Clusters
from neurosim.seeds import Seeds

__all__ = ["Clusters", "Dataset", "Source", "available", "load", "measured"]


@functools.cache
def available() -> tuple[Source, ...]:
    """Return the sources of all known data sets, by name; ``source.present()`` tells if local."""
    modules = [
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    ]
    sources: list[Source] = [
        source for module in modules for source in getattr(module, "SOURCES", ())
    ]
    return tuple(sorted(sources, key=lambda source: source.name))


def load(name: str, *, normalize: bool = True) -> Dataset:
    """Load a data set, downloading it the first time where it has to be.

    Whoever loads it while another holds it gets the same one; its arrays are read-only.

    Parameters
    ----------
    name : str
        One of the names in `available`.
    normalize : bool
        Whether the grey values of images run from -1 to 1, as in ``(x - 0.5) / 0.5``, rather than
        from 0 to 1. Sets that are not images are not changed by it.

    Returns
    -------
    Dataset

    Raises
    ------
    SettingError
        If the name is not known; lists those that are.
    DataError
        If a file is missing, damaged or cannot be downloaded; says which and what to do.

    Examples
    --------
    >>> digits = load("digits")
    >>> digits.x_train.shape, digits.n_classes
    ((1438, 64), 10)
    """
    sources = {source.name: source for source in available()}
    require_one_of("load.name", name, sources)
    key = (name, normalize, os.environ.get(FOLDER_VARIABLE))
    return shared(key, lambda: sources[name].load(normalize))


def measured(name: str, validation: float, train: int, seeds: Seeds) -> Dataset:
    """Load a data set whose test part is what an experiment's accuracy is measured on.

    Parameters
    ----------
    name : str
        See `load`.
    validation : float
        Fraction of the training set held out and measured instead of the test set; 0 for none.
    train : int
        Keep at most this many training samples; 0 for all.
    seeds : Seeds
        The held-out samples are drawn from ``validation``.

    Returns
    -------
    Dataset

    Raises
    ------
    SettingError, DataError
        As `load`, or if the fraction or the number does not fit the set.
    """
    require(0 <= validation < 1, "Config.validation", "be in [0, 1)", validation)

    def make() -> Dataset:
        data = load(name)
        if validation:
            data = data.split_validation(validation, seeds.child("validation"))
        return data.limited(n_train=train) if train else data

    if not (validation or train):
        return make()
    drawn = seeds if validation else None
    return shared((name, validation, train, drawn, os.environ.get(FOLDER_VARIABLE)), make)
