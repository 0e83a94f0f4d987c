"""Speed while another process keeps one of two cores busy; ``python -m benchmarks.contention``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks._engine import engine
from benchmarks._harness import Side, Table, interleave, report, start
from benchmarks._machine import Quiet
from benchmarks._speed import Settings

BOUND = 2.5


@contextmanager
def busy_core(core: int | None) -> Iterator[None]:
    """Another process that never rests, on one core where the system lets us choose it."""
    pin = f"import os; os.sched_setaffinity(0, {{{core}}})\n" if core is not None else ""
    process = subprocess.Popen([sys.executable, "-c", f"{pin}while True: pass"])
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError("the busy process ended before the measurement did")
    finally:
        process.kill()
        process.wait()


def beside(show: Side, core: int | None) -> Side:
    """The same side with a neighbour."""

    def show_beside(n: int) -> float:
        with busy_core(core):
            return show(n)

    return show_beside


def main(settings: Settings) -> None:
    """Measure free and busy in turns."""
    cores = None
    if hasattr(os, "sched_setaffinity"):  # two cores, however many there are
        cores = sorted(os.sched_getaffinity(0))[:2]
        os.sched_setaffinity(0, cores)
    sides: dict[str, Side] = {}
    tasks = settings.task(1024), settings.task(256)
    for task in dict.fromkeys(tasks):
        sides[f"{task.name}, free"] = engine(task)
        sides[f"{task.name}, beside a busy process"] = beside(
            sides[f"{task.name}, free"], cores[-1] if cores else None
        )
    with Quiet() as quiet:
        found = interleave(sides, **settings.timing(tasks[0]))
    names = list(found)
    rows: list[tuple[str | float, ...]] = []
    for free, busy in zip(names[::2], names[1::2], strict=True):
        rows.append((free, 1e6 * found[free].seconds, "", found[free].spread))
        ratio = found[busy].seconds / found[free].seconds
        rows.append((busy, 1e6 * found[busy].seconds, ratio, found[busy].spread))
    columns = ("network", "µs", f"slower (bound {BOUND})", "spread")
    notes = (f"{settings.dataset}, two cores, the busy process on one of them.",)
    table = Table(title="Contention", columns=columns, rows=rows, notes=notes)
    report("contention", {"a": [table]}, None if settings.quick else settings.out, quiet.others)


if __name__ == "__main__":
    start(main, Settings, __doc__)
