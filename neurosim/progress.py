"""Progress of a run on stderr: a live line on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from neurosim.checks import require

_silenced: ContextVar[bool] = ContextVar("neurosim_progress_silenced", default=False)

_REFRESH = 0.1  # seconds between two drawings on a terminal
_FIRST_LINE = 5.0  # seconds until the first plain line ...
_SPACING = 1.6  # ... and the growth of the pause after each: 14 lines in an hour, 21 in a day


@contextlib.contextmanager
def silenced(quiet: bool = True) -> Iterator[None]:
    """Context in which every `Progress` that does not say otherwise shows nothing.

    Parameters
    ----------
    quiet : bool
        False leaves things as they are.
    """
    token = _silenced.set(quiet or _silenced.get())
    try:
        yield
    finally:
        _silenced.reset(token)


class Progress(contextlib.AbstractContextManager["Progress"]):
    """Shows how far a run is, its rate, its figures, the time passed and the time left.

    `update` may be called thousands of times a second: it draws at most ten times a second on a
    terminal, and elsewhere prints at ever longer intervals, about 20 lines in a day. No thread.

    Parameters
    ----------
    quiet : bool or None
        Show nothing at all; None follows `silenced`.
    unit : str
        What is counted.
    stream : text stream or None
        Where to write; None is `sys.stderr`.
    clock : callable
        Time in seconds.
    """

    def __init__(
        self,
        *,
        quiet: bool | None = None,
        unit: str = "presentations",
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._quiet = _silenced.get() if quiet is None else quiet
        self._unit = unit
        self._console = Console(file=sys.stderr if stream is None else stream, highlight=False)
        self._live: Live | None = None
        self._clock = clock
        self._due = float("inf")
        self._pause = _FIRST_LINE
        self._description = ""
        self._total: int | None = None
        self._origin = self._done = self._shown = 0
        self._figures: dict[str, float] = {}
        self._began = clock()
        self._settled: tuple[float, int] | None = None

    def __enter__(self) -> Progress:
        if not self._quiet:
            if self._console.is_terminal:
                self._live = Live(
                    console=self._console,
                    auto_refresh=False,
                    redirect_stdout=sys.stdout.isatty(),  # a pipe keeps what is printed to it
                )
                self._live.start()
            self._due = self._clock() + (0.0 if self._live else self._pause)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._quiet and self._done > self._shown:
            self._show()
        self._due = float("inf")
        if self._live:
            self._live.stop()
            self._live = None

    def start(self, total: int | None, description: str, done: int = 0) -> None:
        """Begin a phase of the run.

        Parameters
        ----------
        total : int or None
            How many there will be; None if nobody knows.
        description : str
            What is going on, in a word or two.
        done : int
            How many were done before, when a run is resumed; they do not count in the rate.

        Raises
        ------
        SettingError
            If ``done`` exceeds ``total``.
        """
        require(total is None or 0 <= done <= total, "Progress.done", f"be at most {total}", done)
        if self._live and self._done > self._shown:
            self._show()
        self._description, self._total = description, total
        self._origin = self._done = self._shown = done
        self._figures = {}
        self._began = self._clock()
        self._settled = None

    def update(self, done: int, **figures: float) -> None:
        """Say how far the phase is.

        Parameters
        ----------
        done : int
            How many are done since the beginning of the phase.
        **figures : float
            Quantities to show beside the rate, such as ``accuracy=0.97``; each is shown until it
            is replaced.
        """
        self._done = done
        if figures:
            self._figures.update(figures)
        now = self._clock()
        if self._settled is None:
            self._settled = now, done
        if now >= self._due:
            self._show()
            self._due = now + (_REFRESH if self._live else self._pause)
            self._pause *= _SPACING

    def message(self, text: str) -> None:
        """Print a line of its own, above the live line."""
        if not self._quiet:
            self._console.print(text, markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def announce(self, text: str, after: float = 2.0) -> Iterator[None]:
        """Print a line if what happens in this context takes longer than ``after`` seconds."""
        timer = threading.Timer(after, self.message, (text,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _show(self) -> None:
        self._shown = self._done
        if self._live:
            line = Text(no_wrap=True, overflow="ellipsis")
            line.append(self._description, "bold").append(" ")
            if self._total:
                filled = round(20 * min(self._done / self._total, 1.0))
                line.append("━" * filled, "cyan").append("━" * (20 - filled) + " ", "dim")
            self._live.update(line.append(" · ".join(self._parts())), refresh=True)
        else:
            self.message(f"{self._description}: {', '.join(self._parts())}")

    def _parts(self) -> list[str]:
        now = self._clock()
        # What happens before the first update, such as compiling, happens only once: of a phase
        # under way the rate is that since then, of a complete one it is all of it.
        since, before = self._settled or (now, self._done)
        steady = now > since and self._done != self._total
        if not steady:
            since, before = self._began, self._origin
        rate = (self._done - before) / (now - since) if now > since else 0.0
        of_total = f"/{self._total:,}" if self._total else ""
        parts = [f"{self._done:,}{of_total} {self._unit}"]
        if rate > 0:
            parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s")
        # a narrow terminal cuts the end off: first what everybody wants to know
        if steady and rate > 0 and self._total:
            parts.append(f"{duration((self._total - self._done) / rate)} left")
        parts += [f"{name.replace('_', ' ')} {value:.4g}" for name, value in self._figures.items()]
        return [*parts, f"{duration(now - self._began)} elapsed"]


def duration(seconds: float) -> str:
    """Write a time span for people: ``0.42 s``, ``12.3 s``, ``4 min 05 s``, ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60:02d} min"
