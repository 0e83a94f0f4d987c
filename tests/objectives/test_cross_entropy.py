"""Cross-entropy and layer-wise classification: closed forms, gradients, bad labels."""

import numpy as np
import pytest
from scipy.special import log_softmax

from neurosim.checks import SettingError
from neurosim.layers import Dense
from neurosim.objectives import LayerClassification, cross_entropy
from neurosim.seeds import Seeds
from neurosim.testing import check_on_device, pretend_device

RNG = np.random.default_rng(0)
LABELS = np.array([0, 2, 1, 2, 0])


def test_the_value_is_the_mean_negative_log_probability():
    scores = RNG.normal(size=(5, 3)) * 4
    value, _ = cross_entropy(scores, LABELS)
    assert value == pytest.approx(-log_softmax(scores, axis=1)[np.arange(5), LABELS].mean())


def test_large_scores_do_not_overflow():
    value, d_scores = cross_entropy(
        np.array([[1e4, 0.0], [0.0, 1e4]], np.float32), np.array([0, 0])
    )
    assert value == pytest.approx(5e3)
    np.testing.assert_allclose(d_scores, [[0, 0], [-0.5, 0.5]])


def test_the_gradient_is_that_of_the_value():
    scores, direction, h = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3)), 1e-6
    _, d_scores = cross_entropy(scores, LABELS)
    ahead = cross_entropy(scores + h * direction, LABELS)[0]
    behind = cross_entropy(scores - h * direction, LABELS)[0]
    assert (d_scores * direction).sum() == pytest.approx((ahead - behind) / (2 * h), rel=1e-7)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_is_refused(label):
    with pytest.raises(SettingError, match=r"cross_entropy\.labels must be in \[0, 3\); got array"):
        cross_entropy(np.zeros((2, 3)), np.array([0, label]))


def test_labels_nobody_looks_at_make_nan():
    scores, labels = RNG.normal(size=(4, 3)), np.array([0, 1, 2, 1])
    check_on_device("cross_entropy", cross_entropy, scores, labels)
    with pretend_device() as device:
        value, d_scores = cross_entropy(device.asarray(scores), device.asarray(labels + 1))
        assert np.isnan([float(value), *d_scores.get()[2]]).all()
        assert np.isfinite(d_scores.get()[:2]).all()


def test_a_layers_own_head_has_the_gradients_of_its_loss():
    layer, pre = Dense(RNG.normal(size=(7, 4))), RNG.normal(size=(5, 4))
    objective, h = LayerClassification(), 1e-6
    own = objective.init(layer, 3, Seeds(1))
    own["bias"] = RNG.normal(size=3)
    activity = layer.respond(pre, layer.drive(pre))
    found = objective.evaluate(own, activity, LABELS)
    for name in (*own, "rate"):
        shape = activity.rate.shape if name == "rate" else own[name].shape
        direction = RNG.normal(size=shape)

        def value(step, name=name, direction=direction):
            if name == "rate":
                moved = activity._replace(rate=activity.rate + step * direction)
                return objective.evaluate(own, moved, LABELS).value
            moved = own | {name: own[name] + step * direction}
            return objective.evaluate(moved, activity, LABELS).value

        gradient = found.d_rate if name == "rate" else found.d_parameters[name]
        slope = (value(h) - value(-h)) / (2 * h)
        assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-6)


def test_a_head_is_drawn_from_its_seed():
    layer = Dense(np.zeros((7, 4), np.float32))
    first, again = (LayerClassification().init(layer, 3, Seeds(4)) for _ in range(2))
    other = LayerClassification().init(layer, 3, Seeds(5))
    assert first["weights"].dtype == np.float32
    np.testing.assert_array_equal(first["weights"], again["weights"])
    assert not np.array_equal(first["weights"], other["weights"])
