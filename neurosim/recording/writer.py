"""The open partial file: rows go in, readers see them, a failed write is final."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from neurosim.checks import BudgetError, RunFileError
from neurosim.recording.buffer import RowBuffer
from neurosim.recording.container import open_writer
from neurosim.recording.files import writing
from neurosim.recording.series import Series


class Writer:
    """A partial file open for writing; safe to use from several threads.

    Parameters
    ----------
    path : pathlib.Path
        A file that holds every series already.
    series : sequence of Series
        What is in it.
    budget : float
        Bytes of rows it may hold.
    """

    def __init__(self, path: Path, series: Sequence[Series], budget: float) -> None:
        with writing(path):
            self._file = open_writer(path)
        self._path = path
        self._budget = budget
        self._row_bytes = {one.name: one.row_bytes for one in series}
        self._buffer = RowBuffer({one.name: self._file[one.name] for one in series})
        self._used = sum(self._row_bytes[name] * n for name, n in self._buffer.rows.items())
        self._failure: RunFileError | None = None
        self._lock = threading.RLock()

    @property
    def rows(self) -> dict[str, int]:
        """Rows of every series so far."""
        return self._buffer.rows

    def add(self, rows: Mapping[str, np.ndarray], *, at_once: bool = False) -> None:
        """Take rows over; they reach readers within seconds, or before this returns."""
        with self.guarded() as file:
            size = sum(len(new) * self._row_bytes[name] for name, new in rows.items())
            if self._used + size > self._budget:
                raise BudgetError(
                    f"RecordSettings.budget must hold the recording; got {self._budget:.4g} "
                    "bytes, all used. Record less often in the next run, or raise --record.budget."
                )
            self._used += size
            for name, new in rows.items():
                self._buffer.add(name, new)
            if at_once or self._buffer.due:
                self._buffer.write(None if self._buffer.due else rows)
                file.flush()

    def flush(self) -> None:
        """Show readers everything added so far."""
        with self.guarded() as file:
            self._buffer.write()
            file.flush()

    def close(self) -> None:
        """Flush and close; after a failed write, which was reported then, only close."""
        try:
            if self._failure is None:
                self.flush()
        finally:
            try:
                with writing(self._path):
                    self._file.close()
            except RunFileError:
                # HDF5 cannot write the end of a file whose middle it could not write.
                if self._failure is None:
                    raise

    @contextmanager
    def guarded(self) -> Iterator[h5py.File]:
        """The file for one thread at a time; once a write has failed, that failure again."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            try:
                with writing(self._path):
                    yield self._file
            except RunFileError as failure:
                self._failure = failure
                raise
