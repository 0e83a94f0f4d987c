"""How a streaming network learns, as settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from neurosim.checks import SettingError, require
from neurosim.optimizers import Schedule
from neurosim.plasticity import PlasticityRule
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.third_factor import ThirdFactorCircuit
from neurosim.streaming.timeline import Timeline, TwoPoint


@dataclass(frozen=True, kw_only=True)
class Learning:
    """How a streaming network learns.

    Parameters
    ----------
    rule : PlasticityRule
        Of every layer.
    timeline : Timeline
        Level of fidelity in time: `TwoPoint` or `Continuous`.
    third_factor : ThirdFactorCircuit
    neurons : NeuronDynamics
    schedule : Schedule
        Learning rate of the layers.
    momentum, weight_decay : float
        See `LayerCircuit`.
    readout : Schedule
        Learning rate of the read-out.
    readout_momentum, readout_decay : float
        See `ReadOut`.
    probes : bool
        Train a read-out on every layer as well, to follow what each has learned.
    """

    rule: PlasticityRule
    timeline: Timeline = field(default_factory=TwoPoint)
    third_factor: ThirdFactorCircuit = ThirdFactorCircuit()
    neurons: NeuronDynamics = NeuronDynamics()
    schedule: Schedule = Schedule()
    momentum: float = 0.0
    weight_decay: float = 0.0
    readout: Schedule = Schedule(rate=0.01)
    readout_momentum: float = 0.0
    readout_decay: float = 0.0
    probes: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.timeline, TwoPoint) and self.neurons.sampled:
            raise SettingError(
                "Learning.timeline must be Continuous for neurons with dynamics of their own; got "
                "TwoPoint. Two points have no time in between."
            )
        sampled = getattr(self.timeline, "sampled", False)
        require(
            sampled or not self.neurons.sampled,
            "Continuous.sampled",
            "be true for neurons whose activity varies between events",
            sampled,
        )
