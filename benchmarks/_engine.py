"""Our side of a benchmark: the engine, its own forward pass, and its learning as a reference."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks._harness import Side
from benchmarks._task import Task


def engine(task: Task, **settings: Any) -> Side:
    """The streaming engine with read-out; ``settings`` replace the task's (chunk, threads, ...)."""

    def show(n: int) -> float:
        simulation = task.simulator(replace(task.model, **settings))
        simulation.run(task.stream(n))
        return simulation.elapsed

    return show


def forward(task: Task, *, threads: int, chunk: int) -> Side:
    """Batches of ``chunk`` samples through the same network, which does not learn."""
    network = task.network()

    def show(n: int) -> float:
        stream = task.stream(n)
        began = perf_counter()
        with threadpool_limits(threads, user_api="blas"):
            for shown in stream.chunks(0, chunk):
                network.scores(shown.stimuli)
        return perf_counter() - began

    return show


class Judge:
    """Tells whether other weights are those of the reference engine after n presentations.

    Parameters
    ----------
    task : Task
    n : int
    """

    def __init__(self, task: Task, n: int) -> None:
        self.n = n
        simulation = task.simulator(replace(task.model, engine="reference", threads=1))
        simulation.run(task.stream(n))
        self._right = [layer.weights for layer in simulation.network.layers]
        self._initial = [layer.weights for layer in task.network().layers]
        own = task.simulator()
        own.run(task.stream(n))
        self.engine = self.error([layer.weights for layer in own.network.layers])

    def error(self, weights: list[np.ndarray]) -> float:
        """Largest deviation of a layer's weights, relative to how far they moved."""
        norm = np.linalg.norm
        return max(
            float(norm(found - right) / norm(right - initial))
            for found, right, initial in zip(weights, self._right, self._initial, strict=True)
        )
