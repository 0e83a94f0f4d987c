"""Cost of batched training, against the same in PyTorch; ``python -m benchmarks.batched --help``.

CPU seconds of all threads, and seconds on the clock, for an epoch; measured on a few batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks._batched_engine import Ours
from benchmarks._batched_peer import Torch
from benchmarks._batched_task import BatchedTask, Cost, Gradients
from benchmarks._harness import Table, interleave, report, start
from benchmarks._machine import Quiet
from benchmarks._remote import Remote
from neurosim.checks import SettingError, require

BOTH = ("gaussian/divisive", "backprop/plain")
ALONE = ("gaussian/grouped", "gaussian/plain", "cosine/divisive", "backprop/divisive")
OURS, THEIRS, SLEEPING, FLOOR = "neurosim", "PyTorch", "PyTorch, threads sleep", "products alone"
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}
EXACT = 1e-9  # in float64; what float32 leaves is in the table


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the benchmark is run.

    Parameters
    ----------
    rounds : int
        Interleaved rounds; medians are reported.
    batches : int
        Batches of a side in a round.
    threads : int
        Of every side.
    quick : bool
        A small network and a single short round, to try the script itself; writes no results.
    dataset : str
        What is shown.
    out : Path
        Folder of the results.
    """

    rounds: int = 5
    batches: int = 16
    threads: int = 2
    quick: bool = False
    dataset: str = "mnist"
    out: Path = Path("results/benchmarks")

    def __post_init__(self) -> None:
        for field, least in (("rounds", 1), ("batches", 8), ("threads", 1)):
            value = getattr(self, field)
            require(value >= least, f"Settings.{field}", f"be at least {least}", value)

    @property
    def task(self) -> BatchedTask:
        """What every side does."""
        width = 64 if self.quick else 1024
        return BatchedTask(dataset=self.dataset, widths=(width,) * 3, threads=self.threads)


@contextmanager
def processes(task: BatchedTask) -> Iterator[dict[str, Remote]]:
    """Every library in a process of its own."""
    sides: dict[str, Remote] = {}
    try:
        sides[OURS] = Remote(Ours, task)
        sides[THEIRS] = Remote(Torch, task)
        sides[SLEEPING] = Remote(Torch, task, environment=PASSIVE)
        yield sides
    finally:
        for side in sides.values():
            side.close()


def error(found: Gradients, expected: Gradients) -> float:
    """Largest deviation of a parameter's gradient, relative to its norm."""
    norm = np.linalg.norm
    return max(float(norm(found[n] - expected[n]) / norm(expected[n])) for n in expected)


def errors(sides: dict[str, Remote], row: str) -> dict[str, float]:
    """How far the gradients of both sides are apart, for each precision.

    Raises
    ------
    AssertionError
        If they compute different things.
    """
    found = {}
    for dtype in ("float64", "float32"):
        ours, theirs = (sides[name].call("gradients", row, dtype) for name in (OURS, THEIRS))
        found[dtype] = error(ours, theirs)
    if not found["float64"] < EXACT:
        raise AssertionError(f"{row}: gradients differ by {found['float64']}")
    return found


def measure(settings: Settings, sides: dict[str, Remote]) -> dict[tuple[str, str], Cost]:
    """Seconds an epoch of every row and side, median over rounds."""
    rounds = 1 if settings.quick else settings.rounds
    walls: dict[tuple[str, str], list[float]] = {}

    def show(key: tuple[str, str], remote: Remote, method: str, n: int) -> float:
        cost = Cost(*remote.call(method, key[0], n))
        walls.setdefault(key, []).append(cost.wall / n)
        return cost.cpu

    calls = {}
    for row in BOTH:
        for name, side in sides.items():
            calls[row, name] = partial(show, (row, name), side, "learn")
        calls[row, FLOOR] = partial(show, (row, FLOOR), sides[OURS], "products")
    for row in ALONE:
        calls[row, OURS] = partial(show, (row, OURS), sides[OURS], "learn")
    found = interleave(calls, rounds=rounds, seconds=3600.0, longest=settings.batches)
    epoch = settings.task.batches
    return {
        key: Cost(timing.seconds * epoch, median(walls[key][-rounds:]) * epoch)
        for key, timing in found.items()
    }


def table(settings: Settings, costs: dict[tuple[str, str], Cost], wrong: dict[str, Any]) -> Table:
    """One line for each row of Table 3 and side; ratios are to ours."""
    task, rows = settings.task, []
    for (row, side), cost in costs.items():
        ours = costs[row, OURS]
        ratios = (cost.cpu / ours.cpu, cost.wall / ours.wall)
        apart = wrong.get(row, {}).get("float32", "") if side == THEIRS else ""
        rows.append((row, side, cost.cpu, cost.wall, *ratios, task.tera(row) / cost.cpu, apart))
    columns = ("row", "side", "CPU s", "s", "CPU / ours", "time / ours", "TFLOP / CPU s", "apart")
    sizes = "-".join(map(str, (task.data.n_features, *task.widths, task.data.n_classes)))
    agreement = ", ".join(f"{row} {found['float64']:.0e}" for row, found in wrong.items())
    notes = (
        f"{sizes}, {task.dataset}, batch {task.model(BOTH[0]).batch}, float32, {task.threads} "
        f"threads; seconds an epoch, of all threads and on the clock, from {settings.batches} "
        "batches a round.",
        "Apart: largest relative difference of a parameter's gradient on the first batch, float32; "
        f"in float64 {agreement}.",
        "Products alone: the matrix products with the weights and nothing else. TFLOP: of these.",
        f"PyTorch {version('torch')} is eager and differentiates automatically, a graph "
        "for each layer where learning is local. Threads sleep: OMP_WAIT_POLICY=PASSIVE; by "
        "default they spin between products.",
        "torch.compile needs a C++ compiler on a CPU and is left out.",
    )
    return Table(title="Batched training", columns=columns, rows=rows, notes=notes)


def main(settings: Settings) -> None:
    """Check that both sides do the same, then measure them in turns."""
    if find_spec("torch") is None:
        raise SettingError(
            "The comparison must have PyTorch; got none. Install it: pip install -e '.[bench]'."
        )
    with Quiet() as quiet, processes(settings.task) as sides:
        apart = {row: errors(sides, row) for row in BOTH}
        costs = measure(settings, sides)
    tables = {"a": [table(settings, costs, apart)]}
    report("batched", tables, None if settings.quick else settings.out, quiet.others)


if __name__ == "__main__":
    start(main, Settings, __doc__)
