"""Laying out a file before the first row: its cost, and what exists of it."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import h5py

from neurosim.checks import BudgetError, RunFileError
from neurosim.recording.checkpoint import Checkpoint
from neurosim.recording.container import copy_truncated, new_file, open_at_rest
from neurosim.recording.files import WriterLock, replacing, writing
from neurosim.recording.header import Header
from neurosim.recording.provenance import provenance
from neurosim.recording.series import Series
from neurosim.recording.settings import RecordSettings
from neurosim.recording.size import chunk_bytes, predicted_bytes, remedies


def require_affordable(series: Sequence[Series], record: RecordSettings, folder: Path) -> None:
    """Refuse a file larger than its budget or the disk, before a minute is spent on it.

    Raises
    ------
    BudgetError
        With the predicted size, the budget, and settings that fit.
    RunFileError
        The disk has less room than that.
    """
    predicted = predicted_bytes(series)
    if predicted > record.budget:
        whole_megabytes = -(-predicted // 10**6)
        options = [*remedies(series, record), f"--record.budget {whole_megabytes}e6"]
        raise BudgetError(
            f"RecordSettings.budget must hold the recording; got {record.budget:.4g} bytes for "
            f"{predicted:.4g} predicted. Use {' or '.join(options)}."
        )
    free = shutil.disk_usage(folder).free
    if predicted > free:
        raise RunFileError(
            f"Recorder.path must be on a disk with {predicted:.4g} bytes free; got {free:.4g} in "
            f"{folder}. Make room, or record less."
        )


def require_repeated(series: Sequence[Series], checkpoint: Checkpoint) -> None:
    """Refuse to continue a run under other declarations than it was started with."""
    differing = {one.name for one in series} ^ set(checkpoint.rows)
    if differing:
        raise RunFileError(
            "Recorder.declare must repeat what the run was started with; got a difference in "
            f"{', '.join(sorted(differing))}. Resume with the settings stored in the file."
        )


def lay_out(
    partial: Path, header: Header, series: Sequence[Series], checkpoint: Checkpoint | None
) -> tuple[Header, WriterLock]:
    """Replace ``partial`` by a file with every series, holding the rows before ``checkpoint``.

    Rows that cannot be recovered are kept as missing values (NaN, -1 or 0), so that row numbers
    keep their meaning; how many is warned of, and noted in the provenance.

    Returns
    -------
    header : Header
        As written to the file.
    lock : WriterLock
        The right to write the file.
    """
    rows = checkpoint.rows if checkpoint else {}
    lost = {}
    with writing(partial), replacing(partial) as temporary:
        with ExitStack() as stack:
            target = stack.enter_context(new_file(temporary))
            source = None
            if any(rows.values()):
                # A file that cannot be opened at all has lost every row, as counted below.
                with suppress(RunFileError):
                    source = stack.enter_context(open_at_rest(partial))
            for one in series:
                kept = rows.get(one.name, 0)
                missing = _recover(source, target, one, kept, chunk_bytes(len(series)))
                if missing:
                    lost[one.name] = missing
            if checkpoint:
                resumes = [*header.provenance.get("resumes", []), provenance(header.device)]
                header = header.with_provenance(resumes=resumes)
            if lost:
                header = header.with_provenance(lost_rows=lost)
                text = ", ".join(f"{count} of {name}" for name, count in lost.items())
                warnings.warn(f"{partial} was damaged; rows lost: {text}.", stacklevel=3)
            header.write(target, "partial")
        lock = WriterLock(temporary)
    return header, lock


def _recover(
    source: h5py.File | None, target: h5py.File, series: Series, rows: int, block: int
) -> int:
    """Create one series with ``rows`` rows, from ``source`` as far as possible; return the lost."""
    if source is not None and rows:
        try:
            series.require_match(source[series.name])
            return copy_truncated(source, target, series, rows)
        except RunFileError:
            raise
        except (OSError, RuntimeError, KeyError):
            if series.name in target:
                del target[series.name]
    series.create(target, block).resize(rows, axis=0)
    return rows
