"""Similarities between two sets of vectors, rectangular: rows against columns.

    linear    k = v_i . w_j
    cosine    k = v_i . w_j / (|v_i| |w_j|)
    gaussian  k = exp(-|v_i - w_j|^2 / (2 sigma^2))
    labels    k_y = 1 for equal labels, -1 / (n_classes - 1) otherwise

The functions are what one presentation needs; the classes are settings, with a pullback, for sums
over all pairs of a batch. They compute in float64: at initialisation similarities are within 1e-5
of one another, and float32 would leave two digits of what is learned from.

Source: Pogodin & Latham 2020, eqs. 11, 26 and appendix A.3 (centred one-hot labels, cosine).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from neurosim.backend import fused, namespace
from neurosim.checks import require
from neurosim.ops.classes import of_classes
from neurosim.ops.linalg import matmul


def squared_distances(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """|v_i - w_j|^2, shape (n_rows, n_columns), from differences.

    The Gram expansion |v|^2 + |w|^2 - 2 v.w would be faster, but where vectors nearly coincide
    (as they do at initialisation) it keeps no correct digit in float32.
    """
    distances = namespace(rows, columns).empty((len(rows), len(columns)), rows.dtype)
    for i, row in enumerate(rows):
        difference = columns - row
        distances[i] = np.einsum("jn,jn->j", difference, difference)
    return distances


def gaussian(rows: np.ndarray, columns: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian similarity of every row with every column, shape (n_rows, n_columns)."""
    require(sigma > 0, "gaussian.sigma", "be positive", sigma)
    return np.exp(-squared_distances(rows, columns) / (2 * sigma**2))


def labels(rows: np.ndarray, columns: np.ndarray, n_classes: int) -> np.ndarray:
    """Centred cosine similarity of one-hot labels, shape (n_rows, n_columns), float64.

    Parameters
    ----------
    rows, columns : ndarray of int
        Class indices in [0, n_classes).
    n_classes : int
        At least two.
    """
    require(
        n_classes >= 2, "labels.n_classes", "be at least 2", n_classes, "One class teaches nothing."
    )
    equal, other = np.float64(1), np.float64(-1 / (n_classes - 1))
    alike = _alike(rows[:, None], columns[None, :], equal, other)
    return _of_classes(alike, rows, columns, n_classes)


@fused
def _alike(
    xp: ModuleType, rows: np.ndarray, columns: np.ndarray, equal: np.float64, other: np.float64
) -> np.ndarray:
    return xp.where(rows == columns, equal, other)


def _of_classes(
    alike: np.ndarray, rows: np.ndarray, columns: np.ndarray, n_classes: int
) -> np.ndarray:
    """The similarity of labels itself, if all of them are classes; see `of_classes`."""
    alike = of_classes("labels.rows", alike, rows, n_classes)
    return of_classes("labels.columns", alike.T, columns, n_classes).T


class Similarity(ABC):
    """A similarity of activities, and how its gradient reaches them."""

    @abstractmethod
    def evaluate(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Similarity of every row with every column, float64 (n_rows, n_columns)."""

    @abstractmethod
    def pullback(
        self,
        rows: np.ndarray,
        columns: np.ndarray,
        similarity: np.ndarray,
        d_similarity: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Gradients at ``rows`` and at ``columns``, float64, of one at what `evaluate` returned."""


@dataclass(frozen=True, kw_only=True)
class Linear(Similarity):
    """k = v_i . w_j."""

    def evaluate(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Similarity of every row with every column, float64 (n_rows, n_columns)."""
        return matmul(_double(rows), _double(columns).T)

    def pullback(
        self,
        rows: np.ndarray,
        columns: np.ndarray,
        similarity: np.ndarray,
        d_similarity: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Gradients at ``rows`` and at ``columns``, float64."""
        return matmul(d_similarity, columns), matmul(d_similarity.T, rows)


@dataclass(frozen=True, kw_only=True)
class Cosine(Similarity):
    """k = v_i . w_j / (|v_i| |w_j|).

    Notes
    -----
    A vector of zeros has no direction: its similarities are 0, and so is its gradient.
    """

    def evaluate(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Similarity of every row with every column, float64 (n_rows, n_columns)."""
        return matmul(_directions(rows)[0], _directions(columns)[0].T)

    def pullback(
        self,
        rows: np.ndarray,
        columns: np.ndarray,
        similarity: np.ndarray,
        d_similarity: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Gradients at ``rows`` and at ``columns``, float64."""
        (v, v_scale), (w, w_scale) = _directions(rows), _directions(columns)
        weighted = d_similarity * similarity
        d_rows = v_scale * (matmul(d_similarity, w) - weighted.sum(axis=1)[:, None] * v)
        d_columns = w_scale * (matmul(d_similarity.T, v) - weighted.sum(axis=0)[:, None] * w)
        return d_rows, d_columns


@dataclass(frozen=True, kw_only=True)
class Gaussian(Similarity):
    """k = exp(-|v_i - w_j|^2 / (2 sigma^2)).

    Parameters
    ----------
    sigma : float
        Width, in units of the vectors.
    """

    sigma: float = 5.0

    def __post_init__(self) -> None:
        require(self.sigma > 0, "Gaussian.sigma", "be positive", self.sigma)

    def evaluate(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Similarity of every row with every column, float64 (n_rows, n_columns)."""
        v, w = _centred(rows, columns)
        # Two matrix products for all pairs; around their centre, vectors lose nothing by them.
        lengths = (v**2).sum(axis=1)
        others = lengths if rows is columns else (w**2).sum(axis=1)
        alike = _bell(lengths[:, None], others[None, :], matmul(v, w.T), -2 * self.sigma**2)
        if rows is columns:
            np.fill_diagonal(alike, 1)
        return alike

    def pullback(
        self,
        rows: np.ndarray,
        columns: np.ndarray,
        similarity: np.ndarray,
        d_similarity: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Gradients at ``rows`` and at ``columns``, float64."""
        v, w = _centred(rows, columns)
        pull = _pull(d_similarity, similarity, self.sigma**2)
        d_rows = _back(matmul(pull, w), pull.sum(axis=1)[:, None], v)
        d_columns = _back(matmul(pull.T, v), pull.sum(axis=0)[:, None], w)
        return d_rows, d_columns


@fused
def _bell(
    xp: ModuleType, rows: np.ndarray, columns: np.ndarray, products: np.ndarray, scale: float
) -> np.ndarray:
    return xp.exp(xp.maximum(rows + columns - 2 * products, 0) / scale)


@fused
def _pull(
    xp: ModuleType, d_similarity: np.ndarray, similarity: np.ndarray, scale: float
) -> np.ndarray:
    return d_similarity * similarity / scale


@fused
def _back(
    xp: ModuleType, pulled: np.ndarray, weight: np.ndarray, vectors: np.ndarray
) -> np.ndarray:
    return pulled - weight * vectors


@dataclass(frozen=True, kw_only=True)
class CosineLabels:
    """Similarity of classes for balanced data: `labels`.

    Parameters
    ----------
    n_classes : int
        At least two.
    """

    n_classes: int

    def __post_init__(self) -> None:
        require(
            self.n_classes >= 2,
            "CosineLabels.n_classes",
            "be at least 2",
            self.n_classes,
            "One class teaches nothing.",
        )

    def evaluate(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Similarity of every label in ``rows`` with every one in ``columns``, float64."""
        return labels(rows, columns, self.n_classes)


@dataclass(frozen=True, kw_only=True)
class LinearLabels:
    """Similarity of classes for unbalanced data, nearly as binary.

        k_y(i, j) = (y_i - p) . (y_j - p) = [y_i = y_j] + sum_k p_k^2 - p_i - p_j

    Parameters
    ----------
    frequencies : tuple of float
        p, the share of each class; their sum is 1.

    Source
    ------
    Pogodin & Latham 2020, eq. 36.
    """

    frequencies: tuple[float, ...]

    def __post_init__(self) -> None:
        field, p = "LinearLabels.frequencies", self.frequencies
        require(sum(f > 0 for f in p) >= 2, field, "hold at least two classes", p)
        require(min(p) >= 0 and abs(sum(p) - 1) < 1e-6, field, "be shares that sum to 1", p)

    def evaluate(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Similarity of every label in ``rows`` with every one in ``columns``, float64."""
        equal = (rows[:, None] == columns[None, :]).astype(np.float64)
        equal = _of_classes(equal, rows, columns, len(self.frequencies))
        p = namespace(rows, columns).asarray(self.frequencies)
        return equal + (p**2).sum() - p[rows][:, None] - p[columns][None, :]


def _double(vectors: np.ndarray) -> np.ndarray:
    return vectors.astype(np.float64, copy=False)


def _directions(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors and 1 / length, both 0 where the length is, float64 (n, dim) and (n, 1)."""
    v = _double(vectors)
    length = np.sqrt((v**2).sum(axis=1, keepdims=True))
    scale = 1.0 / np.where(length > 0, length, np.inf)
    return v * scale, scale


def _centred(rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in float64, around the mean of the columns."""
    w = _double(columns)
    centre = w.mean(axis=0)
    centred = w - centre
    return centred if rows is columns else _double(rows) - centre, centred
