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
from neurosim.plasticity import BCM, Factors, GroupedGaussian, Hebb, PlainGaussian, PlasticityRule
from neurosim.streaming.circuit import LayerCircuit
from neurosim.streaming.continuous import Continuous
from neurosim.streaming.gpu import GpuEngine, GpuEnsemble
from neurosim.streaming.gpu.form import Form
from neurosim.streaming.gpu.kernel import build
from neurosim.streaming.gpu.threads import share_out
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.plan import Planner
from neurosim.streaming.presentations import Presentations
from neurosim.streaming.third_factor import ThirdFactorCircuit
from neurosim.streaming.timeline import TwoPoint

N_PRE, N_POST, LENGTH, REPLICAS = 4, 9, 5, 3


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


def stream(k: int, timeline, length: int = LENGTH) -> tuple[Presentations, np.ndarray]:
    """Presentations of the k-th replica's own, and its rates."""
    rng = np.random.default_rng(k)
    gaps = np.zeros(length)
    if not isinstance(timeline, TwoPoint):
        gaps = rng.choice([0.0, 0.05, 2.0], length)
    shown = Presentations(
        rng.normal(size=(length, N_PRE)), rng.integers(0, 3, length), np.full(length, 0.1), gaps
    )
    return shown, np.full(length, 0.2 * (k + 1))


SMOOTHED = Continuous(
    derivative=SmoothedDerivative(c1=0.03, c2=300.0), duration=0.1, gaps=True, nodes=1
)


@pytest.mark.parametrize("timeline", [TwoPoint(remembered=2), SMOOTHED], ids=["two", "smoothed"])
def test_each_replica_does_what_it_does_alone(show, device, timeline):
    circuits = [circuit(k) for k in range(REPLICAS)]
    streams = [stream(k, timeline) for k in range(REPLICAS)]
    planners = [Planner(timeline, c.third_factor.beta, 3) for c in circuits]
    before = [planner.start() for planner in planners]
    window = (timeline.n_window - 1) * timeline.n_traces
    starts = [c.start(window) for c in circuits]
    state = {name: device.put(np.stack([s[name] for s in starts])) for name in starts[0]}
    ensemble, chosen, parts = GpuEnsemble(circuits, threads=4), np.array([2, 8]), []
    for cut in (slice(0, 3), slice(3, LENGTH)):
        plans, inputs = [], []
        for k, (shown, eta) in enumerate(streams):
            some = Presentations(*(None if a is None else a[cut] for a in shown))
            plan, before[k] = planners[k].plan(before[k], some, eta[cut])
            rest, stimuli = circuits[k].background, some.stimuli[:, None, :]
            plans.append(plan)
            inputs.append(np.where(plan.at_rest[:, None], rest, stimuli).reshape(-1, N_PRE))
        state, did = ensemble.present(state, plans, device.put(np.stack(inputs)), chosen)
        parts.append(device.fetch(did))
    found = device.fetch(state)
    for k, (c, (shown, eta)) in enumerate(zip(circuits, streams, strict=True)):
        expected, record = show(c, timeline, shown, eta, chosen=chosen)
        assert np.abs(expected["weights"] - c.layer.weights).max() > 1e-2
        pairs = {name: (found[name][k], array) for name, array in expected.items()}
        for name in ("output", "drive", "normalized", "variance", "third", "post", "decay"):
            whole = np.concatenate([getattr(part, name)[k] for part in parts])
            pairs[f"record {name}"] = whole, getattr(record, name)
        for name, (one, other) in pairs.items():
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-10, err_msg=name)


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


def test_more_instants_than_fit_into_shared_memory_are_refused():
    form = Form(
        rule=PlainGaussian, dtype="float64", grouped=False, divisive=False, code=0, compares=0,
        leaky=False, memory=False, measured=False, averages=False, momentum=False, decays=False,
        records=False, samples=1, window=2, instants=96, threads=share_out(1024, 0, 1024),
    )  # fmt: skip
    with pytest.raises(SettingError, match=r"at most 95 instants a presentation .*; got 96"):
        build(form)
    assert build(form._replace(instants=95)) is not None


def test_no_circuits_are_refused():
    with pytest.raises(SettingError, match="one or more; got 0"):
        GpuEnsemble([])


def test_plans_that_do_not_fit_together_are_refused(device):
    circuits = [circuit(0), circuit(1)]
    plans = []
    for k in range(2):
        planner = Planner(TwoPoint(remembered=k + 1), 0.1, 3)
        plans.append(planner.plan(planner.start(), *stream(k, TwoPoint()))[0])
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
    shown, eta = stream(0, TwoPoint())
    plan, _ = planner.plan(planner.start(), shown, eta)
    with pytest.raises(SettingError, match=r"be on the GPU; got 'numpy arrays'. Move state"):
        GpuEngine(one).present(one.start(1), plan, shown.stimuli, np.zeros(0, np.int64))
