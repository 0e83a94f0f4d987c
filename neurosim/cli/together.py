"""Several runs in one process, each in a thread of its own, so that they can share a GPU.

Each has its own file, checkpoint and errors. What becomes of a run is told in a line that begins
with its name, and the others go on.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import TextIO

from threadpoolctl import threadpool_limits

from neurosim.checks import require
from neurosim.cli.errors import told
from neurosim.cli.execution import Execution, reopen
from neurosim.interruption import Interruption
from neurosim.protocol import Protocol, find
from neurosim.protocol.origin import is_finished
from neurosim.recording.files import RunPaths
from neurosim.streaming.gpu.crowd import Crowd

_GRACE = 5.0  # seconds that runs have to close their files when the process must end

_run: ContextVar[str] = ContextVar("run", default="")  # that the present thread works for
_Codes = dict[str, int]


def resume_together(files: Sequence[Path]) -> int:
    """Continue runs at once.

    Parameters
    ----------
    files : sequence of Path
        Of runs on a GPU, whose protocols say ``ensembles = True``.

    Returns
    -------
    int
        Exit code: 0 all finished, 1 some failed, 130 some were interrupted and none failed.
    """
    codes: _Codes = {str(file): 1 for file in files}
    load = functools.cache(find)  # once a protocol: runs share a kernel if their rule is the same
    ready: dict[str, Execution] = {}
    with (
        _named_warnings(),
        threadpool_limits(1, user_api="blas"),
        ExitStack() as closing,
        Interruption(),
    ):
        for file in files:
            with _told(str(file), codes):
                if is_finished(RunPaths.of(file)):
                    _finished(str(file), codes)
                else:
                    ready[str(file)] = _reopen(file, load)
                    closing.callback(ready[str(file)].recorder.close)
        if ready:
            _work(ready, codes)
    ended = set(codes.values())
    return 0 if ended == {0} else 130 if ended <= {0, 130} else 1


def _reopen(file: Path, load: Callable[[str | Path], Protocol]) -> Execution:
    """Get a run ready, if it can share a GPU with others."""
    execution = reopen(file, tell=_tell, load=load)
    config = execution.config
    if not (config.ensembles and config.device == "gpu"):
        execution.recorder.close()
        rule = "be one file, or runs on a GPU of a protocol that makes ensembles"
        require(False, "resume.files", rule, str(file), "Resume it alone.")
    return execution


def _work(ready: Mapping[str, Execution], codes: _Codes) -> None:
    """Make the runs and wait until all have ended.

    The first signal makes every run leave a checkpoint. After a second one they are only given a
    moment to close their files.
    """

    def work(name: str, execution: Execution) -> None:
        with _told(name, codes), crowd.place():
            execution.work(quiet=True)
            _finished(name, codes)

    threads = [
        threading.Thread(target=copy_context().run, args=(work, *one), daemon=True)
        for one in ready.items()
    ]
    try:
        with Crowd(len(threads)) as crowd:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        until = time.monotonic() + _GRACE
        for thread in filter(threading.Thread.is_alive, threads):
            thread.join(max(0.0, until - time.monotonic()))


@contextmanager
def _told(name: str, codes: _Codes) -> Iterator[None]:
    """Within the context a run is worked on; an error is told, and goes no further."""
    token = _run.set(name)
    try:
        yield
    except Exception as error:
        codes[name], line = told(error)
        _tell(line)
    finally:
        _run.reset(token)


def _finished(name: str, codes: _Codes) -> None:
    codes[name] = 0
    _tell("finished")


def _tell(line: str) -> None:
    """One line about the run that this thread works for, in one piece."""
    sys.stderr.write(f"{_run.get()}: {line}\n")


@contextmanager
def _named_warnings() -> Iterator[None]:
    """Tell warnings with the run they are about, each once a run rather than once a process."""
    with warnings.catch_warnings():
        unnamed, said = warnings.showwarning, set()

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            text, run = " ".join(str(message).split()), _run.get()
            if not run:
                unnamed(message, category, filename, lineno, file, line)
            elif (run, text) not in said:
                said.add((run, text))
                _tell(f"warning: {text}")

        warnings.showwarning = show
        warnings.filterwarnings("always", category=UserWarning)
        yield
