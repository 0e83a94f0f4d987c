"""Alignment with backprop: the gradient itself, its bounds, and that measuring changes nothing."""

import numpy as np
import pytest

from neurosim.batched import Trainer
from neurosim.batched.rehearsal import rehearse
from neurosim.comparison.alignment import alignment, backprop_gradient
from neurosim.network import Network
from neurosim.objectives import cross_entropy
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.seeds import Seeds
from tests.batched.parts import DRIVERS

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 40)
STIMULI = np.eye(3, 6)[LABELS] + 0.5 * RNG.normal(size=(40, 6))


def loss(network):
    return cross_entropy(network.scores(STIMULI), LABELS)[0]


@pytest.mark.parametrize("reads", ["last", "all"])
@pytest.mark.parametrize("grouping", [None, Grouping(groups=4), Grouping(groups=4, divisive=False)])
def test_the_gradient_is_that_of_the_loss(reads, grouping):
    network = Network.dense(
        6, (12, 8, 16), 3, Seeds(0), nonlinearity=Nonlinearity(name="softplus"), gain=2.0,
        grouping=grouping, reads=reads, readout_gain=2.0, dtype="float64",
    )  # fmt: skip
    found, weights, h = backprop_gradient(network, STIMULI, LABELS, 16), network.parameters(), 1e-6
    for name in network.names:
        direction = RNG.normal(size=weights[name].shape)
        sides = [
            loss(network.with_parameters(weights | {name: weights[name] + sign * h * direction}))
            for sign in (1, -1)
        ]
        expected = (sides[0] - sides[1]) / (2 * h)
        assert (found[name] * direction).sum() == pytest.approx(expected, rel=1e-6)


def aligned(driver, batch=10, batch_norm=False):
    network = Network.dense(
        6, (12, 8, 16), 3, Seeds(0), grouping=Grouping(groups=4), gain=2.0, readout_gain=1.0,
        batch_norm=batch_norm, dtype="float64",
    )  # fmt: skip
    trainer = Trainer(network, DRIVERS[driver], Seeds(0), batch=batch, threads=1)
    gradient = backprop_gradient(trainer.network, STIMULI, LABELS, batch)
    return alignment(rehearse(trainer, STIMULI, LABELS), gradient)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("batch", [10, 15, 40, 100])
def test_backprop_is_aligned_with_itself(batch, batch_norm):
    found = aligned("backprop", batch, batch_norm)
    assert set(found) == {"alignment_layer1", "alignment_layer2", "alignment_layer3"}
    assert list(found.values()) == pytest.approx([1.0] * 3, abs=1e-12)


def test_approximations_lie_between_chance_and_backprop():
    network = Network.dense(6, (200, 100), 3, Seeds(0), gain=2.0, readout_gain=1.0, dtype="float64")
    gradient = backprop_gradient(network, STIMULI, LABELS)
    found = {
        name: alignment(rehearse(trainer, STIMULI, LABELS), gradient)
        for name in ("sign", "feedback", "direct")
        for trainer in [Trainer(network, DRIVERS[name], Seeds(0), batch=40)]
    }
    for layer in ("alignment_layer1", "alignment_layer2"):
        assert 0.4 < found["sign"][layer] < 0.99
        assert abs(found["feedback"][layer]) < 0.4
        assert abs(found["direct"][layer]) < 0.4


def test_a_layer_that_does_not_learn_has_no_alignment():
    assert aligned("readout") == {}


def test_no_direction_is_not_a_number():
    one, none = {"layer1": np.ones((2, 2))}, {"layer1": np.zeros((2, 2))}
    assert alignment(one, {"layer1": -3 * one["layer1"]})["alignment_layer1"] == pytest.approx(1)
    assert np.isnan(alignment(one, none)["alignment_layer1"])
    assert np.isnan(alignment(none, one)["alignment_layer1"])
