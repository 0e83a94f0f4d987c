"""The baseline of untrained layers: only the read-out learns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from neurosim.batched.driver import Batch, Driver, Lesson, State
from neurosim.checks import require
from neurosim.network import Network
from neurosim.seeds import Seeds


@dataclass(frozen=True, kw_only=True)
class ReadOutOnly(Driver):
    """Layers stay as they were drawn.

    Source
    ------
    Pogodin & Latham 2020, table 4 ("last layer").
    """

    def __post_init__(self) -> None:
        require(self.layers is None, "ReadOutOnly.layers", "be None: they do not learn", "Learner")

    @property
    def smallest_batch(self) -> int:
        """One sample is enough."""
        return 1

    def own(self, network: Network, seeds: Seeds) -> tuple[State, State]:
        """Nothing."""
        return {}, {}

    def lessons(self, network: Network, state: State, batch: Batch) -> Iterator[Lesson]:
        """Of the read-out alone; layers at most go on averaging, for batch norm."""
        pre = batch.stimuli
        for k, name in enumerate(network.names):
            activity = self.respond(network, k, pre, batch)
            averages = network.named(k, network.layers[k].averages(activity))
            yield Lesson(name, None, {}, averages)
            pre, _ = self.passed_on(name, activity.output, batch)
        yield self.read(network.readout, pre, batch).lesson
