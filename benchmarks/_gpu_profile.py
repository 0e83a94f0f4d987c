"""What a GPU is busy with, the two floors below each operation, and sizes of launches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks._gpu_clock import seconds
from benchmarks._gpu_stack import Stack
from benchmarks._gpu_task import Settings, where
from benchmarks._harness import Table, interleave
from benchmarks._task import Task
from neurosim.backend import cupy_or_none
from neurosim.ops.grouping import Grouping
from neurosim.ops.similarity import Gaussian
from neurosim.optimizers import SGD

INNER = 64  # traces of an inner chunk, as `GpuStack` has by default
BATCH = 256
MIB = 2**20


class Operation(NamedTuple):
    """Something to time: what it must move at least, in bytes, and multiply and add."""

    name: str
    work: Callable[[], Any]
    moved: float
    operations: float


def floors(settings: Settings) -> list[Table]:
    """Each operation beside the time its bytes and its multiplications take at least."""
    xp: Any = np if settings.device == "cpu" else cupy_or_none()
    timed = _Timed(settings)
    big = 2**20 if settings.quick else 2**28
    bandwidth = 2 * 4 * big / timed(_copy(xp, big))
    side = 256 if settings.quick else 8192
    rate = 2 * side**3 / timed(_product(xp, (side, side), (side, side)))
    rows = []
    for kind in (_streaming, _batched):
        for name, work, moved, operations in kind(xp, settings):
            least = max(moved / bandwidth, operations / rate)
            bound = "bytes" if moved / bandwidth == least else "operations"
            took = timed(work)
            rows.append(
                (name, moved / MIB, operations / 1e9, 1e6 * least, bound, 1e6 * took, took / least)
            )
    columns = ("operation", "MiB", "GFLOP", "floor (µs)", "by", "µs", "times its floor")
    notes = (
        where(settings),
        f"float32. Measured here: {bandwidth / 1e9:.4g} GB/s (copy of {4 * big // MIB} MiB), "
        f"{rate / 1e12:.4g} TFLOP/s (product of {side} x {side}).",
        f"Streaming: one layer, an inner chunk of {INNER}. Batched: a batch of {BATCH}.",
        "What fits into the caches can be below the floor of its bytes.",
    )
    tables = [Table(title="Floors", columns=columns, rows=rows, notes=notes)]
    return tables + ([_kernels(settings)] if settings.device == "gpu" else [])


class _Timed:
    """Median seconds of something, called again and again between two events."""

    def __init__(self, settings: Settings) -> None:
        self._device, self._rounds = settings.device, 1 if settings.quick else settings.rounds
        self._repeats = 2 if settings.quick else 100

    def __call__(self, work: Callable[[], Any]) -> float:
        def repeated() -> None:
            for _ in range(self._repeats):
                work()

        work()
        rounds = [seconds(self._device, repeated) for _ in range(self._rounds)]
        return float(np.median(rounds)) / self._repeats


def _copy(xp: Any, n: int) -> Callable[[], Any]:
    one, other = xp.zeros(n, np.float32), xp.empty(n, np.float32)
    return lambda: xp.copyto(other, one)


def _product(xp: Any, one: tuple[int, int], other: tuple[int, int]) -> Callable[[], Any]:
    a, b = xp.ones(one, np.float32), xp.ones(other, np.float32)
    out = xp.empty((one[0], other[1]), np.float32)
    return lambda: xp.matmul(a, b, out=out)


def _multiplied(xp: Any, name: str, m: int, k: int, n: int) -> Operation:
    moved, operations = 4 * (m * k + k * n + m * n), 2 * m * k * n
    return Operation(f"{name}: {m} x {k} x {n}", _product(xp, (m, k), (k, n)), moved, operations)


def _streaming(xp: Any, settings: Settings) -> list[Operation]:
    """The products of an inner chunk."""
    n = settings.widths[0]
    return [
        _multiplied(xp, "X W^T", INNER, n, n),
        _multiplied(xp, "X X^T", INNER, n, INNER + 1),
        _multiplied(xp, "C^T X", n, INNER + 1, n),
    ]


def _batched(xp: Any, settings: Settings) -> list[Operation]:
    """What a layer does with a batch."""
    n, groups = settings.widths[0], 32
    rate, gradient = xp.ones((BATCH, n), np.float32), xp.zeros((n, n), np.float32)
    weights, signal = {"w": xp.ones((n, n), np.float32)}, xp.ones((BATCH, groups), np.float32)
    sgd, grouping, similar = SGD(), Grouping(groups=groups), Gaussian()
    state = sgd.start(weights)
    k = similar.evaluate(signal, signal)
    return [
        _multiplied(xp, "drive", BATCH, n, n),
        _multiplied(xp, "gradient", n, BATCH, n),
        Operation("SGD, momentum", lambda: sgd.step(state, weights, {"w": gradient}, 1e-3),
                  4 * 5 * n * n, 4 * n * n),
        Operation("groups", lambda: grouping.evaluate_batch(rate),
                  4 * BATCH * (2 * n + 2 * groups), 6 * BATCH * n),
        Operation("similarity", lambda: similar.evaluate(signal, signal),
                  4 * BATCH * groups + 8 * BATCH**2, 2 * BATCH**2 * groups),
        Operation("its pullback", lambda: similar.pullback(signal, signal, k, k),
                  8 * (2 * BATCH**2 + 4 * BATCH * groups), 4 * BATCH**2 * groups),
    ]  # fmt: skip


def _kernels(settings: Settings) -> Table:
    """Kernels that the device runs while a network streams, as PyTorch's profiler sees them."""
    settings.torch  # noqa: B018 - refused here if it cannot see the GPU
    from torch.profiler import ProfilerActivity, profile

    stack, n = Stack(settings.streaming, 1), 4096
    stack.learn(n)
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        took = stack.learn(n)
    found = sorted(
        (event for event in profiled.key_averages() if event.device_time_total > 0),
        key=lambda event: -event.device_time_total,
    )
    rows = [
        (event.key[:60], event.count, event.device_time_total / event.count,
         event.device_time_total / n, event.device_time_total / (1e6 * took))
        for event in found
    ]  # fmt: skip
    columns = ("kernel", "calls", "µs each", "µs a presentation", "of the time")
    notes = (f"{settings.streaming.name}, {n} presentations in {took:.4g} s; kernels overlap.",)
    return Table(title="Kernels of a stream", columns=columns, rows=rows, notes=notes)


def launches(settings: Settings) -> list[Table]:
    """Presentations a second over the length of inner chunks, and over the threads of a block."""
    task, tables = settings.streaming, []
    inner, threads = (
        ((16, 64), (64, 128)) if settings.quick else ((16, 32, 64, 128, 256), (256, 512, 1024))
    )
    for replicas in (1, settings.replicas):
        tables.append(_over(settings, task, replicas, "inner", inner))
        tables.append(_over(settings, task, replicas, "threads", threads))
    return tables


def _over(
    settings: Settings, task: Task, replicas: int, field: str, values: tuple[int, ...]
) -> Table:
    sides = {str(value): Stack(task, replicas, **{field: value}).learn for value in values}
    found = interleave(sides, **settings.timing(10 * task.longest))
    rows = [(name, 1e6 * t.seconds, round(replicas / t.seconds)) for name, t in found.items()]
    columns = (field, "µs", "presentations/s")
    title = f"{field.capitalize()}: {task.name}, {replicas} at once"
    return Table(title=title, columns=columns, rows=rows, notes=(where(settings),))
