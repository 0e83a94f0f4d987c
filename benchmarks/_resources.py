"""What recording costs, and how much memory a run takes."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks._engine import engine
from benchmarks._harness import Side, Table, interleave
from benchmarks._remote import Remote
from benchmarks._speed import Settings
from benchmarks._task import Task
from models.pogodin2020 import Streaming, simulator
from neurosim import DatasetStream, Recorder, RecordSettings, Seeds
from neurosim.data import Dataset


def recording(settings: Settings) -> list[Table]:
    """Speed with synapses recorded at every presentation, against speed without."""
    return [_recording(settings, settings.task(width)) for width in (1024, 256)]


def _recording(settings: Settings, task: Task) -> Table:
    # what is common to all comes first: the file by itself, then events and scalars
    choices = {"nothing": RecordSettings()} | {
        name: RecordSettings(every=1, neurons=neurons, synapses=synapses, budget=1e10)
        for name, neurons, synapses in (
            ("events and scalars", 0, 0),
            ("the same, 8 neurons a layer", 8, 0),
            ("the same, 1000 synapses in all", 0, -(-1000 // len(task.widths))),
            ("the same, 1000 synapses a layer", 0, 1000),
        )
    }
    with tempfile.TemporaryDirectory() as folder:
        sides = {"no recorder": engine(task)}
        for number, (name, choice) in enumerate(choices.items()):
            sides[name] = _recorded(task, choice, Path(folder) / f"{number}.h5")
        found = interleave(sides, **settings.timing(task))
    bare = found["no recorder"].seconds
    rows = [(n, 1e6 * t.seconds, t.seconds / bare - 1, t.spread) for n, t in found.items()]
    columns = ("recorded at every presentation", "µs", "cost", "spread")
    notes = (
        "Until every row is written, and readers can see it; without checkpoints, which the disk "
        "takes its time for, and without the compressed copy that ends a run.",
    )
    return Table(title=f"Recording: {task.name}", columns=columns, rows=rows, notes=notes)


def _recorded(task: Task, record: RecordSettings, path: Path) -> Side:
    def show(n: int) -> float:
        simulation = task.simulator()
        with Recorder.create(
            path, protocol="benchmark", settings={}, seed=0, record=record, overwrite=True
        ) as recorder:
            simulation.run(task.stream(n), recorder=recorder)
        return simulation.elapsed  # writing included

    return show


class Memory:
    """Peak memory of a run, measured in a process that does nothing else."""

    def peak(self, model: Streaming, length: int) -> tuple[float, float]:
        """Bytes before the network is made, and at most during a stream of this length."""
        rng, n_samples = np.random.default_rng(0), 1000
        x = rng.standard_normal((n_samples, 784)).astype(np.float32)
        y = np.arange(n_samples) % 10
        data = Dataset(
            name="noise", x_train=x, y_train=y, x_test=x[:10], y_test=y[:10], n_classes=10,
            shape=(784,),
        )  # fmt: skip
        before = _memory("VmRSS")
        stream = DatasetStream(
            x, y, epochs=length // n_samples, rng=rng, same_class=model.same_class
        )
        simulator(model, data, Seeds(0)).run(stream)
        return before, _memory("VmHWM")


def _memory(name: str) -> float:
    """Bytes of this process now (VmRSS) or at most (VmHWM); Linux only.

    Not ``getrusage``: its maximum begins with that of the process this one was started from.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def memory(settings: Settings) -> list[Table]:
    """Peak memory over the length of the stream, against twice the weights and 200 MB."""
    lengths = (1000, 2000) if settings.quick else (1000, 10_000, 100_000)
    widths = (64,) if settings.quick else (256, 1024, 4096)
    rows = []
    for width in widths:
        model = replace(Task(widths=(width,) * 3).model)
        weights = 4.0 * (784 * width + 2 * width * width + 10 * width)
        shown = tuple(n for n in lengths if n * width <= 1024 * 100_000)
        for length in shown:  # a process each: what one leaves behind is not the next one's
            process = Remote(Memory)
            before, peak = process.call("peak", model, length)
            process.close()
            bound = 2 * weights + 200e6
            used = peak - before
            rows.append((f"784-{width}x3-10", length, weights / 1e6, peak / 1e6, used / 1e6,
                         used / bound))  # fmt: skip
    columns = (
        "network", "presentations", "weights (MB)", "peak (MB)", "above libraries and data (MB)",
        "share of 2 x weights + 200 MB",
    )  # fmt: skip
    return [Table(title="Peak memory", columns=columns, rows=rows)]
