"""A process for one run, or for several that share a GPU: it cannot hurt those of others."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from neurosim.checks import NeurosimError
from neurosim.protocol.origin import holds_nothing, is_finished
from neurosim.recording import Recorder
from neurosim.recording.files import RunPaths, in_use

GO_ON, STOP, KILL = 0, 1, 2  # what is asked of a child: STOP leaves a checkpoint

_POLL = 0.2  # seconds between two looks at what is asked
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Wanted(NamedTuple):
    """A run to be made.

    Parameters
    ----------
    path : Path
        The run file, absolute.
    header : dict
        Arguments of `Recorder.create`, for a run that has no file yet.
    """

    path: Path
    header: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a worker, here or on another machine, has to know of the runs of one process.

    Parameters
    ----------
    runs : tuple of Wanted
        One run, or several that can share a GPU.
    threads : int
        Threads that the libraries of the process may use.
    folder : Path
        The folder in which relative paths among the settings mean something.
    """

    runs: tuple[Wanted, ...]
    threads: int
    folder: Path


class Ending(NamedTuple):
    """How a run went."""

    status: Literal["finished", "failed", "interrupted"]
    error: str | None = None
    warnings: tuple[str, ...] = ()


def make(task: Task, asked: Callable[[], int]) -> list[Ending]:
    """Make or continue runs and wait for their end.

    A new run is an interrupted one without a checkpoint: its file is written, then resumed.

    Parameters
    ----------
    task : Task
        The runs.
    asked : callable
        Called several times a second; returns GO_ON, STOP or KILL.

    Returns
    -------
    list of Ending
        One a run: finished, failed with one line that says why, or interrupted because that was
        asked.
    """
    if asked() != GO_ON:
        return [Ending("interrupted") for _ in task.runs]
    endings: dict[Path, Ending] = {}
    ready: dict[Path, RunPaths] = {}
    for path, header in task.runs:
        paths = RunPaths.of(path)
        with _failing(path, endings):
            if not (paths.partial.exists() or paths.checkpoint.exists()):
                Recorder.create(path, **header).close()
            ready[path] = paths
    if ready:
        files = [paths.partial for paths in ready.values()]
        code, lines, stopped = _resume(files, task, asked)
        for path, paths in ready.items():
            with _failing(path, endings):
                own = _about(paths.partial, files, lines)
                endings[path] = _ending(is_finished(paths), stopped, code, own)
                if holds_nothing(paths) and not in_use(paths.partial):
                    paths.partial.unlink()
    return [endings[path] for path, _ in task.runs]


@contextlib.contextmanager
def _failing(path: Path, endings: dict[Path, Ending]) -> Iterator[None]:
    """Let a run fail if its files cannot be dealt with."""
    try:
        yield
    except (NeurosimError, OSError) as error:
        endings[path] = Ending("failed", " ".join(str(error).split()))


def _ending(finished: bool, stopped: bool, code: int, lines: list[str]) -> Ending:
    """What the exit code of a process and its lines about a run mean."""
    warnings = tuple(line for line in lines if line.startswith("warning: "))
    if finished:
        return Ending("finished", None, warnings)
    if stopped:
        return Ending("interrupted", None, warnings)
    return Ending("failed", _reason(code, lines), warnings)


def _about(file: Path, files: list[Path], lines: list[str]) -> list[str]:
    """What a process said about one of its runs, or about none of them in particular."""
    own, every = f"{file}: ", tuple(f"{other}: " for other in files)
    return [
        line.removeprefix(own)
        for line in lines
        if line.startswith(own) or not line.startswith(every)
    ]


def _resume(files: list[Path], task: Task, asked: Callable[[], int]) -> tuple[int, list[str], bool]:
    """Exit code, what was written to stderr, and whether it was told to stop."""
    words = [sys.executable, "-m", "neurosim", "resume", *map(str, files), "--quiet"]
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
                    return code, _lines(stderr), told != GO_ON
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


def _lines(stderr: IO[bytes]) -> list[str]:
    stderr.seek(0)
    return [line for line in stderr.read().decode(errors="replace").splitlines() if line.strip()]


def _reason(code: int, lines: list[str]) -> str:
    """Why it ended so, in one line; what was recorded is kept in any case."""
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")] or lines
    last = told[-1].partition(" What was recorded is kept: ")[0] if told else ""
    if code < 0:
        return f"Killed by {signal.Signals(-code).name}. {last}".rstrip()
    return last or f"Ended with exit code {code}."
