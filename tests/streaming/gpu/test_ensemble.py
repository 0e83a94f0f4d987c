"""Replicas of a layer at once: each does what it does alone, and only what fits goes together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import pytest

from neurosim.checks import SettingError
from neurosim.dynamics import RecurrentNormalization, SmoothedDerivative
from neurosim.layers import Dense
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.plasticity import BCM, Factors, GroupedGaussian, Hebb, PlasticityRule
from neurosim.streaming.chunked import Engine
from neurosim.streaming.circuit import LayerCircuit
from neurosim.streaming.continuous import Continuous
from neurosim.streaming.gpu import GpuEngine, GpuEnsemble
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.plan import Planner
from neurosim.streaming.presentations import Presentations
from neurosim.streaming.third_factor import ThirdFactorCircuit
from neurosim.streaming.timeline import TwoPoint

N_PRE, N_POST, LENGTH, REPLICAS = 4, 9, 4, 3


@dataclass(frozen=True, kw_only=True)
class Sliding(PlasticityRule):
    """The third factor on top of BCM, with numbers of its own."""

    compares: ClassVar[Literal["rate", "group", "nothing"]] = "group"
    averages: float = 5.0
    strength: float = 0.3

    def constants(self, layer):
        return (self.strength,)

    @staticmethod
    def factors(local, third, constants):
        slid = third.weight * local.rate * (local.rate - local.mean_square)
        return Factors(third.signal * local.normalized + constants[0] * slid, 0.0 * local.rate)


def circuit(k: int) -> LayerCircuit:
    """The k-th of circuits that differ in every number."""
    weights = Dense.draw(N_POST, N_PRE, 2.0, np.random.default_rng(k), "float64")
    grouping = Grouping(groups=3, p=0.2 + 0.1 * k, delta=1.0 + k)
    return LayerCircuit(
        layer=Dense(weights, Nonlinearity(slope=0.1 * (k + 1)), grouping),
        rule=Sliding(averages=3.0 + k, strength=0.1 * (k + 1)),
        third_factor=ThirdFactorCircuit(sigma=1.0 + k, gamma=2.0 - 0.5 * k, beta=0.05 * (k + 1)),
        momentum=0.3 + 0.1 * k,
        weight_decay=0.1 * (k + 1),
        background=np.full(N_PRE, 0.1 * k),
    )


def stream(k: int, timeline, part: int) -> tuple[Presentations, np.ndarray]:
    """Presentations of the k-th replica's own, and its rates."""
    rng = np.random.default_rng([k, part])
    gaps = np.zeros(LENGTH)
    if not isinstance(timeline, TwoPoint):
        gaps = rng.choice([0.0, 0.05, 2.0], LENGTH)
    shown = Presentations(
        rng.normal(size=(LENGTH, N_PRE)), rng.integers(0, 3, LENGTH), np.full(LENGTH, 0.1), gaps
    )
    return shown, np.full(LENGTH, 0.2 * (k + 1))


SMOOTHED = Continuous(
    derivative=SmoothedDerivative(c1=0.03, c2=300.0), duration=0.1, gaps=True, nodes=1
)


@pytest.mark.parametrize("timeline", [TwoPoint(remembered=2), SMOOTHED], ids=["two", "smoothed"])
def test_each_replica_does_what_it_does_alone(device, timeline):
    circuits = [circuit(k) for k in range(REPLICAS)]
    planners = [Planner(timeline, c.third_factor.beta, 3) for c in circuits]
    before = [planner.start() for planner in planners]
    window = (timeline.n_window - 1) * timeline.n_traces
    alone = [c.start(window) for c in circuits]
    together = {name: device.put(np.stack([s[name] for s in alone])) for name in alone[0]}
    ensemble, chosen = GpuEnsemble(circuits, threads=4), np.array([2, 8])
    for part in range(2):
        plans, inputs = [], []
        for k, c in enumerate(circuits):
            shown, eta = stream(k, timeline, part)
            plan, before[k] = planners[k].plan(before[k], shown, eta)
            rows = np.where(plan.at_rest[:, None], c.background, shown.stimuli[:, None, :])
            plans.append(plan)
            inputs.append(rows.reshape(-1, N_PRE))
        together, shown = ensemble.present(together, plans, device.put(np.stack(inputs)), chosen)
        found = device.fetch(shown)
        for k, c in enumerate(circuits):
            state, expected = Engine(c).present(alone[k], plans[k], inputs[k], chosen)
            alone[k] = {name: array.copy() for name, array in state.items()}
            for name, array in expected._asdict().items():
                np.testing.assert_allclose(
                    getattr(found, name)[k], array, rtol=0, atol=1e-10, err_msg=name
                )
    for k, (c, state) in enumerate(zip(circuits, alone, strict=True)):
        assert np.abs(state["weights"] - c.layer.weights).max() > 1e-2
        for name, array in device.fetch(together).items():
            np.testing.assert_allclose(array[k], state[name], rtol=0, atol=1e-10, err_msg=name)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(circuit(1), rule=BCM()), "agree in rule; got Sliding and BCM"),
        (replace(circuit(1), momentum=0.0), "agree in whether there is momentum"),
        (replace(circuit(1), rule=Sliding(averages=0.0)), "agree in whether there are averages"),
        (
            replace(circuit(1), layer=replace(circuit(1).layer, grouping=None)),
            r"agree in groups; got \(3, True\) and \(0, False\)",
        ),
        (
            replace(circuit(1), layer=replace(circuit(1).layer, weights=np.zeros((6, N_PRE)))),
            r"agree in shape of the weights; got \(9, 4\) and \(6, 4\)",
        ),
    ],
)
def test_circuits_that_compute_different_things_are_refused(other, said):
    with pytest.raises(SettingError, match=said):
        GpuEnsemble([circuit(0), other])


def test_recurrent_normalization_is_refused():
    pool = RecurrentNormalization(group_size=3)
    one = replace(circuit(0), neurons=NeuronDynamics(normalization=pool))
    with pytest.raises(SettingError, match=r"be algebraic; got Recurrent.* on the CPU\."):
        GpuEngine(one)


@pytest.mark.parametrize("threads", [0, 3, 2048])
def test_threads_are_a_power_of_two(threads):
    with pytest.raises(SettingError, match=rf"power of two in \[1, 1024\]; got {threads}"):
        GpuEngine(circuit(0), threads=threads)


def test_no_circuits_are_refused():
    with pytest.raises(SettingError, match="one or more; got 0"):
        GpuEnsemble([])


def test_plans_that_do_not_fit_together_are_refused(device):
    circuits = [circuit(0), circuit(1)]
    plans = []
    for k in range(2):
        planner = Planner(TwoPoint(remembered=k + 1), 0.1, 3)
        plans.append(planner.plan(planner.start(), *stream(k, TwoPoint(), 0))[0])
    state = {name: np.stack([array] * 2) for name, array in circuits[0].start(1).items()}
    inputs, none = device.put(np.zeros((2, LENGTH, N_PRE))), np.zeros(0, np.int64)
    with pytest.raises(SettingError, match="plans must have as many presentations"):
        GpuEnsemble(circuits).present(device.put(state), plans, inputs, none)
    with pytest.raises(SettingError, match="plans must be 2; got 1"):
        GpuEnsemble(circuits).present(device.put(state), plans[:1], inputs, none)


@pytest.mark.parametrize("rule", [GroupedGaussian(), Hebb()])
def test_arrays_that_are_not_on_the_gpu_are_refused(monkeypatch, rule):
    monkeypatch.setattr("numba.cuda.config.ENABLE_CUDASIM", 0)
    one = replace(circuit(0), rule=rule)
    planner = Planner(TwoPoint(), 0.1, 3)
    shown, eta = stream(0, TwoPoint(), 0)
    plan, _ = planner.plan(planner.start(), shown, eta)
    with pytest.raises(SettingError, match=r"be on the GPU; got 'numpy arrays'. Move state"):
        GpuEngine(one).present(one.start(1), plan, shown.stimuli, np.zeros(0, np.int64))
