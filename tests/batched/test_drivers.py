"""Drivers: who learns what from a batch, in which order, and agreement where two must agree."""

from dataclasses import replace

import numpy as np
import pytest

from neurosim.batched import (
    Backprop,
    DirectFeedbackAlignment,
    FeedbackAlignment,
    LayerWise,
    Learner,
    ReadOutOnly,
    SignSymmetric,
)
from neurosim.checks import DivergenceError, SettingError
from neurosim.objectives import LayerClassification, cross_entropy
from neurosim.ops.dropout import Dropout
from neurosim.optimizers import SGD, Milestones
from neurosim.seeds import Seeds
from tests.batched.parts import COMMON, DRIVERS, GROUPS, PAIRS, SGDS, build, changes, draw_batch

PLAIN = Learner(optimizer=SGD(momentum=0.0), rate=Milestones(rate=1.0))
DETERMINISTIC = {"readout": PLAIN, "layers": PLAIN}


def forward(driver, network, batch):
    """Outputs of all layers as the driver passes them on."""
    pre, passed = batch.stimuli, []
    for k, name in enumerate(network.names):
        pre, _ = driver.passed_on(name, driver.respond(network, k, pre, batch).output, batch)
        passed.append(pre)
    return passed


@pytest.mark.parametrize("dropout", [None, Dropout(rate=0.3), Dropout(rate=0.3, alpha=True)])
@pytest.mark.parametrize("grouping", [None, GROUPS])
def test_backprop_descends_the_gradient_of_the_cross_entropy(dropout, grouping):
    network, batch, h = build(grouping=grouping), draw_batch(), 1e-6
    driver = Backprop(**DETERMINISTIC, dropout=dropout)

    def loss(parameters):
        moved = network.with_parameters(parameters)
        scores = forward(driver, moved, batch)[-1] @ moved.readout["weights"].T
        return cross_entropy(scores + moved.readout["bias"], batch.labels)[0]

    found, parameters = changes(driver, network, batch), network.parameters()
    for name, array in parameters.items():
        direction = np.random.default_rng(3).normal(size=array.shape)
        ahead = loss(parameters | {name: array + h * direction})
        behind = loss(parameters | {name: array - h * direction})
        assert -(found[name] * direction).sum() == pytest.approx((ahead - behind) / (2 * h), 1e-6)


def test_a_layer_learns_from_its_own_objective_with_weights_from_before_the_step():
    network, batch = build(), draw_batch()
    driver = LayerWise(objective=PAIRS, **DETERMINISTIC, dropout=Dropout(rate=0.3))
    found, passed = changes(driver, network, batch), forward(driver, network, batch)
    for k, (name, layer) in enumerate(zip(network.names, network.layers, strict=True)):
        pre = passed[k - 1] if k else batch.stimuli
        activity = layer.respond(pre, layer.drive(pre))
        d_rate = PAIRS.evaluate({}, activity, batch.labels).d_rate
        _, gradients = layer.pullback(activity, d_rate=d_rate)
        np.testing.assert_allclose(found[name], -gradients["weights"], rtol=1e-10, atol=1e-15)


def test_nothing_flows_between_layers():
    """What layer 2 and the read-out would learn, layer 1 does not feel."""
    batch = draw_batch()
    one, two = build(), build()
    two.layers[1].weights[:] *= 3
    two.readout["weights"][:] += 1
    first, second = (changes(DRIVERS["pairs"], network, batch) for network in (one, two))
    np.testing.assert_array_equal(first["layer1"], second["layer1"])
    assert not np.allclose(first["layer2"], second["layer2"])
    assert not np.allclose(first["readout/weights"], second["readout/weights"])


def test_the_read_out_learns_the_same_from_the_same_activity():
    """Its lesson does not depend on how the layers learn."""
    network, batch = build(), draw_batch()
    drivers = (DRIVERS[name] for name in ("pairs", "heads", "readout", "backprop", "direct"))
    first, *others = (changes(driver, network, batch)["readout/weights"] for driver in drivers)
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-12, atol=1e-15)


def test_only_the_read_out_learns_if_only_it_may():
    found = changes(DRIVERS["readout"], build(), draw_batch())
    for name, change in found.items():
        assert bool(change.any()) == name.startswith("readout/")


def test_layerwise_classification_of_one_layer_is_backprop():
    network, batch = build(widths=(12,), grouping=None), draw_batch()
    layerwise = LayerWise(objective=LayerClassification(), **DETERMINISTIC)
    state = layerwise.start(network, Seeds(1))
    state["layer1/objective/weights"][:] = network.readout["weights"]
    state["layer1/objective/bias"][:] = network.readout["bias"]
    local = changes(layerwise, network, batch, state)
    backprop = changes(Backprop(**DETERMINISTIC), network, batch)
    for name in ("layer1", "readout/weights", "readout/bias"):
        np.testing.assert_allclose(local[name], backprop[name], rtol=1e-12, atol=1e-16)
    moved = state["layer1/objective/weights"] - network.readout["weights"]
    np.testing.assert_allclose(moved, backprop["readout/weights"], rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("kind", [FeedbackAlignment, SignSymmetric])
def test_feedback_through_the_weights_themselves_is_backprop(kind):
    network, batch = build(), draw_batch()
    driver, backprop = kind(**COMMON), Backprop(**COMMON)
    state = driver.start(network, Seeds(1))
    other = changes(driver, network, batch, driver.start(network, Seeds(1)))
    above = [*(layer.weights for layer in network.layers[1:]), network.readout["weights"]]
    for name, weights in zip(network.names, above, strict=True):
        state[f"feedback/{name}"][:] = abs(weights) if kind is SignSymmetric else weights
    found, expected = changes(driver, network, batch, state), changes(backprop, network, batch)
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-16)
    assert not np.allclose(other["layer1"], expected["layer1"])


def test_direct_feedback_skips_the_layers_above():
    batch = draw_batch()
    driver = DirectFeedbackAlignment(**DETERMINISTIC)
    network = build(widths=(12, 8))
    state = driver.start(network, Seeds(1))
    found = changes(driver, network, batch, state)
    passed = forward(driver, network, batch)
    scores = passed[-1] @ network.readout["weights"].T + network.readout["bias"]
    d_scores = cross_entropy(scores, batch.labels)[1]
    layer = network.layers[0]
    activity = layer.respond(batch.stimuli, layer.drive(batch.stimuli))
    d_output = d_scores @ state["feedback/layer1"]
    expected = layer.pullback(activity, d_output=d_output)[1]["weights"]
    np.testing.assert_allclose(found["layer1"], -expected, rtol=1e-12, atol=1e-16)


def test_with_one_layer_direct_feedback_is_feedback_alignment():
    network, batch = build(widths=(12,)), draw_batch()
    pair = [changes(kind(**COMMON), network, batch) for kind in
            (FeedbackAlignment, DirectFeedbackAlignment)]  # fmt: skip
    np.testing.assert_array_equal(pair[0]["layer1"], pair[1]["layer1"])


def test_feedback_weights_never_change(driver):
    network = build()
    state = driver.start(network, Seeds(1))
    before = {name: array.copy() for name, array in state.items() if name.startswith("feedback")}
    for number in range(3):
        driver.step(network, state, draw_batch(seed=number))
    for name, array in before.items():
        np.testing.assert_array_equal(state[name], array)


def test_rates_drop_at_the_milestone():
    network = build()
    early = changes(DRIVERS["pairs"], network, draw_batch(epoch=0))
    late = changes(DRIVERS["pairs"], network, draw_batch(epoch=1))
    for name in early:
        np.testing.assert_allclose(late[name], early[name] / 4, rtol=1e-9, atol=1e-16)


def test_every_layer_and_the_read_out_have_a_loss_of_their_own():
    network = build()
    for name, expected in (("pairs", {"layer1", "layer2", "layer3", "readout"}),
                           ("backprop", {"readout"})):  # fmt: skip
        driver = DRIVERS[name]
        losses = driver.step(network, driver.start(network, Seeds(0)), draw_batch())
        assert set(losses) == expected


def test_float32_networks_stay_float32(driver):
    network = build(dtype="float32")
    state, batch = driver.start(network, Seeds(1)), draw_batch()
    driver.step(network, state, batch._replace(stimuli=batch.stimuli.astype(np.float32)))
    for name, array in (network.parameters() | state).items():
        assert array.dtype == np.float32 or name.endswith(".steps"), name


def test_divergence_names_layer_epoch_and_batch(driver):
    network = build()
    network.layers[1].weights[0, 0] = np.nan
    with pytest.raises(DivergenceError, match=r"layer2 diverged at epoch 3, batch 17: .* is nan"):
        driver.step(network, driver.start(network, Seeds(0)), draw_batch(epoch=3, number=17))


def test_who_must_learn_and_who_must_not():
    with pytest.raises(SettingError, match=r"LayerWise\.layers must be given; got None"):
        LayerWise(objective=PAIRS, readout=SGDS)
    with pytest.raises(SettingError, match=r"Backprop\.layers must be given; got None"):
        Backprop(readout=SGDS)
    with pytest.raises(SettingError, match=r"ReadOutOnly\.layers must be None"):
        ReadOutOnly(readout=SGDS, layers=SGDS)
    five = replace(PAIRS, grouping=replace(GROUPS, groups=5))
    with pytest.raises(SettingError, match="groups must divide the layer's 12 neurons"):
        LayerWise(objective=five, **COMMON).start(build(), Seeds(0))
