"""The task of batched training: one network, one data set, the same batches for every side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np

from benchmarks._task import cached
from models.pogodin2020_batched import TABLE3, Batched, network, table3
from neurosim import Network, Seeds
from neurosim.data import Dataset

Gradients = dict[str, np.ndarray]


class Cost(NamedTuple):
    """What a number of batches cost, in seconds: of all threads together, and on the clock."""

    cpu: float
    wall: float


@dataclass(frozen=True, kw_only=True)
class BatchedTask:
    """Rows of Table 3, with their published settings.

    Parameters
    ----------
    dataset : str
        See `neurosim.data.load`.
    widths : tuple of int
        Neurons of each layer.
    threads : int
        Of every side.
    """

    dataset: str = "mnist"
    widths: tuple[int, ...] = (1024, 1024, 1024)
    threads: int = 2

    @property
    def data(self) -> Dataset:
        """The data set, loaded once a process."""
        return cached(self.dataset)

    def model(self, row: str, **changed: object) -> Batched:
        """Settings of ``row``, such as ``gaussian/divisive``."""
        published = table3(self.dataset if self.dataset in TABLE3 else "mnist", row)
        return replace(published, widths=self.widths, threads=self.threads, **changed)

    def network(self, model: Batched) -> Network:
        """The network before training."""
        return network(model, self.data, Seeds(0))

    def batch(self, model: Batched, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Stimuli and labels of a batch, drawn from the whole training set."""
        rng = np.random.default_rng(number)
        chosen = rng.choice(len(self.data.y_train), model.batch, replace=False, shuffle=False)
        return self.data.x_train[chosen].astype(model.dtype), self.data.y_train[chosen]

    @property
    def batches(self) -> float:
        """Batches in an epoch, the last one in part."""
        return len(self.data.y_train) / self.model("backprop/plain").batch

    def tera(self, row: str) -> float:
        """Floating point operations an epoch, in 10^12, of the products with the weights.

        Forward, and for the gradient at every weight; backprop also passes the error through all
        but the first layer.
        """
        sizes = (self.data.n_features, *self.widths, self.data.n_classes)
        pairs = [a * b for a, b in pairwise(sizes)]
        passes = 2 * sum(pairs) + (sum(pairs[1:]) if row.startswith("backprop") else 0)
        return 2e-12 * passes * len(self.data.y_train)


def clocked(step: Callable[[int], None], n: int) -> Cost:
    """Cost of steps 0 to n - 1."""
    cpu, wall = process_time(), perf_counter()
    for number in range(n):
        step(number)
    return Cost(process_time() - cpu, perf_counter() - wall)
