"""Rows that repeat the one before: their products with the weights are computed once.

Where neurons are sampled while a stimulus lasts, the stimulus is the same at every sample, and so
is what is remembered of it while nothing is shown.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Repeats(NamedTuple):
    """Runs of equal rows.

    first : (runs,) the first row of each.
    run : (n,) the run of each row.
    """

    first: np.ndarray
    run: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> Repeats:
        """Runs of equal rows of a matrix (n, columns) with at least one row."""
        new = np.ones(len(rows), bool)
        new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
        return cls(np.flatnonzero(new), np.cumsum(new) - 1)

    def product(self, rows: np.ndarray, other: np.ndarray, out: np.ndarray) -> None:
        """out = rows other^T, (n, len(other))."""
        np.take(rows[self.first] @ other.T, self.run, axis=0, out=out)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums of ``values`` (n, columns) over the rows of each run, (runs, columns)."""
        found: np.ndarray = np.add.reduceat(values, self.first, axis=0)
        return found
