"""Layer-wise training: every layer minimises its own objective; nothing flows between layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from neurosim.batched.driver import Batch, Driver, Lesson, State
from neurosim.checks import require
from neurosim.network import Network
from neurosim.objectives import Objective
from neurosim.seeds import Seeds


@dataclass(frozen=True, kw_only=True)
class LayerWise(Driver):
    """Each layer learns during the forward pass, by its own objective and optimizer state.

    The objective sees the layer's activity before dropout; the next layer sees what the weights
    from before the step gave. The read-out learns from the last output, after all layers.

    Parameters
    ----------
    objective : Objective
        Of every layer.
    readout, layers, dropout
        See `Driver`.

    Source
    ------
    Pogodin & Latham 2020, section 4 and appendix D.4.
    """

    objective: Objective

    def __post_init__(self) -> None:
        require(self.layers is not None, "LayerWise.layers", "be given", self.layers)

    @property
    def smallest_batch(self) -> int:
        """What the objective needs."""
        return self.objective.smallest_batch

    def own(self, network: Network, seeds: Seeds) -> tuple[State, State]:
        """Parameters of the objectives, ``layer1/objective/...``: learned."""
        learned: State = {}
        for name, layer in zip(network.names, network.layers, strict=True):
            found = self.objective.init(layer, network.n_classes, seeds.child(f"{name}/objective"))
            learned |= {f"{name}/objective/{key}": array for key, array in found.items()}
        return learned, {}

    def lessons(self, network: Network, state: State, batch: Batch) -> Iterator[Lesson]:
        """One layer after the other, then the read-out."""
        pre = batch.stimuli
        for k, name in enumerate(network.names):
            own = f"{name}/objective/"
            parameters = {
                key.removeprefix(own): array
                for key, array in state.items()
                if key.startswith(own) and "." not in key  # not the optimizer's
            }
            activity = self.respond(network, k, pre, batch)
            found = self.objective.evaluate(parameters, activity, batch.labels)
            lesson, _ = self.lesson(network, k, activity, loss=found.value, d_rate=found.d_rate)
            lesson.gradients.update({own + key: g for key, g in found.d_parameters.items()})
            yield lesson
            pre, _ = self.passed_on(name, activity.output, batch)
        yield self.read(network.readout, pre, batch).lesson
