"""Similarities between two sets of vectors, rectangular: rows against columns.

    gaussian  k = exp(-|v_i - w_j|^2 / (2 sigma^2))
    labels    k_y = 1 for equal labels, -1 / (n_classes - 1) otherwise

Source: Pogodin & Latham 2020, eqs. 11, 26 and appendix A.3 (centred one-hot labels, cosine).
"""

from __future__ import annotations

import numpy as np

from neurosim.checks import require


def squared_distances(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """|v_i - w_j|^2, shape (n_rows, n_columns), from differences.

    The Gram expansion |v|^2 + |w|^2 - 2 v.w would be faster, but where vectors nearly coincide
    (as they do at initialisation) it keeps no correct digit in float32.
    """
    distances = np.empty((len(rows), len(columns)), rows.dtype)
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
    for name, values in (("rows", rows), ("columns", columns)):
        inside = (values >= 0) & (values < n_classes)
        require(
            bool(inside.all()), f"labels.{name}", f"be in [0, {n_classes})", values[~inside][:1]
        )
    return np.where(rows[:, None] == columns[None, :], 1.0, -1.0 / (n_classes - 1))
