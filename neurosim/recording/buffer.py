"""Rows on their way to the file: collected in bounded memory, written in blocks.

A block is an HDF5 chunk of its series. Full, it goes to the file as it is, which costs what the
system takes to copy it; a part of it goes the long way through HDF5's selections, which costs
several times as much, but only when someone wants to see the rows before their block is full.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import h5py
import numpy as np

FLUSH_SECONDS = 2.0


class RowBuffer:
    """The block of each dataset that is being filled, written when full or long waited for.

    Parameters
    ----------
    datasets : mapping of str to h5py.Dataset
        Where rows go, chunked along the first axis only and not compressed; their present rows
        are continued.
    """

    def __init__(self, datasets: Mapping[str, h5py.Dataset]) -> None:
        self._blocks = {name: _Block(dataset) for name, dataset in datasets.items()}
        self._last_flush = time.monotonic()

    @property
    def rows(self) -> dict[str, int]:
        """Rows of every dataset, waiting ones included."""
        return {name: block.length for name, block in self._blocks.items()}

    @property
    def due(self) -> bool:
        """Whether rows have waited long enough for those who watch the file."""
        return time.monotonic() - self._last_flush > FLUSH_SECONDS

    def add(self, name: str, rows: np.ndarray) -> None:
        """Take over a copy of ``rows``, shape ``(n, *row)``."""
        self._blocks[name].add(rows)

    def write(self, names: Iterable[str] | None = None) -> None:
        """Hand waiting rows (of ``names``, else of all) to HDF5; the caller flushes the file."""
        for name in self._blocks if names is None else names:
            self._blocks[name].write()
        if names is None:
            self._last_flush = time.monotonic()


class _Block:
    """The last chunk of one dataset: rows up to ``length``, those up to ``_written`` in the file.

    Memory is taken with the first row.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        # What h5py works out anew at every `Dataset[...] = rows` is known here once and for all.
        self._dataset = dataset
        self._row, self._capacity = dataset.shape[1:], int(dataset.chunks[0])
        self.length = self._written = int(dataset.shape[0])
        self._rows: np.ndarray | None = None

    def add(self, rows: np.ndarray) -> None:
        if self._rows is None:
            self._rows = self._begin()
        while len(rows):
            start = self.length % self._capacity
            n = min(len(rows), self._capacity - start)
            self._rows[start : start + n] = rows[:n]
            self.length += n
            rows = rows[n:]
            if start + n == self._capacity:
                self.write()

    def _begin(self) -> np.ndarray:
        """An empty block, headed by the rows that the file has of the same chunk."""
        block = np.zeros((self._capacity, *self._row), self._dataset.dtype)
        start = self.length % self._capacity
        if start:
            block[:start] = self._dataset[self.length - start : self.length]
        return block

    def write(self) -> None:
        if self._rows is None or self._written == self.length:
            return
        identity, before = self._dataset.id, self._written
        identity.set_extent((self.length, *self._row))
        try:
            if self.length % self._capacity == 0:
                write_chunk(identity, self.length - self._capacity, self._rows)
            else:
                start = before % self._capacity
                write_rows(identity, before, self._rows[start : start + self.length - before])
        except BaseException:
            # The file must not claim rows that it does not hold.
            identity.set_extent((before, *self._row))
            raise
        self._written = self.length


def write_chunk(dataset: h5py.h5d.DatasetID, first: int, rows: np.ndarray) -> None:
    """Write one whole chunk, from row ``first``."""
    dataset.write_direct_chunk((first, *(0,) * (rows.ndim - 1)), rows)


def write_rows(dataset: h5py.h5d.DatasetID, first: int, rows: np.ndarray) -> None:
    """Write some rows, from row ``first``."""
    space = dataset.get_space()
    space.select_hyperslab((first, *(0,) * (rows.ndim - 1)), rows.shape)
    dataset.write(h5py.h5s.create_simple(rows.shape), space, rows)
