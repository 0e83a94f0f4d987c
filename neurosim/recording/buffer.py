"""Rows on their way to the file: collected in bounded memory, written in blocks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import h5py
import numpy as np

FLUSH_SECONDS = 2.0


class RowBuffer:
    """One block of rows for each dataset, written when it is full or has waited long enough.

    Parameters
    ----------
    datasets : mapping of str to h5py.Dataset
        Where rows go; their present lengths are continued.
    capacity : mapping of str to int
        Rows of each block.
    """

    def __init__(self, datasets: Mapping[str, h5py.Dataset], capacity: Mapping[str, int]) -> None:
        self._datasets = datasets
        self._capacity = capacity
        self._blocks: dict[str, np.ndarray] = {}
        self._waiting = dict.fromkeys(datasets, 0)
        self._written = {name: int(dataset.shape[0]) for name, dataset in datasets.items()}
        self._last_flush = time.monotonic()

    @property
    def rows(self) -> dict[str, int]:
        """Rows of every dataset, waiting ones included."""
        return {name: n + self._waiting[name] for name, n in self._written.items()}

    @property
    def nbytes(self) -> int:
        """Memory held (bytes)."""
        return sum(block.nbytes for block in self._blocks.values())

    @property
    def due(self) -> bool:
        """Whether rows have waited long enough for those who watch the file."""
        return time.monotonic() - self._last_flush > FLUSH_SECONDS

    def add(self, name: str, rows: np.ndarray) -> None:
        """Take over a copy of ``rows``, shape ``(n, *row)``."""
        capacity = self._capacity[name]
        if self._waiting[name] + len(rows) > capacity:
            self._write_waiting(name)
        if len(rows) >= capacity:
            self._write(name, rows)
            return
        if name not in self._blocks:
            dataset = self._datasets[name]
            self._blocks[name] = np.empty((capacity, *dataset.shape[1:]), dataset.dtype)
        start = self._waiting[name]
        self._blocks[name][start : start + len(rows)] = rows
        self._waiting[name] += len(rows)

    def write(self, names: Iterable[str] | None = None) -> None:
        """Hand waiting rows (of ``names``, else of all) to HDF5; the caller flushes the file."""
        for name in self._datasets if names is None else names:
            self._write_waiting(name)
        if names is None:
            self._last_flush = time.monotonic()

    def _write_waiting(self, name: str) -> None:
        if self._waiting[name]:
            self._write(name, self._blocks[name][: self._waiting[name]])
            self._waiting[name] = 0

    def _write(self, name: str, rows: np.ndarray) -> None:
        dataset, start = self._datasets[name], self._written[name]
        dataset.resize(start + len(rows), axis=0)
        try:
            dataset[start : start + len(rows)] = rows
        except BaseException:
            # The file must not claim rows that it does not hold.
            dataset.resize(start, axis=0)
            raise
        self._written[name] = start + len(rows)
