"""The weight change of a layer that is shown a few samples, at any level of fidelity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from neurosim.layers import Dense
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.plasticity import GroupedGaussian, PlasticityRule
from neurosim.streaming.chunked import Engine
from neurosim.streaming.circuit import LayerCircuit
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.plan import Planner
from neurosim.streaming.presentations import Presentations
from neurosim.streaming.third_factor import ThirdFactorCircuit


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A layer, and samples to show to it; small steps, so that changes simply add up."""

    rule: PlasticityRule = GroupedGaussian()
    neurons: NeuronDynamics = NeuronDynamics()
    nonlinearity: str = "softplus"
    sigma: float = 1.2
    beta: float = 0.05
    duration: float = 0.2
    gap: float = 0.0
    positive: bool = False
    labels: tuple[int, ...] = (0, 0, 1, 1)
    eta: float = 1e-3

    @property
    def n(self) -> int:
        return len(self.labels)

    def circuit(self) -> LayerCircuit:
        weights = Dense.draw(12, 5, 3.0, np.random.default_rng(0), "float64")
        layer = Dense(
            np.abs(weights) if self.positive else weights,
            Nonlinearity(name=self.nonlinearity),
            Grouping(groups=3),
        )
        return LayerCircuit(
            layer=layer,
            rule=self.rule,
            third_factor=ThirdFactorCircuit(sigma=self.sigma, beta=self.beta),
            neurons=self.neurons,
            background=np.zeros(5),
        )

    def shown(self) -> Presentations:
        rng = np.random.default_rng(1)
        stimuli = rng.normal(size=(self.n, 5))
        return Presentations(
            np.abs(stimuli) if self.positive else stimuli,
            np.array(self.labels),
            np.full(self.n, self.duration),
            np.full(self.n, self.gap),
        )

    def run(self, timeline):
        """Weight change per unit of learning rate, and what the layer did."""
        circuit, shown = self.circuit(), self.shown()
        planner = Planner(timeline, self.beta, 2)
        plan, _ = planner.plan(planner.start(), shown, np.full(self.n, self.eta))
        rows = np.where(plan.at_rest[None, :, None], 0.0, shown.stimuli[:, None, :]).reshape(-1, 5)
        state = circuit.start((timeline.n_window - 1) * timeline.n_traces)
        state, did = Engine(circuit).present(state, plan, rows, np.arange(12))
        return (state["weights"] - circuit.layer.weights) / self.eta, did


def largest_error(found, expected):
    """Largest difference relative to the largest number."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.fixture(scope="session")
def trial():
    """`Trial`."""
    return Trial


@pytest.fixture(scope="session")
def error():
    """`largest_error`."""
    return largest_error
