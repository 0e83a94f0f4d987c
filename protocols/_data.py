"""What the protocols' data sets have in common: which part is learned, and which is measured."""

from __future__ import annotations

from neurosim.checks import require
from neurosim.data import Dataset, load
from neurosim.seeds import Seeds


def measured(name: str, validation: float, train: int, seeds: Seeds) -> Dataset:
    """The data set, whose test part is what accuracy is measured on.

    Parameters
    ----------
    name : str
        See `neurosim.data.load`.
    validation : float
        Fraction of the training set held out and measured instead of the test set; 0 for none.
    train : int
        Keep at most this many training samples; 0 for all.
    seeds : Seeds
        The held-out samples are drawn from ``validation``.
    """
    require(0 <= validation < 1, "Config.validation", "be in [0, 1)", validation)
    data = load(name)
    if validation:
        data = data.split_validation(validation, seeds.child("validation"))
    return data.limited(n_train=train) if train else data
