"""Health: each finding has a construct that shows it, and a healthy layer shows none."""

import numpy as np
import pytest

from neurosim.network import Network
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.optimizers import Schedule
from neurosim.plasticity import GroupedGaussian, Hebb, PlainGaussian
from neurosim.seeds import Seeds
from neurosim.streaming.health import Finding, LayerHealth
from neurosim.streaming.learning import Learning
from neurosim.streaming.presentations import DatasetStream
from neurosim.streaming.simulator import Simulator
from neurosim.streaming.third_factor import ThirdFactorCircuit

CONSTANT = Schedule(rate=1e-3, course="constant")
RNG = np.random.default_rng(0)
STIMULI = RNG.normal(size=(60, 30))
LABELS = RNG.integers(0, 3, 60)


def run(rule, *, sigma=5.0, width=48, gain=2.45, grouping=None, rate=CONSTANT, nonlinearity=None,
        weights=None):  # fmt: skip
    """A simulator of one layer that has seen a few presentations."""
    network = Network.dense(
        30, (width,), 3, Seeds(0), gain=gain, grouping=grouping, nonlinearity=nonlinearity,
        dtype="float64",
    )  # fmt: skip
    if weights is not None:
        network = network.with_parameters(network.parameters() | {"layer1": weights})
    learning = Learning(rule=rule, schedule=rate, third_factor=ThirdFactorCircuit(sigma=sigma))
    simulator = Simulator(network, learning, Seeds(0), threads=1)
    simulator.run(DatasetStream(STIMULI, LABELS, epochs=1, rng=np.random.default_rng(1)))
    return simulator


def kinds(simulator):
    return [(finding.layer, finding.kind) for finding in simulator.findings]


def test_a_healthy_layer_has_no_findings():
    assert kinds(run(PlainGaussian())) == []
    assert kinds(run(GroupedGaussian(), grouping=Grouping(groups=8), sigma=1.0)) == []


def test_the_plain_rule_on_a_wide_layer_at_the_default_sigma_underflows():
    """1024 neurons, sigma 5: the typical similarity is e^-40, and nothing is learned."""
    simulator = run(PlainGaussian(), width=1024)
    assert kinds(simulator) == [("layer1", "underflow")]
    (finding,) = simulator.findings
    assert "sigma is 5" in finding.problem
    # the remedy is one: its sigma heals the layer
    sigma = float(finding.remedy.split("sigma near ")[1].split(",")[0])
    assert kinds(run(PlainGaussian(), width=1024, sigma=sigma)) == []


def test_presentations_that_all_look_the_same_have_collapsed():
    simulator = run(PlainGaussian(), gain=0.002)
    assert kinds(simulator) == [("layer1", "collapsed")]
    # lowering sigma and the learning rate with its square heals the layer; sigma alone does not
    sigma = float(simulator.findings[0].remedy.split("sigma to ")[1].split()[0])
    slower = Schedule(rate=CONSTANT.rate * (sigma / 5) ** 2, course="constant")
    assert kinds(run(PlainGaussian(), gain=0.002, sigma=sigma, rate=slower)) == []
    assert kinds(run(PlainGaussian(), gain=0.002, sigma=sigma)) == [("layer1", "underflow")]


def test_neurons_that_never_fire_are_dead():
    weights = RNG.normal(size=(48, 30))
    weights[:30, :] = 0.0
    relu = Nonlinearity(name="relu")
    simulator = run(PlainGaussian(), weights=weights, nonlinearity=relu)
    assert kinds(simulator) == [("layer1", "dead")]
    assert "62% of the neurons" in simulator.findings[0].problem
    weights[:10, :] = 1.0  # fewer than half: no finding
    assert kinds(run(PlainGaussian(), weights=weights, nonlinearity=relu)) == []


def test_weights_that_grow_have_exploded():
    rate = Schedule(rate=0.1, course="constant")
    identity = Nonlinearity(name="identity")
    assert kinds(run(Hebb(), rate=rate, nonlinearity=identity)) == [("layer1", "exploded")]
    calm = Schedule(rate=1e-4, course="constant")
    assert kinds(run(Hebb(), rate=calm, nonlinearity=identity)) == []


def signs(simulator):
    """A layer's health after three chunks, with the third factors and rates it has seen."""
    parts = simulator._parts
    health = LayerHealth("layer1", parts.circuits[0])
    stream = DatasetStream(STIMULI, LABELS, epochs=1, rng=np.random.default_rng(2))
    thirds, rates = [], []
    for shown in stream.chunks(0, 20):
        chunk = simulator._way.stages()[0](parts.draw(0, shown, np.zeros(20)))
        health.observe(chunk.signs[0], chunk.plan)
        thirds.append(chunk.layers[0].third)
        rates.append(chunk.layers[0].rate.copy())
    return health, np.concatenate(thirds)[:, 0], np.concatenate(rates)


def test_vital_signs_are_means_over_what_was_seen_since_the_last_look():
    simulator = run(PlainGaussian())
    initial = simulator._parts.circuits[0].layer.weights.copy()
    health, third, rates = signs(simulator)
    found = health.vitals(3 * initial)
    similarity = np.exp(-third[:, 0] / 50)
    assert found.similarity == pytest.approx(similarity.mean())
    assert found.underflow == (similarity < 1e-6).mean()
    assert found.modulator == pytest.approx(25 * abs(third[:, 3]).mean())
    assert found.distance == pytest.approx(np.sqrt(third[:, 0].mean()))
    assert found.active == (rates > 0).any(axis=0).mean()
    assert found.growth == pytest.approx(3)
    forgotten = health.vitals(initial)
    assert np.isnan(forgotten.similarity)
    assert forgotten.active == 0


def test_a_rule_without_a_third_factor_has_no_similarity_to_judge():
    health, _, _ = signs(run(Hebb()))
    found = health.vitals(np.ones((48, 30)))
    assert np.isnan(found.similarity)
    assert {f.kind for f in health.findings(found)} == set()


def test_an_ailment_is_told_once():
    simulator = run(PlainGaussian(), gain=0.002)
    stream = DatasetStream(STIMULI, LABELS, epochs=3, rng=np.random.default_rng(1))
    simulator.run(stream, evaluate_every=30)
    assert simulator.presentations == 60 + 180
    assert kinds(simulator) == [("layer1", "collapsed")]


def test_an_ailment_is_the_same_whatever_was_measured():
    one = Finding("layer1", "dead", "60% of the neurons are never active.", "Lower the rate.")
    assert one.same(one._replace(problem="70%", remedy=""))
    assert not one.same(one._replace(layer="layer2"))
    assert not one.same(one._replace(kind="exploded"))
    assert str(one) == "layer1: 60% of the neurons are never active. Lower the rate."
