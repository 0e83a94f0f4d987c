import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from neurosim.checks import SettingError
from neurosim.dynamics import SmoothedDerivative

sharpness = st.floats(0.05, 50.0)
"""c1 c2, over the range that is promised to be stable."""


def derivative(c1, product):
    """A filter of given delay and sharpness; the warning about blunt ones is tested by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return SmoothedDerivative(c1=c1, c2=product / c1)


def integral(function, start, end, breaks):
    """Quadrature between the kinks of the kernel."""
    points = np.unique(np.clip([start, *breaks, end], start, end))
    return sum(
        quad(function, a, b, epsabs=1e-13, epsrel=1e-13, limit=200)[0] for a, b in pairwise(points)
    )


@settings(deadline=None, max_examples=30)
@given(product=sharpness, tau=st.floats(0, 5))
def test_step_response_is_the_integral_of_the_kernel(product, tau):
    d = derivative(1.0, product)
    judge = integral(d.kernel, 0.0, tau, [1.0 - 2 / d.c2, 1.0, 1.0 + 2 / d.c2])
    np.testing.assert_allclose(d.step_response(tau), judge, rtol=1e-10, atol=1e-10)


@settings(deadline=None, max_examples=30)
@given(product=st.floats(1.0, 50.0), tau=st.floats(0.01, 3))
def test_kernel_is_the_slope_of_the_step_response(product, tau):
    d = derivative(1.0, product)
    h = 1e-4 / d.c2
    if abs(tau - 1.0) > 3 * h:  # the kernel has a kink there
        stencil = d.step_response(tau + h * np.array([-2, -1, 1, 2]))
        slope = stencil @ np.array([1, -8, 8, -1]) / (12 * h)
        np.testing.assert_allclose(slope, d.kernel(tau), rtol=0, atol=1e-9 * d.c2)


@settings(deadline=None, max_examples=100)
@given(c1=st.floats(1e-3, 10.0), product=sharpness)
def test_peak_is_one_at_c1_and_nothing_is_larger(c1, product):
    d = derivative(c1, product)
    assert d.step_response(c1) == 1.0
    assert d.step_response(0.0) == 0.0
    around = d.step_response(c1 * np.linspace(-1, 40, 401))
    assert around.max() <= 1.0
    assert around.min() >= d.residual


@pytest.mark.parametrize("product", [0.05, 1.0, 7.0, 50.0])
def test_precision_where_the_response_is_small(product):
    """Relative, not absolute: against the first terms of the series in tau."""
    d = derivative(1.0, product)
    tau = 1e-7 / product
    start = d.kernel(0.0)
    series = start * tau * (1 + 0.5 * tau * (product - 1.0))  # kappa'(0) / kappa(0) = c2 - 1 / c1
    np.testing.assert_allclose(d.step_response(tau), series, rtol=1e-7)


@settings(deadline=None, max_examples=30)
@given(product=sharpness)
def test_residual_is_the_integral_of_the_kernel(product):
    d = derivative(1.0, product)
    end = 1.0 + 60 / d.c2
    judge = integral(d.kernel, 0.0, end, [1.0, 1.0 + 2 / d.c2, 1.0 + 10 / d.c2])
    np.testing.assert_allclose(d.residual, judge, rtol=1e-10, atol=1e-11)
    assert d.step_response(np.inf) == pytest.approx(d.residual, rel=1e-14)


@settings(deadline=None, max_examples=50)
@given(product=sharpness, exponent=st.floats(-10, -0.5))
def test_window_is_the_time_after_which_a_jump_is_forgotten(product, exponent):
    d = derivative(0.2, product)
    tolerance = 10**exponent
    window = d.window(tolerance)
    assert abs(d.step_response(window) - d.residual) == pytest.approx(tolerance, rel=1e-5)
    later = d.step_response(window * np.linspace(1.001, 10, 50))
    assert (abs(later - d.residual) < tolerance).all()


@pytest.mark.parametrize("tolerance", [0.0, 1.0, -1.0])
def test_unusable_tolerance_is_refused(tolerance):
    with pytest.raises(SettingError, match=r"tolerance must lie in \(0, 1\)"):
        SmoothedDerivative(c1=0.01, c2=1000.0).window(tolerance)


def test_a_blunt_kernel_warns_and_a_sharp_one_does_not():
    with pytest.warns(UserWarning, match="responds to a constant"):
        SmoothedDerivative(c1=0.01, c2=600.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SmoothedDerivative(c1=0.01, c2=700.0)


@pytest.mark.parametrize("field", ["c1", "c2"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, np.nan])
def test_unusable_settings_are_refused(field, value):
    with pytest.raises(SettingError, match=rf"SmoothedDerivative\.{field} must be a finite"):
        SmoothedDerivative(**{"c1": 0.01, "c2": 1000.0, field: value})


def test_filter_weights_of_a_lasting_constant_are_the_residual():
    d = derivative(0.01, 3.0)
    instants = [0.0, 0.4, 2.0]
    edges = np.array([-np.inf, -0.02, -0.005, 0.0, 0.1, 0.2, 1.7, np.inf])
    weights = d.filter_weights(instants, edges[:-1], edges[1:])
    assert weights.shape == (3, 7)
    np.testing.assert_allclose(weights.sum(axis=-1), d.residual, rtol=1e-12)


def test_filter_weights_of_future_cells_are_zero():
    d = derivative(0.01, 10.0)
    weights = d.filter_weights([0.1], [0.1, 0.2], [0.2, np.inf])
    np.testing.assert_array_equal(weights, 0.0)


def test_filter_weights_are_the_convolution_with_each_cell():
    d = derivative(0.01, 8.0)
    starts = np.array([[0.0, 0.013, 0.013, 0.03], [-0.1, 0.0, 0.02, 0.03]])
    ends = np.array([[0.013, 0.013, 0.03, 0.2], [0.0, 0.02, 0.03, 0.1]])
    instants = np.array([[0.02, 0.031, 0.1], [0.005, 0.029, 0.04]])
    weights = d.filter_weights(instants, starts, ends)
    assert weights.shape == (2, 3, 4)
    for row, i, r in np.ndindex(2, 3, 4):
        t = instants[row, i]
        judge = integral(
            lambda s, t=t: d.kernel(t - s), starts[row, r], ends[row, r], [t - d.c1, t]
        )
        assert weights[row, i, r] == pytest.approx(judge, rel=1e-10, abs=1e-12)


def legendre_nodes(intervals, n):
    x, _ = np.polynomial.legendre.leggauss(n)
    middle, half = intervals.mean(axis=1), np.diff(intervals)[:, 0] / 2
    return middle[:, None] + half[:, None] * x


@pytest.mark.parametrize("product", [0.5, 7.0, 50.0])
def test_lagrange_weights_are_exact_for_polynomials(product):
    d = derivative(0.01, product)
    intervals = np.array([[-0.5, 0.0], [0.0, 0.004], [0.004, 0.03], [0.03, 0.031], [0.05, 0.06]])
    nodes = legendre_nodes(intervals, 4)
    polynomial = np.polynomial.Polynomial([1.0, -20.0, 500.0, 3000.0])
    instants = np.array([0.0, 0.002, 0.0305, 0.042])
    response = np.einsum(
        "irj,rj->i", d.lagrange_weights(instants, intervals, nodes), polynomial(nodes)
    )
    for t, value in zip(instants, response, strict=True):
        judge = sum(
            integral(
                lambda s, t=t: d.kernel(t - s) * polynomial(s),
                a,
                b,
                [t - d.c1 - 40 / d.c2, t - d.c1 - 10 / d.c2, t - d.c1 - 2 / d.c2, t - d.c1, t],
            )
            for a, b in intervals
        )
        assert value == pytest.approx(judge, rel=1e-10, abs=1e-11)


def test_lagrange_weights_converge_spectrally_for_exponential_activity():
    """A leaky neuron's activity: the error falls by orders of magnitude with each node."""
    d = derivative(0.01, 10.0)
    intervals = np.array([[0.0, 0.015], [0.015, 0.03]])
    t, tau = 0.027, 0.01
    judge = integral(lambda s: d.kernel(t - s) * np.exp(-s / tau), 0.0, 0.03, [0.015, t - d.c1, t])
    errors = []
    for n in (2, 4, 6, 10):
        nodes = legendre_nodes(intervals, n)
        weights = d.lagrange_weights([t], intervals, nodes)
        errors.append(abs(np.sum(weights[0] * np.exp(-nodes / tau)) - judge))
    assert errors[1] < 0.1 * errors[0]
    assert errors[2] < 1e-2 * errors[1]
    assert errors[3] < 1e-11


def test_lagrange_weights_sum_to_filter_weights():
    d = derivative(0.02, 9.0)
    edges = np.sort(np.random.default_rng(0).uniform(0, 0.3, 8))
    intervals = np.stack([edges[:-1], edges[1:]], axis=1)
    instants = np.linspace(0, 0.4, 23)
    weights = d.lagrange_weights(instants, intervals, legendre_nodes(intervals, 3))
    cells = d.filter_weights(instants, edges[:-1], edges[1:])
    np.testing.assert_allclose(weights.sum(axis=-1), cells, rtol=0, atol=1e-13)


def test_intervals_without_length_weigh_nothing():
    d = derivative(0.01, 9.0)
    intervals = np.array([[0.1, 0.1], [0.1, 0.2]])
    weights = d.lagrange_weights([0.15], intervals, legendre_nodes(intervals, 3))
    np.testing.assert_array_equal(weights[:, 0], 0.0)
    assert np.isfinite(weights).all()
    assert (weights[:, 1] != 0).any()


def test_intervals_must_match_their_nodes():
    with pytest.raises(SettingError, match=r"intervals must be finite and of shape \(2, 2\)"):
        SmoothedDerivative(c1=0.01, c2=1e3).lagrange_weights([0.0], [[0, 1]], np.zeros((2, 3)))


def test_nodes_must_be_distinct():
    with pytest.raises(SettingError, match="nodes must be distinct within each interval"):
        SmoothedDerivative(c1=0.01, c2=1e3).lagrange_weights([0.0], [[0, 1]], [[0.1, 0.5, 0.1]])
