"""The task every side of a benchmark works on: one network, one stream, one learning rule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from models.pogodin2020 import Streaming, simulator
from neurosim import DatasetStream, Network, Seeds, Simulator
from neurosim.data import Dataset, load
from neurosim.data.synthetic import Clusters
from neurosim.optimizers import Schedule
from neurosim.streaming.presentations import Presentations

SYNTHETIC = Clusters(n_classes=10, n_features=784, n_train=60_000, n_test=10)
"""As much as MNIST, for machines that do not have it."""


@lru_cache(maxsize=1)
def cached(name: str) -> Dataset:
    """A data set, loaded once a process: one of `load`, or ``synthetic``."""
    return SYNTHETIC.generate(Seeds(0)) if name == "synthetic" else load(name)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A stream of a data set, shown to a network that learns by the grouped two-point rule.

    Parameters
    ----------
    dataset : str
        See `neurosim.data.load`.
    widths : tuple of int
        Neurons of each layer; the read-out comes on top.
    device : {"cpu", "gpu"}
        Where our side computes.
    """

    dataset: str = "mnist"
    widths: tuple[int, ...] = (1024, 1024, 1024)
    device: str = "cpu"

    @property
    def data(self) -> Dataset:
        """The data set, loaded once a process."""
        return cached(self.dataset)

    @property
    def model(self) -> Streaming:
        """Settings of the network; only the read-out that is asked for is trained."""
        return Streaming(widths=self.widths, probes=False)

    @property
    def name(self) -> str:
        """Sizes of all layers, such as ``784-256-256-256-10``."""
        return "-".join(map(str, (self.data.n_features, *self.widths, self.data.n_classes)))

    @property
    def n_weights(self) -> int:
        """Synapses of all layers without the read-out."""
        sizes = (self.data.n_features, *self.widths)
        return sum(pre * post for pre, post in zip(sizes, self.widths, strict=False))

    @property
    def longest(self) -> int:
        """Presentations a measurement can have."""
        return len(self.data.y_train)

    def stream(self, n: int, duration: float = 0.2) -> DatasetStream:
        """The first n presentations, each shown for ``duration`` seconds."""
        data = self.data
        return DatasetStream(
            data.x_train[:n],
            data.y_train[:n],
            epochs=1,
            rng=Seeds(0).generator("stream"),
            same_class=self.model.same_class,
            duration=duration,
        )

    def shown(self, n: int) -> tuple[Presentations, np.ndarray]:
        """The first n presentations as arrays, and their learning rates."""
        schedule = Schedule(rate=self.model.rate, final=self.model.final)
        return next(self.stream(n).chunks(0, n)), schedule.rates(np.arange(n) / n)

    def simulator(self, model: Streaming | None = None) -> Simulator:
        """A simulator that has seen nothing yet."""
        return simulator(model or self.model, self.data, Seeds(0), self.device)

    def network(self) -> Network:
        """The network with its initial weights."""
        return simulator(self.model, self.data, Seeds(0)).network
