"""Claiming the files of a run: a new one, or one that was interrupted."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from neurosim.checks import RunFileError, require
from neurosim.recording.checkpoint import Checkpoint
from neurosim.recording.container import new_file, open_at_rest, readable
from neurosim.recording.files import RunPaths, WriterLock, replacing, writing
from neurosim.recording.header import Header
from neurosim.recording.provenance import provenance
from neurosim.recording.settings import RecordSettings


class Claim(NamedTuple):
    """The right to write a run, and what is known of it."""

    paths: RunPaths
    header: Header
    checkpoint: Checkpoint | None
    lock: WriterLock


def claim_new(
    path: str | os.PathLike[str],
    *,
    protocol: str,
    settings: Mapping[str, Any],
    seed: int,
    device: str,
    record: RecordSettings,
    overwrite: bool,
    extra_provenance: Mapping[str, Any],
) -> Claim:
    """Write the partial file of a new run: settings and provenance, nothing else yet."""
    require(0 <= seed < 2**63, "Recorder.seed", "be at least 0 and below 2**63", seed)
    paths = RunPaths.of(path)
    header = Header(
        run_id=uuid.uuid4().hex,
        protocol=protocol,
        seed=int(seed),
        device=device,
        settings=dict(settings),
        record=record,
        provenance=provenance(device) | dict(extra_provenance),
        overwrite=overwrite,
    )
    # Through JSON and back, so that a fresh and a resumed run see equal settings.
    header = Header.from_json(header.to_json())
    with writing(paths.partial):
        for existing in (paths.final, paths.partial):
            require_vacant(existing, overwrite)
        paths.partial.parent.mkdir(parents=True, exist_ok=True)
        if paths.partial.exists():
            WriterLock(paths.partial).release()
        # In this order: a checkpoint must never be found beside a run it is not of.
        paths.checkpoint.unlink(missing_ok=True)
        return Claim(paths, header, None, _write_header(paths.partial, header))


def claim_interrupted(path: str | os.PathLike[str]) -> Claim:
    """Find what an interrupted run left, without changing any of it."""
    paths = RunPaths.of(path)
    if not any(map(os.path.exists, (paths.partial, paths.checkpoint))):
        found = "which is finished" if os.path.exists(paths.final) else "and there is no such run"
        raise RunFileError(
            f"Recorder.path must be an interrupted run; got {paths.final}, {found}. "
            "Start a new run instead."
        )
    lock = WriterLock(paths.partial) if paths.partial.exists() else None
    try:
        checkpoint = Checkpoint.load(paths.checkpoint) if paths.checkpoint.exists() else None
        header = _header_of(paths, checkpoint)
        _require_unfinished(paths, header)
    except BaseException:
        if lock:
            lock.release()
        raise
    with writing(paths.partial):
        return Claim(paths, header, checkpoint, lock or _write_header(paths.partial, header))


def require_vacant(path: Path, overwrite: bool) -> None:
    """Refuse a folder, and an existing file unless it may be overwritten."""
    if path.is_dir() or (os.path.lexists(path) and not overwrite):
        kind = "a folder" if path.is_dir() else "which exists"
        remedy = "or resume it" if path.name.endswith(".partial") else "or allow --overwrite"
        raise RunFileError(
            f"Recorder.path must be a new file; got {path}, {kind}. Choose another name, {remedy}."
        )


def _write_header(partial: Path, header: Header) -> WriterLock:
    with replacing(partial) as temporary, new_file(temporary) as file:
        header.write(file, "partial")
    return WriterLock(partial)


def _read_header(path: Path) -> Header:
    with readable(path), open_at_rest(path) as file:
        return Header.read(file)


def _header_of(paths: RunPaths, checkpoint: Checkpoint | None) -> Header:
    try:
        header = _read_header(paths.partial)
    except RunFileError as error:
        if checkpoint is None:
            raise
        warnings.warn(
            f"{error} Going on from the checkpoint; rows recorded before it are lost.",
            stacklevel=5,
        )
        return checkpoint.header
    if checkpoint and checkpoint.header.run_id != header.run_id:
        raise RunFileError(
            f"Recorder.checkpoint must belong to {paths.partial.name}; got "
            f"{paths.checkpoint} of another run. Move it away to start from the beginning."
        )
    return header


def _require_unfinished(paths: RunPaths, header: Header) -> None:
    """Notice a run that was killed between finishing its file and tidying up."""
    try:
        finished = _read_header(paths.final)
    except RunFileError:
        return  # An absent or foreign file is no obstacle before `finish`, which asks again.
    if finished.run_id == header.run_id:
        raise RunFileError(
            f"Recorder.path must be an interrupted run; got {paths.final}, which is finished. "
            f"{paths.partial.name} beside it is a leftover and can be deleted."
        )
