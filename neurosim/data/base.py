"""What every data set is once it is loaded: four arrays and what they mean."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurosim.checks import require, require_finite
from neurosim.seeds import Seeds


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Labelled samples, split into a part to learn from and a part to test on.

    Parameters
    ----------
    name : str
        What to call it in run files and figures.
    x_train : ndarray, shape (n_train, n_features)
        Samples to learn from, dimensionless; kept as contiguous float32.
    y_train : ndarray, shape (n_train,)
        Their classes, integers in [0, n_classes); kept as int64.
    x_test, y_test : ndarray
        The same for testing.
    n_classes : int
        Number of classes, at least 2.
    shape : tuple of int
        Shape of one sample before it was flattened, such as ``(28, 28)``.
    classes : tuple of str
        Names of the classes, in order of their labels; their numbers if not given.

    Raises
    ------
    SettingError
        If lengths, shapes, labels or names disagree, or a value is NaN or infinite.
    """

    name: str
    x_train: npt.NDArray[np.float32]
    y_train: npt.NDArray[np.int64]
    x_test: npt.NDArray[np.float32]
    y_test: npt.NDArray[np.int64]
    n_classes: int
    shape: tuple[int, ...]
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(self.n_classes >= 2, "Dataset.n_classes", "be at least 2", self.n_classes)
        if not self.classes:
            object.__setattr__(self, "classes", tuple(map(str, range(self.n_classes))))
        require(
            len(self.classes) == self.n_classes,
            "Dataset.classes",
            f"name {self.n_classes} classes",
            self.classes,
        )
        for part in ("train", "test"):
            x, y = f"x_{part}", f"y_{part}"
            object.__setattr__(self, x, _samples(f"Dataset.{x}", getattr(self, x), self.shape))
            object.__setattr__(self, y, _labels(f"Dataset.{y}", getattr(self, y), self.n_classes))
            n_samples, n_labels = len(getattr(self, x)), len(getattr(self, y))
            require(n_labels == n_samples, f"Dataset.{y}", f"hold {n_samples} labels", n_labels)

    @property
    def n_features(self) -> int:
        """Number of values in a sample."""
        return int(self.x_train.shape[1])

    @property
    def digest(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of all samples and labels: the provenance."""
        sha = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            sha.update(repr(array.shape).encode())
            sha.update(array.data)
        return sha.hexdigest()[:16]

    def split_validation(self, fraction: float, seeds: Seeds) -> Dataset:
        """Hold out part of the training samples, class by class, to choose settings on.

        Parameters
        ----------
        fraction : float
            Share of every class to hold out, in (0, 1).
        seeds : Seeds
            The draw is at ``validation``: the same seed always holds out the same samples.

        Returns
        -------
        Dataset
            Its test part is the held-out part; this set's own test part is not in it.
        """
        require(
            0 < fraction < 1,
            "split_validation.fraction",
            "be between 0 and 1",
            fraction,
            "A tenth (0.1) is usual.",
        )
        held = stratified(self.y_train, fraction, seeds.generator("validation"))
        require(
            bool(held.any() and not held.all()),
            "split_validation.fraction",
            "leave samples on both sides",
            fraction,
            f"There are {len(held)} training samples.",
        )
        return replace(
            self,
            name=f"{self.name}-validation",
            x_train=self.x_train[~held],
            y_train=self.y_train[~held],
            x_test=self.x_train[held],
            y_test=self.y_train[held],
        )

    def limited(self, n_train: int | None = None, n_test: int | None = None) -> Dataset:
        """Keep the first ``n_train`` and ``n_test`` samples; None keeps all of them."""
        kept: dict[str, Any] = {}
        for part, count in (("train", n_train), ("test", n_test)):
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            require(
                count is None or 1 <= count <= len(x),
                f"limited.n_{part}",
                f"be between 1 and the {len(x)} samples of {self.name}",
                count,
            )
            kept |= {f"x_{part}": x[:count], f"y_{part}": y[:count]}
        return replace(self, **kept)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a data set comes from; a file in this folder offers a tuple of them as ``SOURCES``.

    Parameters
    ----------
    name : str
        What `neurosim.data.load` is asked for.
    description : str
        One line.
    load : callable
        ``load(normalize)`` returns the `Dataset`.
    present : callable
        ``present()`` tells whether loading needs no download.
    """

    name: str
    description: str
    load: Callable[[bool], Dataset]
    present: Callable[[], bool]


def stratified(
    labels: npt.NDArray[np.int64], fraction: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Choose the same share of every class at random.

    Parameters
    ----------
    labels : ndarray, shape (n,)
    fraction : float
        Share of every class to choose, rounded to whole samples.
    rng : Generator

    Returns
    -------
    ndarray of bool, shape (n,)
        True where a sample is chosen.
    """
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        chosen[members[: round(fraction * len(members))]] = True
    return chosen


def intensities(pixels: npt.NDArray[Any], white: float, normalize: bool) -> npt.NDArray[np.float32]:
    """Flatten images and scale ``[0, white]`` to ``[-1, 1]``, or to ``[0, 1]`` if not normalized.

    Parameters
    ----------
    pixels : ndarray, shape (n, ...)
        Grey values.
    white : float
        The largest value a pixel can have.
    normalize : bool
        Whether to apply ``(x - 0.5) / 0.5``, which centres the range on zero.

    Returns
    -------
    ndarray of float32, shape (n, n_features)
        Dimensionless.
    """
    x = pixels.reshape(len(pixels), -1).astype(np.float32)
    x /= np.float32(white)
    if normalize:
        x -= np.float32(0.5)
        x /= np.float32(0.5)
    return x


def _samples(field: str, values: Any, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    x = np.asarray(values)
    require(x.dtype.kind in "biuf", field, "hold real numbers", x.dtype.name)
    require(
        x.ndim == 2 and x.shape[0] > 0 and x.shape[1] == math.prod(shape),
        field,
        f"have shape (samples, {math.prod(shape)}), the features of {shape}",
        x.shape,
        "Flatten each sample: x.reshape(len(x), -1).",
    )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        x = np.ascontiguousarray(x, dtype=np.float32)
    require_finite(field, x)
    return x


def _labels(field: str, values: Any, n_classes: int) -> npt.NDArray[np.int64]:
    y = np.asarray(values)
    require(y.dtype.kind in "iu", field, "hold integers", y.dtype.name)
    require(y.ndim == 1, field, "have one dimension", y.shape)
    outside = y[(y < 0) | (y >= n_classes)]
    require(not outside.size, field, f"hold labels in [0, {n_classes})", outside[:1].tolist())
    return np.ascontiguousarray(y, dtype=np.int64)
