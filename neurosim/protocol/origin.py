"""What a run file tells about the run it belongs to: its protocol, and how far it came."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from neurosim.checks import RunFileError
from neurosim.protocol.finding import Protocol, find
from neurosim.recording import Checkpoint, Run
from neurosim.recording.container import open_reader
from neurosim.recording.files import RunPaths
from neurosim.recording.header import Header


def origin_of(protocol: Protocol, path: Path) -> dict[str, str]:
    """What the run file at ``path`` should remember of its protocol, as provenance.

    The place is relative to the run file, so that protocols and runs can move together.
    """
    return {
        "protocol_file": os.path.relpath(protocol.path, path.resolve().parent),
        "protocol_digest": protocol.digest,
    }


def protocol_of(
    run: Run | Header, path: Path, load: Callable[[str | Path], Protocol] = find
) -> Protocol:
    """Load the protocol of the run file at ``path``: from where it was, else by its name.

    ``load`` is `find`, or what answers like it.

    Raises
    ------
    SettingError
        If there is no such protocol any more.
    """
    stored = run.provenance.get("protocol_file")
    if stored is not None:
        file = (path.resolve().parent / str(stored)).resolve()
        if file.is_file():
            return load(file)
    return load(run.protocol)


def was_edited(run: Run | Header, protocol: Protocol) -> bool:
    """Whether the protocol's file differs from the one the run began with."""
    return bool(run.provenance.get("protocol_digest", protocol.digest) != protocol.digest)


def is_finished(paths: RunPaths) -> bool:
    """Whether the run is finished, be it with leftovers of a process killed while tidying up."""
    if not paths.final.is_file():
        return False
    with Run(paths.final) as run:
        finished = run.status == "finished"
    if paths.checkpoint.exists():
        return finished and Checkpoint.load(paths.checkpoint).header.run_id == _run_id(paths.final)
    return finished and (
        not paths.partial.exists() or _run_id(paths.partial) == _run_id(paths.final)
    )


def _run_id(path: Path) -> str:
    with open_reader(path) as file:
        return Header.read(file).run_id


def holds_nothing(paths: RunPaths) -> bool:
    """Whether there is a partial file, but nothing was recorded in it yet."""
    if paths.checkpoint.exists() or not paths.partial.exists():
        return False
    try:
        with open_reader(paths.partial) as file:
            return len(file) == 0
    except RunFileError:
        return False  # whatever it is, it is not ours to judge empty
