"""From the words on the command line to a command, and from what it raises to an exit code."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from neurosim.checks import SettingError
from neurosim.cli.errors import told

# Command -> module below neurosim.cli that holds a function of that name, and one line about it.
# Modules are imported when called for, so that help is instant.
COMMANDS = {
    "run": ("running", "run a protocol, by name or from your own file"),
    "sweep": ("sweeping", "run a grid of settings and seeds, side by side"),
    "resume": ("resuming", "continue a run that was interrupted"),
    "info": ("files", "say what a run file holds"),
    "plot": ("files", "draw a run's figure"),
    "compare": ("comparing", "set runs beside one another: tables and a figure"),
    "list": ("catalogue", "list protocols, data sets and plasticity rules"),
}

HELP = f"""usage: neurosim COMMAND ... [--debug]

Streaming simulation of biologically grounded learning: one sample at a time.

commands:
{chr(10).join(f"  {name:<8} {about}" for name, (_, about) in COMMANDS.items())}

options:
  -h, --help   show this message; after a command or a protocol, show its own
  --version    show the version
  --debug      show the traceback of an error

examples:
  neurosim run quickstart
  neurosim run quickstart --help
  neurosim run my_protocol.py --out runs/mine.h5 --seed 3
  neurosim sweep quickstart --grid same_class=0.1,0.5 --seeds 3
  neurosim resume runs/mine.h5
  neurosim plot runs/mine.h5

exit codes: 0 success, 1 a bug, 2 bad input, 130 interrupted"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str or None
        The words after ``neurosim``; None takes them from the process.

    Returns
    -------
    int
        Exit code: 0 success, 1 a bug, 2 bad input, 130 interrupted. Errors are one line on stderr,
        after the traceback if ``--debug`` is among the words.
    """
    return guarded(_dispatch, argv)


def guarded(command: Callable[[list[str]], int | None], argv: Sequence[str] | None = None) -> int:
    """Call ``command`` with the words of the command line; the rest is as in `main`."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        with _terminate_like_interrupt(), _short_warnings():
            code = command(words) or 0
            sys.stdout.flush()  # here, where a reader that has left can still be dealt with
            return code
    except BrokenPipeError:
        # The reader of our output has left; silence the interpreter's last flush as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exception(error)
        code, line = told(error, debug=debug)
        print(line, file=sys.stderr)
        return code


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(HELP)
        return 0
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"neurosim {version('neurosim')}")
        return 0
    name, *rest = words
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"Did you mean {close[0]}? " if close else ""
        known = ", ".join(COMMANDS)
        raise SettingError(f"Command must be one of {known}; got {name!r}. {hint}See --help.")
    module = importlib.import_module(f"neurosim.cli.{COMMANDS[name][0]}")
    code: int = getattr(module, f"{name}_command")(rest)
    return code


@contextlib.contextmanager
def _terminate_like_interrupt() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does: a batch system's time limit then leaves a checkpoint."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python accepts signal handlers on the main thread only
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextlib.contextmanager
def _short_warnings() -> Iterator[None]:
    """Print a Python warning as one line, without the source line it came from."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        print(f"warning: {' '.join(str(message).split())}", file=file or sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
