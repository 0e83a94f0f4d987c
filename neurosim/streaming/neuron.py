"""Settings of the neurons of a streaming layer, besides weights, nonlinearity and groups."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.dynamics import LeakyIntegrator, MemoryTrace, RecurrentNormalization


@dataclass(frozen=True, kw_only=True)
class NeuronDynamics:
    """What changes in a neuron while its input is constant.

    Parameters
    ----------
    leaky : LeakyIntegrator, optional
        tau dh/dt = -h + a before the nonlinearity; None: rates follow the drive at once.
    memory : MemoryTrace, optional
        Learning signals are read from the remembered rate (the memory level) instead of the rate.
    normalization : RecurrentNormalization, optional
        Divisive normalization settles as a circuit; None: it is algebraic.
    measured_background : bool
        Whether the memory's background is the last rate seen at rest (true) or zero (false).
    """

    leaky: LeakyIntegrator | None = None
    memory: MemoryTrace | None = None
    normalization: RecurrentNormalization | None = None
    measured_background: bool = True

    @property
    def sampled(self) -> bool:
        """Whether activity varies within a segment of constant input and must be sampled."""
        return any(part is not None for part in (self.leaky, self.memory, self.normalization))
