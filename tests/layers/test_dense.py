"""Dense layers: what they compute, and their pullback against finite differences."""

import numpy as np
import pytest

from neurosim.checks import SettingError
from neurosim.layers import Dense
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import CODES, Nonlinearity

GROUPINGS = {
    "plain": None,
    "grouped": Grouping(groups=3, p=0.5, divisive=False),
    "divisive": Grouping(groups=3, p=0.2, delta=0.4),
}
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(12, 5))

every_nonlinearity = pytest.mark.parametrize("name", sorted(CODES))
every_grouping = pytest.mark.parametrize("groups", GROUPINGS)


def make(name="selu", groups="divisive"):
    return Dense(WEIGHTS.copy(), Nonlinearity(name=name), GROUPINGS[groups])


def forward(layer, pre):
    return layer.respond(pre, layer.drive(pre))


@every_nonlinearity
@every_grouping
def test_activity_is_composed_of_its_parts(name, groups):
    layer, pre = make(name, groups), RNG.normal(size=5)
    activity = forward(layer, pre)
    assert activity.pre is pre
    np.testing.assert_allclose(activity.drive, WEIGHTS @ pre, rtol=1e-13)
    np.testing.assert_allclose(activity.rate, layer.nonlinearity.rate(WEIGHTS @ pre), rtol=1e-12)
    np.testing.assert_array_equal(activity.gain, layer.nonlinearity.gain(activity.rate))
    expected = activity.rate
    if groups == "divisive":
        expected = GROUPINGS[groups].evaluate(activity.rate).normalized
    np.testing.assert_array_equal(activity.output, expected)


@every_nonlinearity
@every_grouping
@pytest.mark.parametrize("through", [("d_rate",), ("d_output",), ("d_rate", "d_output")])
def test_pullback_is_the_gradient_along_random_directions(name, groups, through):
    layer, rng, h = make(name, groups), np.random.default_rng(3), 1e-6
    pre = rng.normal(size=(7, 5))
    cotangents = {key: rng.normal(size=(7, 12)) for key in through}

    def value(x, weights):
        activity = forward(Dense(weights, layer.nonlinearity, layer.grouping), x)
        parts = {"d_rate": activity.rate, "d_output": activity.output}
        return sum((cotangents[key] * parts[key]).sum() for key in through)

    d_pre, gradients = layer.pullback(forward(layer, pre), **cotangents)
    assert d_pre.shape == pre.shape
    assert list(gradients) == ["weights"]
    for _ in range(3):
        dx, dw = rng.normal(size=pre.shape), rng.normal(size=WEIGHTS.shape)
        for x, w, found in [(dx, 0 * dw, d_pre), (0 * dx, dw, gradients["weights"])]:
            ahead = value(pre + h * x, WEIGHTS + h * w)
            behind = value(pre - h * x, WEIGHTS - h * w)
            direction = x if x.any() else w
            slope = (ahead - behind) / (2 * h)
            assert (found * direction).sum() == pytest.approx(slope, rel=1e-6, abs=1e-6)


@every_grouping
def test_the_local_part_of_the_pullback_makes_the_same_gradients(groups):
    layer, pre, d_output = make(groups=groups), RNG.normal(size=(4, 5)), RNG.normal(size=(4, 12))
    activity = forward(layer, pre)
    d_drive = layer.drive_pullback(activity, d_output=d_output)
    d_pre, gradients = layer.pullback(activity, d_output=d_output)
    np.testing.assert_array_equal(d_drive @ WEIGHTS, d_pre)
    found = layer.gradients(activity, d_drive)["weights"]
    np.testing.assert_array_equal(found, gradients["weights"])


@every_grouping
def test_leading_axes_are_free(groups):
    layer, pre = make(groups=groups), RNG.normal(size=(2, 3, 5))
    d_output = RNG.normal(size=(2, 3, 12))
    together = forward(layer, pre)
    d_pre, gradients = layer.pullback(together, d_output=d_output)
    total = np.zeros_like(WEIGHTS)
    for i in np.ndindex(2, 3):
        alone = forward(layer, pre[i])
        for one, other in zip(alone, together, strict=True):
            np.testing.assert_allclose(other[i], one, rtol=1e-12, atol=1e-14)
        d_alone, g_alone = layer.pullback(alone, d_output=d_output[i])
        np.testing.assert_allclose(d_pre[i], d_alone, rtol=1e-11, atol=1e-13)
        total += g_alone["weights"]
    np.testing.assert_allclose(gradients["weights"], total, rtol=1e-11, atol=1e-13)


def test_without_a_gradient_nothing_comes_back():
    layer, pre = make(), RNG.normal(size=(4, 5))
    d_pre, gradients = layer.pullback(forward(layer, pre))
    assert not d_pre.any()
    assert not gradients["weights"].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_drawn_weights_are_uniform_within_the_limit(dtype):
    weights = Dense.draw(400, 100, 2.0, np.random.default_rng(1), dtype)
    limit = 2.0 / np.sqrt(100)
    assert weights.shape == (400, 100)
    assert weights.dtype == dtype
    assert abs(weights).max() <= limit
    counts = np.histogram(weights, 10, (-limit, limit))[0]
    assert ((counts - 4000) ** 2 / 4000).sum() < 33.7  # chi square, 9 degrees of freedom, p = 1e-4


def test_what_does_not_fit_is_refused():
    with pytest.raises(SettingError, match=r"Dense\.weights must be \(n_post, n_pre\); got \(3,\)"):
        Dense(np.zeros(3))
    with pytest.raises(SettingError, match="groups must divide the layer's 12 neurons"):
        Dense(WEIGHTS, grouping=Grouping(groups=5))
    with pytest.raises(SettingError, match=r"drive\(pre\) must have 5 features .*got \(2, 4\)"):
        make().drive(np.zeros((2, 4)))
