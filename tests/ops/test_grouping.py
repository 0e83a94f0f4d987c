"""Groups: a literal loop over the equations, derivatives, and the fused row."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.checks import SettingError
from neurosim.ops.grouping import Grouping, groups_row
from neurosim.testing import check_on_device

layers = st.tuples(
    st.integers(1, 5),  # groups
    st.integers(2, 6),  # neurons a group
    st.floats(0, 0.9),  # p
    st.floats(0.1, 3),  # delta
    st.integers(0, 100),  # seed
)


def literal(grouping, z):
    """u, v and r of one vector of rates, neuron by neuron."""
    size = len(z) // grouping.groups
    u, r = [], []
    for a in range(grouping.groups):
        members = [float(value) for value in z[a * size : (a + 1) * size]]
        mean = math.fsum(members) / size
        u.append((math.fsum((m - mean) ** 2 for m in members) + grouping.delta) / size)
        r += [(m - mean) / u[a] ** grouping.p for m in members]
    power = [value ** (1 - grouping.p) for value in u]
    v = [value - math.fsum(power) / grouping.groups for value in power]
    return u, v, r


@settings(deadline=None, max_examples=60)
@given(layers)
def test_groups_are_the_equations(layer):
    groups, size, p, delta, seed = layer
    grouping = Grouping(groups=groups, p=p, delta=delta)
    z = np.random.default_rng(seed).normal(1, 3, (2, groups * size))
    found = grouping.evaluate(z)
    for row in range(2):
        u, v, r = literal(grouping, z[row])
        np.testing.assert_allclose(found.variance[row], u, rtol=1e-12)
        np.testing.assert_allclose(found.signal[row], v, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(found.normalized[row], r, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 2e-5), (np.float64, 1e-13)])
def test_fused_row_is_the_reference(dtype, rtol):
    rng = np.random.default_rng(1)
    for groups, size, p in [(1, 7, 0.2), (4, 3, 0.0), (8, 16, 0.5)]:
        grouping = Grouping(groups=groups, p=p, delta=0.7)
        z = rng.normal(0.5, 2, groups * size).astype(dtype)
        variance, signal = np.empty(groups, dtype), np.empty(groups, dtype)
        normalized = np.empty_like(z)
        groups_row(p, 0.7, z, variance, signal, normalized)
        reference = grouping.evaluate(z)
        assert {a.dtype for a in reference} == {np.dtype(dtype)}
        np.testing.assert_allclose(variance, reference.variance, rtol=rtol)
        np.testing.assert_allclose(signal, reference.signal, rtol=rtol, atol=rtol)
        np.testing.assert_allclose(normalized, reference.normalized, rtol=rtol, atol=rtol)


def test_fused_batch_is_the_reference():
    grouping, z = Grouping(groups=4, p=0.3), np.random.default_rng(2).normal(size=(12, 6)).T
    for found, expected in zip(grouping.evaluate_batch(z), grouping.evaluate(z), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    with pytest.raises(SettingError, match="groups must divide the layer's 10 neurons"):
        grouping.evaluate_batch(z[:, :10])


@settings(deadline=None, max_examples=30)
@given(layers)
def test_slope_times_r_is_the_derivative_of_the_group_signal(layer):
    """dv_a/dz_n = 2 (1 - p) / g r_n inside the group, before v is centred over groups."""
    groups, size, p, delta, seed = layer
    grouping, n, h = Grouping(groups=groups, p=p, delta=delta), groups * size, 1e-6
    z = np.random.default_rng(seed).normal(0, 2, n)
    expected = grouping.slope(n) * grouping.evaluate(z).normalized

    def power(rate):
        return grouping.evaluate(rate).variance ** (1 - p)

    derivative = (power(z + h * np.eye(n)) - power(z - h * np.eye(n))) / (2 * h)  # (n, groups)
    own = np.repeat(np.eye(groups), size, axis=0)
    np.testing.assert_allclose(derivative, own * expected[:, None], rtol=1e-6, atol=1e-7)


@settings(deadline=None, max_examples=40)
@given(layers, st.floats(-5, 5))
def test_what_groups_do_not_see(layer, shift):
    """A constant added to a group changes nothing; signals and normalized rates are centred."""
    groups, size, p, delta, seed = layer
    grouping = Grouping(groups=groups, p=p, delta=delta)
    z = np.random.default_rng(seed).normal(0, 2, groups * size)
    found = grouping.evaluate(z)
    shifted = grouping.evaluate(z + shift * np.repeat(np.arange(groups), size))
    for one, other in zip(found, shifted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)
    assert found.signal.sum() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(found.normalized.reshape(groups, -1).sum(axis=1), 0, atol=1e-9)


def test_a_silent_group_rests_at_delta():
    found = Grouping(groups=2, p=0.2, delta=3.0).evaluate(np.full(6, 4.0))
    np.testing.assert_allclose(found.variance, 1.0)
    np.testing.assert_array_equal(found.normalized, 0)


def test_a_nan_stays_in_sight():
    z = np.array([1.0, 2.0, np.nan, 4.0])
    found = Grouping(groups=2).evaluate(z)
    assert np.isnan(found.normalized).tolist() == [False, False, True, True]
    assert np.isnan(found.signal).all()
    fused = np.empty(2), np.empty(2), np.empty(4)
    groups_row(0.2, 1.0, z, *fused)
    assert np.isnan(fused[2]).tolist() == [False, False, True, True]
    assert np.isnan(fused[1]).all()


@pytest.mark.parametrize(("groups", "n"), [(3, 8), (4, 4), (8, 4)])
def test_groups_that_do_not_fit_are_refused(groups, n):
    with pytest.raises(SettingError, match=rf"groups must divide the layer's {n} neurons into"):
        Grouping(groups=groups).evaluate(np.ones(n))


@pytest.mark.parametrize("change", [{"groups": 0}, {"p": 1.0}, {"p": -0.1}, {"delta": 0.0}])
def test_unusable_settings_are_refused(change):
    (field,) = change
    with pytest.raises(SettingError, match=rf"Grouping\.{field} must be"):
        Grouping(**change)


def test_the_group_signals_pullback_is_its_gradient():
    rng, h = np.random.default_rng(3), 1e-6
    groups = Grouping(groups=3, p=0.3, delta=0.5, divisive=False)
    rate, direction = rng.normal(size=(2, 5, 12)), rng.normal(size=(2, 5, 12))
    d_signal = rng.normal(size=(2, 5, 3))
    ahead = (d_signal * groups.evaluate(rate + h * direction).signal).sum()
    behind = (d_signal * groups.evaluate(rate - h * direction).signal).sum()
    d_rate = groups.signal_pullback(groups.evaluate(rate), d_signal)
    assert (d_rate * direction).sum() == pytest.approx((ahead - behind) / (2 * h), rel=1e-7)


def test_groups_compute_where_their_rates_are():
    grouping, rate = Grouping(groups=4), np.random.default_rng(4).normal(size=(5, 12))
    check_on_device(grouping, grouping.evaluate_batch, rate)
    groups, d_signal = grouping.evaluate(rate), np.ones((5, 4))
    check_on_device(grouping, grouping.signal_pullback, groups, d_signal)
