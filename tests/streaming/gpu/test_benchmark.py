"""What the benchmark shows to a stack is what the reference sees."""

import functools
from dataclasses import dataclass, replace

from benchmarks._engine import Judge
from benchmarks._gpu_stack import Stack, crowd
from benchmarks._task import Task
from neurosim.streaming.gpu import meeting


@dataclass(frozen=True, kw_only=True)
class Small(Task):
    """A network small enough for the simulator."""

    widths: tuple[int, ...] = (6, 4)

    @property
    def model(self):
        return replace(super().model, groups=2, dtype="float64", chunk=3)


def test_a_stack_learns_what_the_reference_does(device):
    judge = Judge(Small(dataset="clusters"), 5)
    stack = Stack(Small(dataset="clusters"), 2, inner=2, threads=2, chunk=5)
    assert stack.learn(5) > 0
    assert judge.error(stack.weights(0)) < 1e-9
    assert judge.error(stack.weights(1)) > 0.1  # begins at the next presentation


def test_simulators_in_threads_learn(device, monkeypatch):
    small = functools.partial(meeting.GpuStack, threads=2)  # others are slow in the simulator
    monkeypatch.setattr(meeting, "GpuStack", small)
    assert crowd(Small(dataset="clusters", widths=(4,), device="gpu"), 2)(3) > 0
