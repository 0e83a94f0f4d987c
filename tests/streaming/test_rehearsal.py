"""Rehearsing a stream: what showing it would do to the weights, and nothing else."""

import numpy as np
import pytest

from neurosim import IterableStream, Learning, Network, Seeds, Simulator
from neurosim.dynamics import MemoryTrace, SmoothedDerivative
from neurosim.ops.grouping import Grouping
from neurosim.optimizers import Schedule
from neurosim.plasticity import BCM, GroupedGaussian, Hebb, Oja
from neurosim.streaming.continuous import Continuous
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.presentations import Presentation, gather
from neurosim.streaming.rehearsal import rehearse
from neurosim.streaming.third_factor import ThirdFactorCircuit
from neurosim.streaming.timeline import TwoPoint

MEMORY = {
    "neurons": NeuronDynamics(memory=MemoryTrace(tau=0.002, scale=3.0)),
    "timeline": Continuous(
        derivative=SmoothedDerivative(c1=0.03, c2=300.0), duration=0.1, gaps=True, sampled=True,
        nodes=2,
    ),
}  # fmt: skip
TINY = 1e-7


def build(rule=None, rate=TINY, dtype="float64", **settings):
    network = Network.dense(
        6, (12, 9), 3, Seeds(0), grouping=Grouping(groups=3), gain=2.5, dtype=dtype
    )
    learning = Learning(
        rule=rule or GroupedGaussian(),
        third_factor=ThirdFactorCircuit(sigma=1.0, beta=0.05),
        schedule=Schedule(rate=rate, course="constant"),
        readout=Schedule(rate=0.05, course="constant"),
        **settings,
    )
    return Simulator(network, learning, Seeds(0), chunk=16, threads=1)


def samples(n, seed=3, gap=0.0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    stimuli = 2 * np.eye(3, 6)[labels] + rng.normal(size=(n, 6))
    return [Presentation(x, int(y), 0.1, gap) for x, y in zip(stimuli, labels, strict=True)]


def layers(simulator):
    network = simulator.network
    return {name: network.parameters()[name].copy() for name in network.names}


@pytest.mark.parametrize(
    ("settings", "gap"),
    [
        ({}, 0.0),
        ({"timeline": TwoPoint(remembered=3)}, 0.0),
        ({"rule": Hebb()}, 0.0),
        ({"rule": Oja()}, 0.0),
        ({"rule": BCM()}, 0.0),
        (MEMORY, 0.05),
    ],
)
def test_it_is_the_change_at_a_small_rate(settings, gap):
    simulator = build(**settings)
    simulator.run(IterableStream(samples(20, gap=gap)))
    show = samples(40, seed=4, gap=gap)
    asked, before = rehearse(simulator, gather(show)), layers(simulator)
    simulator.run(IterableStream(show))
    after = layers(simulator)
    for name in after:
        moved = (after[name] - before[name]) / TINY
        np.testing.assert_allclose(asked[name], moved, rtol=1e-3, atol=1e-3 * np.abs(moved).max())


def test_momentum_and_decay_are_left_out():
    plain, driven = build(), build(momentum=0.9, weight_decay=10.0)
    shown = gather(samples(30))
    for name, asked in rehearse(plain, shown).items():
        np.testing.assert_array_equal(asked, rehearse(driven, shown)[name])


@pytest.mark.parametrize("settings", [{"momentum": 0.5}, MEMORY])
def test_learning_does_not_notice(settings):
    weights = []
    for measured in (False, True):
        simulator = build(rate=0.1, dtype="float32", **settings)

        def evaluate(now, measured=measured):
            if measured:
                rehearse(now, gather(samples(20, seed=5)))
            return {}

        simulator.run(IterableStream(samples(60)), evaluate=evaluate, evaluate_every=10)
        weights.append(simulator.network.parameters())
    for name, array in weights[0].items():
        np.testing.assert_array_equal(array, weights[1][name])
