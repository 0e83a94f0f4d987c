"""pHSIC and HSIC: the golden numbers, gradients along random directions, what is refused."""

import numpy as np
import pytest

from neurosim.checks import SettingError
from neurosim.layers import Dense
from neurosim.objectives import HSIC, PHSIC
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.ops.similarity import Cosine, CosineLabels, Gaussian, Linear, LinearLabels
from neurosim.seeds import Seeds

RNG = np.random.default_rng(5)
LABELS = RNG.integers(0, 4, 9)
TEACHERS = {
    "cosine": CosineLabels(n_classes=4),
    "linear": LinearLabels(frequencies=(0.1, 0.2, 0.3, 0.4)),
}


GAUSSIAN = Gaussian()


def make(kind=PHSIC, similarity=GAUSSIAN, grouping=None, teacher="cosine", **settings):
    return kind(
        label_similarity=TEACHERS[teacher], similarity=similarity, grouping=grouping, **settings
    )


def forward(weights, pre, grouping=None):
    layer = Dense(weights, Nonlinearity(name="softplus"), grouping)
    return layer, layer.respond(pre, layer.drive(pre))


def close(found, expected, tolerance):
    """Largest difference, relative to the largest entry."""
    return np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def test_golden_phsic(case):
    activity, labels = case.forward()
    found = case.phsic.evaluate({}, activity, labels)
    assert found.value == pytest.approx(float(case["loss"]), rel=1e-10)
    assert close(found.d_rate, case["dLdz"], 1e-9)
    _, gradients = case.layer.pullback(activity, d_rate=found.d_rate)
    assert close(gradients["weights"], case["dLdW"], 1e-9)
    assert close(activity.output, case["r"], 1e-12)


def test_golden_hsic(case):
    activity, labels = case.forward()
    found = case.hsic.evaluate({}, activity, labels)
    assert found.value == pytest.approx(float(case["loss_biasedhsic"]), rel=1e-10)
    _, gradients = case.layer.pullback(activity, d_rate=found.d_rate)
    assert close(gradients["weights"], case["dLdW_biasedhsic"], 1e-9)


def test_golden_similarity_of_what_is_compared(case):
    activity, _ = case.forward()
    v = activity.rate
    if case.phsic.grouping is not None:
        v = case.phsic.grouping.evaluate(v).signal
    assert close(v, case["v"], 1e-12)
    assert close(case.phsic.similarity.evaluate(v, v), case["K"], 1e-12)


@pytest.mark.parametrize("kind", [PHSIC, HSIC])
@pytest.mark.parametrize("similarity", [Gaussian(sigma=1.5), Cosine(), Linear()], ids=str)
@pytest.mark.parametrize("grouping", [None, Grouping(groups=3, delta=0.3)], ids=["plain", "groups"])
@pytest.mark.parametrize("teacher", TEACHERS)
def test_the_gradient_is_that_of_the_value(kind, similarity, grouping, teacher):
    objective = make(kind, similarity, grouping, teacher, gamma=1.3)
    rng, h = np.random.default_rng(1), 1e-6
    weights, pre = rng.normal(size=(12, 5)), rng.normal(size=(9, 5))
    layer, activity = forward(weights, pre, grouping)
    found = objective.evaluate({}, activity, LABELS)
    d_weights = layer.pullback(activity, d_rate=found.d_rate)[1]["weights"]

    def value(step):
        return objective.evaluate({}, forward(weights + step, pre, grouping)[1], LABELS).value

    for _ in range(3):
        direction = rng.normal(size=weights.shape)
        slope = (value(h * direction) - value(-h * direction)) / (2 * h)
        assert (d_weights * direction).sum() == pytest.approx(slope, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("similarity", [Gaussian(), Cosine()], ids=str)
@pytest.mark.parametrize("grouping", [None, Grouping(groups=32)], ids=["plain", "groups"])
def test_float32_is_enough_where_all_similarities_are_nearly_one(similarity, grouping):
    """As they are at initialisation: 1 - K is about 1e-5 here."""
    rng = np.random.default_rng(2)
    pre = (1 + 0.05 * rng.normal(size=(64, 100))).astype(np.float32)
    weights = Dense.draw(256, 100, 1.0, rng)
    labels = rng.integers(0, 4, 64)
    objective = make(similarity=similarity, grouping=grouping)
    single = objective.evaluate({}, forward(weights, pre)[1], labels)
    exact = forward(weights.astype(np.float64), pre.astype(np.float64))[1]
    double = objective.evaluate({}, exact, labels)
    assert single.d_rate.dtype == np.float32
    assert close(single.d_rate, double.d_rate, 1e-3)
    assert single.value == pytest.approx(double.value, rel=1e-3)


def test_phsic_minus_hsic_is_the_spread_of_the_row_means():
    k = RNG.normal(size=(6, 6))
    k = k + k.T
    nothing = np.zeros_like(k)
    difference = make(PHSIC).of_pairs(k, nothing)[0] - make(HSIC).of_pairs(k, nothing)[0]
    assert difference == pytest.approx(2 * k.mean(axis=1).var())


@pytest.mark.parametrize("kind", [PHSIC, HSIC])
def test_pairs_may_be_rectangular(kind):
    """The present against memory: one column block of a batch's matrix."""
    k, k_labels, h = RNG.normal(size=(3, 7)), RNG.normal(size=(3, 7)), 1e-6
    value, d_k = make(kind).of_pairs(k, k_labels)
    assert np.isfinite(value)
    direction = RNG.normal(size=k.shape)
    ahead = make(kind).of_pairs(k + h * direction, k_labels)[0]
    behind = make(kind).of_pairs(k - h * direction, k_labels)[0]
    assert (d_k * direction).sum() == pytest.approx((ahead - behind) / (2 * h), rel=1e-6)


def test_what_has_no_meaning_is_refused():
    _, alone = forward(RNG.normal(size=(12, 5)), RNG.normal(size=(1, 5)))
    with pytest.raises(SettingError, match=r"PHSIC\.evaluate\(activity\) must be a batch of at le"):
        make().evaluate({}, alone, LABELS[:1])
    with pytest.raises(SettingError, match=r"groups must divide the layer's 12 neurons"):
        make(grouping=Grouping(groups=5)).init(Dense(np.zeros((12, 5))), 4, Seeds(0))
    with pytest.raises(SettingError, match=r"HSIC\.gamma must not be negative; got -1"):
        make(HSIC, gamma=-1.0)
    with pytest.raises(SettingError, match=r"Gaussian\.sigma must be positive; got 0"):
        Gaussian(sigma=0.0)
    _, activity = forward(RNG.normal(size=(12, 5)), RNG.normal(size=(9, 5)))
    with pytest.raises(SettingError, match=r"labels\.rows must be in \[0, 4\)"):
        make().evaluate({}, activity, LABELS + 3)
