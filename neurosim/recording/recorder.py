"""Writing a run: declare what will come, append it as it comes, survive whatever happens."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from neurosim.checks import RunFileError, SettingError, require, require_one_of
from neurosim.recording.checkpoint import Checkpoint, require_arrays
from neurosim.recording.container import new_file
from neurosim.recording.files import replacing, synchronize, writing
from neurosim.recording.finish import write_finished
from neurosim.recording.header import to_json
from neurosim.recording.layout import lay_out, require_affordable, require_repeated
from neurosim.recording.series import Series
from neurosim.recording.settings import RecordSettings
from neurosim.recording.start import Claim, claim_interrupted, claim_new, require_vacant
from neurosim.recording.writer import Writer

HISTORY = "history/"


class Recorder:
    """The writer of one run; made by `create` or `resume`, used as a context manager.

    While it runs, ``NAME.h5.partial`` can be read (SWMR) and ``NAME.h5.partial.checkpoint`` holds
    the last checkpoint; `finish` makes ``NAME.h5`` of them. Leaving without `finish` keeps both.

    Attributes
    ----------
    path : pathlib.Path
        The finished file, whether it is there yet or not.
    settings : dict
        The protocol's settings, as stored in the file.
    record : RecordSettings
        What is recorded.
    checkpoint : Checkpoint or None
        After `resume`, where to continue; None is the beginning. Released at the next checkpoint.
    """

    def __init__(self, claim: Claim) -> None:
        self.path = claim.paths.final
        self.settings, self.record = claim.header.settings, claim.header.record
        self.checkpoint: Checkpoint | None = claim.checkpoint
        self._paths, self._header, _, self._lock = claim
        self._series: dict[str, Series] = {}
        self._writer: Writer | None = None

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        protocol: str,
        settings: Mapping[str, Any],
        seed: int,
        device: str = "cpu",
        record: RecordSettings | None = None,
        overwrite: bool = False,
        extra_provenance: Mapping[str, Any] | None = None,
    ) -> Self:
        """Start a new run file; settings and provenance are on disk when this returns.

        A file that exists, is in use or cannot be written raises `RunFileError`.

        Parameters
        ----------
        path : path-like
            The finished file, such as ``run.h5``; missing folders are made.
        protocol : str
            Name or file of the protocol.
        settings : mapping
            Everything the run can be repeated from; JSON-able.
        seed : int
            The run's one seed.
        device : str
            ``"cpu"`` or ``"gpu"``.
        record : RecordSettings, optional
            What to record.
        overwrite : bool
            Allow replacing an existing run: a partial one at once, a finished one at `finish`.
        extra_provenance : mapping, optional
            Added to the provenance: a data set's digest, say.
        """
        return cls(
            claim_new(
                path,
                protocol=protocol,
                settings=settings,
                seed=seed,
                device=device,
                record=record or RecordSettings(),
                overwrite=overwrite,
                extra_provenance=extra_provenance or {},
            )
        )

    @classmethod
    def resume(cls, path: str | os.PathLike[str]) -> Self:
        """Continue a run that was interrupted, from its last checkpoint or the beginning.

        What the interruption left is only read until `begin` puts its successor in place. For a
        damaged file, the checkpoint has a copy of the settings, and a warning says what is lost.

        Parameters
        ----------
        path : path-like
            The run's finished or partial name.

        Raises
        ------
        RunFileError
            The run is finished, in use, missing or beyond repair.
        """
        return cls(claim_interrupted(path))

    def declare(
        self,
        name: str,
        *,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        unit: str,
        axes: tuple[str, ...],
        rows: int | None,
        coordinates: Mapping[str, ArrayLike | str] | None = None,
    ) -> None:
        """Announce a series before `begin`; see `Series` for the arguments."""
        require(self._writer is None, "Recorder.declare", "come before begin", name)
        require(name not in self._series, "Recorder.declare", "be used once a name", name)
        self._series[name] = Series(
            name=name,
            shape=tuple(shape),
            dtype=np.dtype(dtype),
            unit=unit,
            axes=tuple(axes),
            rows=rows,
            coordinates=dict(coordinates or {}),
        )

    def declare_history(self, columns: Mapping[str, str]) -> None:
        """Announce the columns of the history and their units."""
        for column, unit in columns.items():
            name, axes = HISTORY + column, ("note",)
            self.declare(name, shape=(), dtype=float, unit=unit, axes=axes, rows=None)

    def begin(self) -> None:
        """Check the size of all that was declared, lay the file out and open it to readers.

        Raises
        ------
        BudgetError
            The file would exceed `RecordSettings.budget`; the message has settings that fit.
        RunFileError
            The disk is too small, or a resumed run is not declared as it was before.
        """
        again = self._writer is not None or not self._lock.held
        require(not again, "Recorder.begin", "be called once, before close", "another call")
        series, partial = list(self._series.values()), self._paths.partial
        require_affordable(series, self.record, partial.parent)
        if self.checkpoint:
            require_repeated(series, self.checkpoint)
        self._header, lock = lay_out(partial, self._header, series, self.checkpoint)
        self._lock.release()
        self._lock = lock
        self._writer = Writer(partial, series, self.record.budget)

    def append(self, name: str, rows: np.ndarray) -> None:
        """Add rows to a series: `append_many` of one."""
        self.append_many({name: rows})

    def append_many(self, rows: Mapping[str, np.ndarray]) -> None:
        """Add rows to several series or none; they are copied, and reach readers within seconds.

        Parameters
        ----------
        rows : mapping of str to numpy.ndarray
            For declared series, shape ``(n, *row)`` each, in its unit.

        Raises
        ------
        SettingError
            A name, shape or type is not the declared one, or a value is not finite.
        BudgetError
            Series without a declared end have used the budget up.
        RunFileError
            The file cannot be written (any more).
        """
        for unknown in rows.keys() - self._series.keys():
            require_one_of("Recorder.append.name", unknown, self._series)
        self._running.add({name: self._series[name].check(new) for name, new in rows.items()})

    def note(self, **columns: float) -> None:
        """Add one row to the history, at once; a column left out was not measured (NaN)."""
        declared = [name for name in self._series if name.startswith(HISTORY)]
        unknown = {HISTORY + column for column in columns} - set(declared)
        require(not unknown, "Recorder.note", "use declared columns", sorted(unknown))
        values = [columns.get(name.removeprefix(HISTORY), np.nan) for name in declared]
        rows = {name: np.array([v], float) for name, v in zip(declared, values, strict=True)}
        self._running.add(rows, at_once=True)

    def flush(self) -> None:
        """Show readers everything appended so far."""
        self._running.flush()

    def save_checkpoint(
        self, arrays: Mapping[str, np.ndarray], position: Mapping[str, Any]
    ) -> None:
        """Write all rows to disk, then atomically the state to continue from.

        Parameters
        ----------
        arrays : mapping of str to numpy.ndarray
            The state of the simulation, by name.
        position : mapping
            Where the run stands; JSON-able.

        Raises
        ------
        RunFileError
            It cannot be written; the checkpoint before is kept.
        """
        writer = self._running
        writer.flush()
        state = Checkpoint(
            arrays=arrays, position=dict(position), rows=writer.rows, header=self._header
        )
        with writing(self._paths.checkpoint):
            # Rows first: a checkpoint never counts rows that a power cut could still take.
            synchronize(self._paths.partial)
            state.save(self._paths.checkpoint)
        self.checkpoint = None

    def finish(self, summary: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> Path:
        """Make the finished file: compressed, with weights, checkpoint and summary.

        Parameters
        ----------
        summary : mapping
            Results in a few numbers; JSON-able.
        weights : mapping of str to numpy.ndarray
            Final weights by name; their order enters the digest.

        Returns
        -------
        pathlib.Path
            The finished file; the partial ones are removed once it is safe on disk.

        Raises
        ------
        RunFileError
            It cannot be written; the partial file and the checkpoint are kept.
        """
        text = to_json("Recorder.finish.summary", summary)
        require_arrays("Recorder.finish.weights", weights)
        paths, writer, names = self._paths, self._running, list(self._series)
        require_vacant(paths.final, self._header.overwrite)
        writer.flush()
        with (
            writer.guarded() as source,
            writing(paths.final),
            replacing(paths.final) as temporary,
            new_file(temporary) as target,
        ):
            write_finished(target, source, self._header, names, text, weights, paths.checkpoint)
        self.close()
        paths.partial.unlink()
        paths.checkpoint.unlink(missing_ok=True)
        return paths.final

    def close(self) -> None:
        """Write what is waiting and let go of the file; it stays readable and resumable."""
        writer, self._writer = self._writer, None
        try:
            if writer:
                writer.close()
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            self.close()
        except RunFileError:
            # An error on the way out must not hide the one that led here.
            if kind is None:
                raise

    @property
    def _running(self) -> Writer:
        if self._writer is None:
            raise SettingError("Recorder must be used between begin and finish; got no open file.")
        return self._writer
