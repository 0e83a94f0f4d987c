"""One run in a process of its own, so that nothing that happens to it can hurt the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from neurosim.checks import NeurosimError
from neurosim.protocol.origin import holds_nothing
from neurosim.recording import Recorder
from neurosim.recording.files import RunPaths, in_use

GO_ON, STOP, KILL = 0, 1, 2  # what is asked of a child: STOP leaves a checkpoint

_POLL = 0.2  # seconds between two looks at what is asked
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a worker, here or on another machine, has to know of one run.

    Parameters
    ----------
    path : Path
        The run file, absolute.
    header : dict
        Arguments of `Recorder.create`, for a run that has no file yet.
    threads : int
        Threads that the libraries of the run may use.
    folder : Path
        The folder in which relative paths among the settings mean something.
    """

    path: Path
    header: dict[str, Any]
    threads: int
    folder: Path


class Ending(NamedTuple):
    """How it went."""

    status: Literal["finished", "failed", "interrupted"]
    error: str | None = None
    warnings: tuple[str, ...] = ()


def make(task: Task, asked: Callable[[], int]) -> Ending:
    """Make or continue one run and wait for its end.

    A new run is an interrupted one without a checkpoint: its file is written, then resumed.

    Parameters
    ----------
    task : Task
        The run.
    asked : callable
        Called several times a second; returns GO_ON, STOP or KILL.

    Returns
    -------
    Ending
        Finished, failed with one line that says why, or interrupted because that was asked.
    """
    if asked() != GO_ON:
        return Ending("interrupted")
    paths = RunPaths.of(task.path)
    try:
        if not (paths.partial.exists() or paths.checkpoint.exists()):
            Recorder.create(paths.final, **task.header).close()
        code, complaint, stopped = _resume(paths.partial, task, asked)
        if holds_nothing(paths) and not in_use(paths.partial):
            paths.partial.unlink()
    except (NeurosimError, OSError) as error:
        return Ending("failed", " ".join(str(error).split()))
    lines = [line for line in complaint.splitlines() if line.strip()]
    warnings = tuple(line for line in lines if line.startswith("warning: "))
    if code == 0:
        return Ending("finished", None, warnings)
    if stopped:
        return Ending("interrupted", None, warnings)
    return Ending("failed", _reason(code, lines), warnings)


def _resume(partial: Path, task: Task, asked: Callable[[], int]) -> tuple[int, str, bool]:
    """Exit code, what was written to stderr, and whether it was told to stop."""
    words = [sys.executable, "-m", "neurosim", "resume", str(partial), "--quiet"]
    limits = {name: str(_limited(name, task.threads)) for name in _THREADS}
    with tempfile.TemporaryFile() as stderr:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=os.environ | limits,
            cwd=task.folder,
            start_new_session=True,  # Ctrl-C on the terminal is ours to pass on, once
        )
        told = GO_ON
        try:
            while True:
                try:
                    code = child.wait(_POLL)
                    return code, _text(stderr), told != GO_ON
                except subprocess.TimeoutExpired:
                    pass
                now = asked()
                if now > told:
                    child.kill() if now == KILL else child.terminate()
                    told = now
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()


def _limited(name: str, threads: int) -> int:
    """The run's share, or less if the user's environment says so."""
    given = os.environ.get(name, "")
    return min(int(given), threads) if given.isdigit() else threads


def _text(stderr: IO[bytes]) -> str:
    stderr.seek(0)
    return stderr.read().decode(errors="replace")


def _reason(code: int, lines: list[str]) -> str:
    """Why it ended so, in one line; what was recorded is kept in any case."""
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")] or lines
    last = told[-1].partition(" What was recorded is kept: ")[0] if told else ""
    if code < 0:
        return f"Killed by {signal.Signals(-code).name}. {last}".rstrip()
    return last or f"Ended with exit code {code}."
