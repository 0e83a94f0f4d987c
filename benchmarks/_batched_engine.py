"""Our side of batched training, and its matrix products alone."""

from __future__ import annotations

import numpy as np

from benchmarks._batched_task import BatchedTask, Cost, Gradients, clocked
from models.pogodin2020_batched import driver
from neurosim import Seeds
from neurosim.batched import Batch
from neurosim.ops.linalg import matmul, sharing


class Ours:
    """Our drivers, each with a network that goes on learning from call to call.

    Parameters
    ----------
    task : BatchedTask
    """

    def __init__(self, task: BatchedTask) -> None:
        self._task, self._learners = task, {}

    def learn(self, row: str, n: int) -> Cost:
        """Learn from n batches, as ``row`` of Table 3 says."""
        task, model = self._task, self._task.model(row)
        if row not in self._learners:
            network, way = task.network(model), driver(model, task.data)
            self._learners[row] = way, network, way.start(network, Seeds(1))
        way, network, state = self._learners[row]

        def step(number: int) -> None:
            shown = Batch(*task.batch(model, number), 0, number, Seeds(2).child(str(number)))
            way.step(network, state, shown)

        with sharing(task.threads):
            return clocked(step, n)

    def products(self, row: str, n: int) -> Cost:
        """Only the matrix products with the weights in n batches."""
        task, model = self._task, self._task.model(row)
        layers = task.network(model).layers
        rng = np.random.default_rng(0)
        activity = [
            rng.standard_normal((model.batch, size), np.float32)
            for size in (task.data.n_features, *task.widths)
        ]

        def step(number: int) -> None:
            for k, layer in enumerate(layers):
                matmul(activity[k], layer.weights.T)
                matmul(activity[k + 1].T, activity[k])
                if k and row.startswith("backprop"):
                    matmul(activity[k + 1], layer.weights)

        with sharing(task.threads):
            return clocked(step, n)

    def gradients(self, row: str, dtype: str) -> Gradients:
        """What the first batch teaches a new network, by name of the parameter; no dropout."""
        task, model = self._task, self._task.model(row, dtype=dtype, dropout=0.0)
        network, way = task.network(model), driver(model, task.data)
        shown = Batch(*task.batch(model, 0), 0, 0, Seeds(2))
        found: Gradients = {}
        for lesson in way.lessons(network, way.start(network, Seeds(1)), shown):
            found |= lesson.gradients
        return found
