"""Our side without the host's: chunks that are prepared, shown to a stack again and again."""

from __future__ import annotations

import threading
from collections import deque
from contextvars import copy_context

import numpy as np

from benchmarks._gpu_clock import seconds
from benchmarks._harness import Side
from benchmarks._task import Task
from neurosim.backend import to_device
from neurosim.dynamics.base import State
from neurosim.plasticity import GroupedGaussian
from neurosim.streaming.circuit import LayerCircuit
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.plan import Planner
from neurosim.streaming.readout import ReadOut
from neurosim.streaming.third_factor import ThirdFactorCircuit
from neurosim.streaming.timeline import TwoPoint

AHEAD = 2
"""Chunks that are queued before the first of them is waited for."""


class Stack:
    """Networks on a GPU, each showing the task's stream from another presentation on.

    Parameters
    ----------
    task : Task
    replicas : int
        Networks.
    inner, threads : int
        See `GpuStack`.
    chunk : int
        Presentations of a chunk.
    """

    def __init__(
        self, task: Task, replicas: int, *, inner: int = 64, threads: int = 1024, chunk: int = 1024
    ) -> None:
        from neurosim.streaming.gpu.stack import GpuStack, Shows

        self._chunk = chunk
        self._members = [member(task) for _ in range(replicas)]
        self._stack = GpuStack(self._members, inner=inner, threads=threads)
        shown, eta = task.shown(chunk)
        planner = Planner(TwoPoint(), task.model.beta, task.data.n_classes)
        self._shows = []
        for r in range(replicas):
            turned = shown._replace(
                **{name: np.roll(array, -r, axis=0) for name, array in _arrays(shown).items()}
            )
            plan, _ = planner.plan(planner.start(), turned, eta)
            stimuli = to_device(turned.stimuli, "gpu")
            rates = np.full(chunk, task.model.readout_rate)
            self._shows.append(Shows(plan, stimuli, turned.lessons, rates, None))

    def learn(self, n: int) -> float:
        """Show about n presentations to each network; returns the seconds n of them take."""
        chunks = max(1, n // self._chunk)

        def work() -> None:
            waiting = deque()
            for _ in range(chunks):
                waiting.append(self._stack.present(self._shows))
                if len(waiting) > AHEAD:
                    waiting.popleft().wait()
            while waiting:
                waiting.popleft().wait()

        return seconds("gpu", work) * n / (chunks * self._chunk)

    def weights(self, replica: int = 0) -> list[np.ndarray]:
        """What a network learned."""
        return [to_device(s["weights"], "cpu") for s in self._members[replica].states]


def member(task: Task):
    """The task's network as a stack takes it over."""
    from neurosim.streaming.gpu.stack import Member

    model, network = task.model, task.network().to("cpu")
    circuits = [
        LayerCircuit(
            layer=layer,
            rule=GroupedGaussian(),
            third_factor=ThirdFactorCircuit(sigma=model.sigma, gamma=model.gamma, beta=model.beta),
            neurons=NeuronDynamics(),
            momentum=model.momentum,
            weight_decay=model.weight_decay,
            background=np.zeros(layer.n_pre, network.dtype),
        )
        for layer in network.layers
    ]
    window = (TwoPoint().n_window - 1) * TwoPoint().n_traces
    states = [_sent(c.start(window) | {"weights": c.layer.weights}) for c in circuits]
    readout = ReadOut(
        n_classes=network.n_classes,
        momentum=model.readout_momentum,
        weight_decay=model.readout_decay,
    )
    heads = {"readout": _sent(readout.start(network.n_read, network.dtype))}
    return Member(circuits, states, readout, heads, {"readout": (len(circuits) - 1,)})


def crowd(task: Task, replicas: int) -> Side:
    """Simulators in threads, as an ensemble of `neurosim sweep` has them."""
    from neurosim.streaming.gpu.crowd import Crowd

    def show(n: int) -> float:
        took: list[float] = []

        def simulate(meeting: Crowd) -> None:
            with meeting.place():
                simulation = task.simulator()
                simulation.run(task.stream(n))
                took.append(simulation.elapsed)

        with Crowd(replicas) as meeting:
            threads = [
                threading.Thread(target=copy_context().run, args=(simulate, meeting))
                for _ in range(replicas)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if len(took) < replicas:
            raise AssertionError("a simulator of the crowd failed")
        return max(took)

    return show


def _sent(state: State) -> State:
    return {name: to_device(array, "gpu") for name, array in state.items()}


def _arrays(shown):
    return {name: array for name, array in shown._asdict().items() if array is not None}
