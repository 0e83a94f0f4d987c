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
        """Of the read-out alone."""
        pre = batch.stimuli
        for k, name in enumerate(network.names):
            output = self.respond(network, k, pre, batch).output
            pre, _ = self.passed_on(name, output, batch)
        yield self.read(network.readout, pre, batch).lesson
