"""What a folder holds already: runs are recognised by protocol and settings, not by name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurosim.checks import RunFileError
from neurosim.protocol import Protocol, from_json, to_json
from neurosim.protocol.origin import is_finished, was_edited
from neurosim.recording import Checkpoint, Run
from neurosim.recording.files import RunPaths
from neurosim.recording.header import Header

_SUFFIXES = (".h5", ".partial", ".checkpoint")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A run of one of the protocols in question.

    Parameters
    ----------
    paths : RunPaths
        Its files.
    finished : bool
        Whether it is finished; else it can be resumed.
    edited : bool
        Whether the protocol was edited since it began.
    """

    paths: RunPaths
    finished: bool
    edited: bool


def fingerprint(protocol: Protocol, settings: Mapping[str, Any]) -> str:
    """Text that is the same for equal settings; what is left out takes the protocol's default.

    Parameters
    ----------
    protocol : Protocol
        The protocol they are of.
    settings : mapping
        As stored in a run file.

    Returns
    -------
    str
        The protocol's name and the settings as JSON.

    Raises
    ------
    SettingError
        If the protocol has no such settings (any more).
    """
    complete = to_json(from_json(protocol.config, settings))
    return f"{protocol.name} {json.dumps(complete, sort_keys=True)}"


def runs_in(folders: Iterable[Path], protocols: Iterable[Protocol]) -> dict[str, Found]:
    """Look for runs in folders, and in the folders inside.

    Parameters
    ----------
    folders : iterable of Path
        Where to look.
    protocols : iterable of Protocol
        Whose runs to look for.

    Returns
    -------
    dict
        Fingerprint to run; of equal runs a finished one, else the first by name.
    """
    files = {file for folder in folders for file in folder.rglob("*") if file.suffix in _SUFFIXES}
    every = {RunPaths.of(file).final.resolve() for file in files}
    known = {protocol.name: protocol for protocol in protocols}
    found: dict[str, Found] = {}
    for paths in map(RunPaths, sorted(every, key=str)):
        try:
            origin, finished = _read(paths)
            protocol = known[origin.protocol]
            key = fingerprint(protocol, origin.settings)
        except (RunFileError, KeyError, ValueError, TypeError):
            continue  # damaged, another protocol's, or of settings that are no more
        if key not in found or (finished and not found[key].finished):
            edited = was_edited(origin, protocol)
            found[key] = Found(paths=paths, finished=finished, edited=edited)
    return found


def measured(path: Path) -> tuple[float | None, float | None]:
    """Test accuracy and seconds of learning of a run; None for what its protocol does not tell."""
    with Run(path) as run:
        return run.info()["test_accuracy"], run.summary.get("seconds")


def _read(paths: RunPaths) -> tuple[Run | Header, bool]:
    finished = is_finished(paths)
    try:
        with Run(paths.final if finished else paths.partial) as run:
            return run, finished
    except RunFileError:
        # The checkpoint alone is enough to go on from.
        return Checkpoint.load(paths.checkpoint).header, False
