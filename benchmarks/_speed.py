"""Speed: against peers, and over chunk size, width and duration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._engine import Judge, engine, forward
from benchmarks._harness import Side, Table, interleave
from benchmarks._peers import Fused, Torch
from benchmarks._remote import Remote
from benchmarks._task import Task

TOLERANCE = 1e-2  # float32, relative to the change: a rectifier at its kink may fall either way
LOOPS = (("addr", 2), ("addcmul", 2), ("addmm", 2), ("addr", 1))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a benchmark is run.

    Parameters
    ----------
    only : str
        Letters of the sections to run, as in ``a,b``.
    quick : bool
        Smaller networks and a single short round, to try the script itself; writes no results.
    dataset : str
        What is shown: mnist, or digits where that is missing. It is named in the results.
    rounds : int
        Interleaved rounds; medians are reported.
    seconds : float
        About how long a side works in a round.
    out : Path
        Folder of the results.
    """

    only: str = "a,b,c,d,e,f"
    quick: bool = False
    dataset: str = "mnist"
    rounds: int = 7
    seconds: float = 1.0
    out: Path = Path("results/benchmarks")

    def timing(self, task: Task) -> dict[str, Any]:
        """Arguments of `interleave`."""
        rounds, seconds = (1, 0.05) if self.quick else (self.rounds, self.seconds)
        return {"rounds": rounds, "seconds": seconds, "longest": task.longest}

    def task(self, width: int) -> Task:
        """Three layers of a width."""
        return Task(dataset=self.dataset, widths=(min(width, 64) if self.quick else width,) * 3)


def against_peers(settings: Settings) -> list[Table]:
    """Presentations a second of the engine, its forward pass, and per-sample loops."""
    return [_against_peers(settings, settings.task(width)) for width in (1024, 256)]


def _against_peers(settings: Settings, task: Task) -> Table:
    judge = Judge(task, 20 if settings.quick else 200)
    errors = {"engine, 2": judge.engine, "engine, 1": judge.engine}
    notes = [
        f"{task.name}, grouped two-point rule, float32, {task.dataset}; weights are those of the "
        f"reference engine after {judge.n} presentations (error relative to their change).",
        "The engine trains the read-out and watches health as well; the loops do not.",
        f"Products of the size of the weights a chunk of {task.model.chunk}: engine 2 (and small "
        "ones), forward pass 1.",
    ]
    with _peers(task, notes) as peers:
        for name, peer in peers.items():
            peer.call("learn", judge.n)
            errors[name] = judge.error(peer.call("weights"))
        wrong = {name: error for name, error in errors.items() if not error < TOLERANCE}
        if wrong:
            raise AssertionError(f"these compute something else (relative errors): {wrong}")
        sides: dict[str, Side] = {
            "engine, 2": engine(task, threads=2),
            "engine, 1": engine(task, threads=1),
            "forward pass, 2": forward(task, threads=2, chunk=task.model.chunk),
            "forward pass, 1": forward(task, threads=1, chunk=task.model.chunk),
        }
        sides |= {name: partial(peer.call, "learn") for name, peer in peers.items()}
        found = interleave(sides, **settings.timing(task))
    ours = found["engine, 2"].seconds
    rows = [
        (name, 1e6 * t.seconds, round(1 / t.seconds), t.seconds / ours, t.spread,
         f"{errors[name]:.1e}" if name in errors else "does not learn")
        for name, t in found.items()
    ]  # fmt: skip
    head = ("side, threads", "µs", "presentations/s", "time / engine's", "spread", "error")
    return Table(title=f"Against peers: {task.name}", columns=head, rows=rows, notes=tuple(notes))


@contextmanager
def _peers(task: Task, notes: list[str]) -> Iterator[dict[str, Remote]]:
    passive = {"OMP_WAIT_POLICY": "PASSIVE"}
    peers = {
        f"numba, one pass a sample, {threads}": Remote(Fused, task, threads, environment=passive)
        for threads in (2, 1)
    }
    try:
        for update, threads in LOOPS:
            name = f"PyTorch eager, {update}_, {threads}"
            peers[name] = Remote(Torch, task, update, threads)
    except ImportError:
        notes.append("PyTorch is not installed: pip install -e '.[bench]' adds it.")
    try:
        yield peers
    finally:
        for peer in peers.values():
            peer.close()


def over_chunks(settings: Settings) -> list[Table]:
    """Time a presentation over the size of a chunk."""
    tables = []
    for task in (settings.task(1024), settings.task(256)):
        sides = {str(2**k): engine(task, chunk=2**k) for k in range(10)}
        found = interleave(sides, **settings.timing(task))
        rows = [(name, 1e6 * t.seconds, round(1 / t.seconds)) for name, t in found.items()]
        columns = ("chunk", "µs", "presentations/s")
        tables.append(Table(title=f"Chunk size: {task.name}", columns=columns, rows=rows))
    return tables


def over_widths(settings: Settings) -> list[Table]:
    """Time a presentation over the number of weights."""
    widths = (64, 128) if settings.quick else (64, 128, 256, 512, 1024, 2048, 4096)
    tasks = [Task(dataset=settings.dataset, widths=(width,) * 3) for width in widths]
    sides = {task.name: engine(task) for task in tasks}
    found = interleave(sides, **settings.timing(tasks[0]))
    weights = np.array([task.n_weights for task in tasks], float)
    seconds = np.array([found[task.name].seconds for task in tasks])
    # relative errors count: a plain fit would only see the widest network
    line = np.polyfit(weights, seconds, 1, w=1 / seconds)
    off = np.abs(np.polyval(line, weights) / seconds - 1).max()
    rows = [
        (task.name, task.n_weights, 1e6 * s, round(1 / s), 1e9 * s / task.n_weights)
        for task, s in zip(tasks, seconds, strict=True)
    ]
    fit = (
        f"Fit: {1e6 * line[1]:.3g} µs + {1e9 * line[0]:.3g} ns x weights; off by {off:.0%} at most."
    )
    columns = ("network", "weights", "µs", "presentations/s", "ns a weight")
    return [Table(title="Width", columns=columns, rows=rows, notes=(fit,))]


def over_durations(settings: Settings) -> list[Table]:
    """Time a presentation over how long it is shown, at the smoothed level."""
    task = settings.task(256)
    durations, dt = (0.1, 1.0, 10.0, 100.0), 0.01
    sides: dict[str, Side] = {}
    for seconds in durations:
        model = replace(task.model, level="smoothed", duration=seconds)
        sides[f"event-driven {seconds}"] = _shown_for(task, model)
        if seconds / dt <= 1000:  # beyond, the matrices of the instants alone take gigabytes
            sides[f"clock-driven {seconds}"] = _shown_for(task, replace(model, dt=dt))
    found = interleave(sides, **settings.timing(task))
    micro = {name: 1e6 * t.seconds for name, t in found.items()}
    rows = [(s, micro[f"event-driven {s}"], micro.get(f"clock-driven {s}", "-")) for s in durations]
    columns = ("duration (s)", "event-driven (µs)", f"clock-driven, dt {dt} s (µs)")
    title = f"Duration of a presentation: {task.name}, smoothed level"
    return [Table(title=title, columns=columns, rows=rows)]


def _shown_for(task: Task, model: Any) -> Side:
    def show(n: int) -> float:
        simulation = task.simulator(model)
        simulation.run(task.stream(n, model.duration))
        return simulation.elapsed

    return show
