"""The network learns handwritten digits from a stream, in seconds; and only if it is let to."""

from __future__ import annotations

import numpy as np
import pytest

from neurosim import DatasetStream, Learning, Network, Seeds, Simulator
from neurosim.data import load
from neurosim.ops.grouping import Grouping
from neurosim.optimizers import Schedule
from neurosim.plasticity import GroupedGaussian, PlainGaussian
from neurosim.streaming.presentations import UNLABELLED
from neurosim.streaming.third_factor import ThirdFactorCircuit


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def learn(data, rule, sigma, rate, *, epochs=8, seed=0):
    """A simulator that has seen the digits, and the test accuracy of a read-out on each layer."""
    seeds = Seeds(seed)
    network = Network.dense(
        data.n_features,
        (64, 64),
        data.n_classes,
        seeds,
        grouping=Grouping(groups=16),
        gain=2.45,
        dtype="float64",
    )
    learning = Learning(
        rule=rule,
        third_factor=ThirdFactorCircuit(sigma=sigma),
        schedule=Schedule(rate=rate, final=0.05),
        readout=Schedule(rate=0.02, final=0.05),
        probes=True,
    )
    simulator = Simulator(network, learning, seeds)
    stream = DatasetStream(
        data.x_train,
        data.y_train,
        epochs=epochs,
        rng=seeds.generator("stream"),
        same_class=0.5,
    )
    simulator.run(stream)
    return simulator, simulator.accuracy(data.x_test, data.y_test)


@pytest.fixture(scope="module")
def frozen(digits):
    return learn(digits, GroupedGaussian(), 1.0, 0.0)


@pytest.mark.parametrize(
    ("rule", "sigma", "rate", "accuracy", "gain"),
    [(GroupedGaussian(), 1.0, 0.1, 0.88, 0.03), (PlainGaussian(), 5.0, 0.3, 0.93, 0.07)],
)
def test_digits_are_learned(digits, frozen, rule, sigma, rate, accuracy, gain):
    """Measured after eight epochs, about 11 500 samples one at a time, with seeds 0 and 1: grouped
    93.0 % and 90.8 %, plain 95.8 % and 96.1 %; untrained layers 83.6 % and 86.4 %.
    """
    simulator, reached = learn(digits, rule, sigma, rate)
    assert reached["accuracy"] > accuracy
    assert reached["accuracy"] > frozen[1]["accuracy"] + gain
    assert simulator.findings == []


def test_a_rate_of_zero_leaves_the_layers_bit_identical_while_the_readout_learns(digits, frozen):
    simulator, reached = frozen
    start = Network.dense(
        digits.n_features, (64, 64), digits.n_classes, Seeds(0), gain=2.45, dtype="float64"
    )
    for before, after in zip(start.layers, simulator.network.layers, strict=True):
        np.testing.assert_array_equal(after.weights, before.weights)
    assert reached["accuracy"] > 0.7


def test_without_labels_nothing_is_learned(digits):
    data = digits.limited(n_train=300)
    network = Network.dense(
        data.n_features, (32,), data.n_classes, Seeds(0), grouping=Grouping(groups=8)
    )
    simulator = Simulator(network, Learning(rule=GroupedGaussian()), Seeds(0))
    stream = DatasetStream(
        data.x_train, np.full(300, UNLABELLED), epochs=1, rng=np.random.default_rng(0)
    )
    simulator.run(stream)
    for name, weights in network.parameters().items():
        np.testing.assert_array_equal(simulator.network.parameters()[name], weights)


def test_a_similarity_that_underflows_is_reported_and_learns_next_to_nothing(digits):
    """The silent failure of the plain rule: at this sigma k is e^-100, and M with it."""
    simulator, _ = learn(digits, PlainGaussian(), 0.05, 0.1, epochs=1)
    assert {(f.layer, f.kind) for f in simulator.findings} >= {("layer1", "underflow")}
    assert "Use a sigma near" in str(simulator.findings[0])
