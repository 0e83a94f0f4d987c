"""The rules of the Gaussian kernel, against their equations written out neuron by neuron."""

import numpy as np
import pytest

from neurosim.checks import SettingError
from neurosim.layers import Dense
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.plasticity import GroupedGaussian, Local, PlainGaussian, ThirdFactor

N, PRE, M = 8, 5, -0.7
RNG = np.random.default_rng(0)
GROUPS = Grouping(groups=4, p=0.3)
SOFTPLUS = Nonlinearity(name="softplus")
LAYER = Dense(RNG.normal(size=(N, PRE)), SOFTPLUS, GROUPS)
PAIR = RNG.normal(size=(2, PRE))  # x_i, the present one, and x_j


def change(rule, compared):
    """dW of a pair as the engine composes it: the traces' shares in the change are +1 and -1."""
    activity = LAYER.respond(PAIR, LAYER.drive(PAIR))
    total = np.zeros((N, PRE))
    for trace, sign in ((0, 1.0), (1, -1.0)):
        local = Local(
            activity.rate[trace], activity.gain[trace], activity.output[trace], np.zeros(N),
            np.zeros(N),
        )  # fmt: skip
        third = ThirdFactor(sign * M * compared, sign * M, float(sign > 0))
        factors = rule.factors(local, third, rule.constants(LAYER))
        assert not np.any(factors.decay)
        total += np.outer(factors.post, PAIR[trace])
    return activity, total


def test_plain_is_equation_12_with_the_gain_of_equation_41():
    rate = LAYER.respond(PAIR, LAYER.drive(PAIR)).rate
    activity, found = change(PlainGaussian(), rate[0] - rate[1])
    z, gain = activity.rate, activity.gain
    for n, m in np.ndindex(N, PRE):
        hebbian = gain[0, n] * PAIR[0, m] - gain[1, n] * PAIR[1, m]
        assert found[n, m] == pytest.approx(M * (z[0, n] - z[1, n]) * hebbian, rel=1e-12)


def test_grouped_is_equation_22_with_the_factors_the_paper_drops():
    rate = LAYER.respond(PAIR, LAYER.drive(PAIR)).rate
    v = GROUPS.evaluate(rate).signal
    activity, found = change(GroupedGaussian(), np.repeat(v[0] - v[1], 2))
    r, gain = activity.output, activity.gain
    for n, m in np.ndindex(N, PRE):
        hebbian = r[0, n] * gain[0, n] * PAIR[0, m] - r[1, n] * gain[1, n] * PAIR[1, m]
        a = n // 2
        expected = M * (v[0, a] - v[1, a]) * 2 * (1 - 0.3) / 2 * hebbian
        assert found[n, m] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("rule", [PlainGaussian(), GroupedGaussian()])
def test_the_change_is_the_gradient_of_half_the_squared_distance(rule):
    """M fixed: dW = M d(|change|^2 / 2) / dW, what equations 12 and 22 were derived from."""
    h = 1e-6

    def half_distance(weights):
        layer = Dense(weights, SOFTPLUS, GROUPS)
        rate = layer.respond(PAIR, layer.drive(PAIR)).rate
        group = rule.compares == "group"
        compared = GROUPS.evaluate(rate).variance ** (1 - 0.3) if group else rate
        return ((compared[0] - compared[1]) ** 2).sum() / 2

    rate = LAYER.respond(PAIR, LAYER.drive(PAIR)).rate
    # the group signal before it is centred over groups: its gradient is local to the group
    power = GROUPS.evaluate(rate).variance ** (1 - 0.3)
    group = rule.compares == "group"
    _, found = change(rule, np.repeat(power[0] - power[1], 2) if group else rate[0] - rate[1])
    for _ in range(3):
        direction = RNG.normal(size=(N, PRE))
        slope = half_distance(LAYER.weights + h * direction)
        slope -= half_distance(LAYER.weights - h * direction)
        assert (found * direction).sum() == pytest.approx(M * slope / (2 * h), rel=1e-6)


def test_the_grouped_rule_needs_groups():
    with pytest.raises(SettingError, match="GroupedGaussian needs a layer with groups"):
        GroupedGaussian().constants(Dense(np.zeros((4, 3))))
