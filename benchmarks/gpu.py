"""Speed on a GPU, beside PyTorch on the same one; ``python -m benchmarks.gpu --help``.

Sections: a one network that streams, b an ensemble, c batches, d floors and kernels, e sizes of
launches. Results of sections that are not run are kept.
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

from benchmarks._engine import Judge
from benchmarks._gpu_batched import TorchOnDevice, ours
from benchmarks._gpu_peer import UNROLLED, TorchStream
from benchmarks._gpu_profile import floors, launches
from benchmarks._gpu_stack import Stack, crowd
from benchmarks._gpu_task import Settings, where
from benchmarks._harness import Side, Table, Timing, interleave, report, start
from benchmarks._machine import Quiet
from benchmarks._task import Task
from benchmarks.batched import BOTH, EXACT, error
from neurosim.backend import to_device
from neurosim.streaming.way import TRACES

TOLERANCE = 1e-2  # float32, relative to the change: a rectifier at its kink may fall either way


class Simulated:
    """A simulator that goes on from call to call.

    Parameters
    ----------
    task : Task
    """

    def __init__(self, task: Task) -> None:
        self._task, self._simulator = task, task.simulator()

    def learn(self, n: int) -> float:
        """Show about n presentations; returns the seconds n of them take, compiling left out."""
        chunk = TRACES[self._task.device]
        shown = n // chunk * chunk or n  # no shorter chunk at the end
        longest = self._task.longest // chunk * chunk
        began = self._simulator.elapsed
        for first in range(0, shown, longest):
            self._simulator.run(self._task.stream(min(shown - first, longest)))
        return (self._simulator.elapsed - began) * n / shown

    def weights(self) -> list[np.ndarray]:
        """What was learned so far."""
        return [to_device(layer.weights, "cpu") for layer in self._simulator.network.layers]


def single(settings: Settings) -> list[Table]:
    """One network: the simulator, its stack alone, and PyTorch's loops over samples."""
    task, torch = settings.streaming, settings.torch
    judge, errors = Judge(_on_cpu(task), 20 if settings.quick else 200), {}
    learners = {"neurosim": Simulated(task), "PyTorch, eager": _peer(task, 1, torch, graph=False)}
    if torch == "cuda":
        learners["PyTorch, CUDA graph"] = _peer(task, 1, torch, graph=True)
    for name, learner in learners.items():
        learner.learn(judge.n)
        errors[name] = judge.error(learner.weights())
    _require_right(errors)
    sides: dict[str, Side] = {name: learner.learn for name, learner in learners.items()}
    if settings.device == "gpu":
        sides["neurosim, chunks prepared"] = Stack(task, 1).learn
    found = interleave(sides, **settings.timing(10 * task.longest))
    notes = (
        f"{task.name}, grouped two-point rule, float32, {task.dataset}; weights are those of the "
        f"reference engine after {judge.n} presentations (error relative to their change).",
        "Ours trains the read-out and watches health as well; the loops do not.",
    )
    return [_streams(settings, f"One network: {task.name}", found, 1, errors, notes)]


def ensemble(settings: Settings) -> list[Table]:
    """Many networks at once, each with its own stream."""
    task, replicas = settings.streaming, 4 if settings.quick else settings.replicas
    peers = {
        "PyTorch, eager": _peer(task, replicas, settings.torch, graph=False),
        "PyTorch, CUDA graph": _peer(task, replicas, settings.torch, graph=True),
    }
    judge, errors = Judge(_on_cpu(task), 20 if settings.quick else 200), {}
    for name, peer in peers.items():
        peer.learn(judge.n)
        errors[name] = judge.error(peer.weights())
    _require_right(errors)
    sides: dict[str, Side] = {
        "neurosim, chunks prepared": Stack(task, replicas).learn,
        "neurosim, simulators in threads": crowd(task, replicas),
    }
    sides |= {name: peer.learn for name, peer in peers.items()}
    found = interleave(sides, **settings.timing(task.longest))
    title = f"Ensemble of {replicas}: {task.name}"
    notes = (f"{task.dataset}; every network shows another part of the stream.",)
    return [_streams(settings, title, found, replicas, errors, notes)]


def batches(settings: Settings) -> list[Table]:
    """An epoch of batched training, pHSIC layer by layer and backprop."""
    task, torch = settings.batched, settings.torch
    eager, rows = TorchOnDevice(task, torch, graph=False), []
    samples = len(task.data.y_train)
    for row in BOTH:
        right = eager.gradients(row, "float64")
        apart = error(_gradients(settings, row), right)
        if not apart < EXACT:
            raise AssertionError(f"{row}: gradients differ by {apart}")
        sides: dict[str, Side] = {
            "neurosim": ours(task, row, settings.device),
            "PyTorch, eager": eager.epoch(row),
        }
        if torch == "cuda":
            graph = TorchOnDevice(task, torch, graph=True)
            sides["PyTorch, CUDA graph"] = graph.epoch(row)
        whole = {"seconds": 3600.0}  # an epoch: its batches are not all of one size
        found = interleave(sides, **settings.timing(samples) | whole)
        least = found["neurosim"].seconds
        rows += [
            (row, name, t.seconds * samples, t.seconds / least, t.spread)
            for name, t in found.items()
        ]
    columns = ("row", "side", "s an epoch", "time / ours", "spread")
    notes = (
        where(settings),
        f"{task.dataset}, {samples} samples in batches of {task.model(BOTH[0]).batch}, "
        f"layers of {task.widths}, float32; gradients of the first batch agree in float64.",
        _torch_note(),
    )
    return [Table(title="Batched training", columns=columns, rows=rows, notes=notes)]


def _gradients(settings: Settings, row: str) -> dict[str, np.ndarray]:
    """What our side's first batch teaches a new network, where the benchmark is."""
    from models.pogodin2020_batched import driver
    from neurosim import Seeds
    from neurosim.batched import Batch

    task, device = settings.batched, settings.device
    model = task.model(row, dtype="float64", dropout=0.0)
    network, way = task.network(model).to(device), driver(model, task.data)
    shown = (to_device(array, device) for array in task.batch(model, 0))
    found: dict[str, np.ndarray] = {}
    for lesson in way.lessons(network, way.start(network, Seeds(1)), Batch(*shown, 0, 0, Seeds(2))):
        found |= {name: to_device(a, "cpu") for name, a in lesson.gradients.items()}
    return found


def _peer(task: Task, replicas: int, device: str, *, graph: bool) -> TorchStream:
    return TorchStream(task, replicas, device, graph=graph)


def _on_cpu(task: Task) -> Task:
    return Task(dataset=task.dataset, widths=task.widths)


def _require_right(errors: dict[str, float]) -> None:
    wrong = {name: found for name, found in errors.items() if not found < TOLERANCE}
    if wrong:
        raise AssertionError(f"these compute something else (relative errors): {wrong}")


def _streams(
    settings: Settings, title: str, found: dict[str, Timing], replicas: int,
    errors: dict[str, float], notes: tuple[str, ...],
) -> Table:  # fmt: skip
    """Presentations a second, all networks taken together."""
    least = next(iter(found.values())).seconds
    rows = [
        (name, 1e6 * t.seconds / replicas, round(replicas / t.seconds), t.seconds / least, t.spread,
         f"{errors[name]:.1e}" if name in errors else "")
        for name, t in found.items()
    ]  # fmt: skip
    columns = ("side", "µs", "presentations/s", "time / first", "spread", "error")
    return Table(
        title=title, columns=columns, rows=rows, notes=(where(settings), *notes, _torch_note())
    )


def _torch_note() -> str:
    return (
        f"PyTorch {version('torch')}, products of full float32; in a graph of streaming "
        f"{UNROLLED} samples, of batches a whole one with its optimizer."
    )


SECTIONS = {"a": single, "b": ensemble, "c": batches, "d": floors, "e": launches}


def main(settings: Settings) -> None:
    """Run the chosen sections; each is reported as soon as it is done."""
    for letter in settings.letters:
        with Quiet() as quiet:
            tables = SECTIONS[letter](settings)
        out = None if settings.quick else settings.out
        report("gpu", {letter: tables}, out, quiet.others)


if __name__ == "__main__":
    start(main, Settings, __doc__)
