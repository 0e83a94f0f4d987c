"""Quadrature on several intervals, against closed forms and scipy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from neurosim.ops.quadrature import causal_weights, gauss_nodes, lagrange_basis

INTERVALS = np.array([[0.0, 0.3], [0.3, 0.3], [0.3, 1.1]])


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 8), power=st.integers(0, 15))
def test_gauss_nodes_are_exact_to_twice_their_number(n, power):
    nodes, weights = gauss_nodes(INTERVALS, n)
    found = (weights * nodes**power).sum(axis=1)
    exact = np.diff(INTERVALS ** (power + 1))[:, 0] / (power + 1)
    if power < 2 * n:
        np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-15)
    else:
        assert abs(found - exact).max() > 0
    assert (weights[1] == 0).all()


def test_lagrange_basis_is_one_at_its_node_and_interpolates():
    nodes, _ = gauss_nodes(INTERVALS[[0, 2]], 4)
    points = np.stack([np.linspace(a, b, 9) for a, b in INTERVALS[[0, 2]]])
    polynomial = np.polynomial.Polynomial([1.0, -2.0, 3.0, 4.0])
    total = np.zeros_like(points)
    for j in range(4):
        np.testing.assert_allclose(
            lagrange_basis(nodes, nodes, j), np.eye(4)[[j, j]], rtol=0, atol=1e-12
        )
        total += polynomial(nodes[:, [j]]) * lagrange_basis(points, nodes, j)
    np.testing.assert_allclose(total, polynomial(points), rtol=1e-12)


def test_causal_weights_are_the_convolution_up_to_each_instant():
    tau = 0.2
    nodes, _ = gauss_nodes(INTERVALS, 3)
    instants = np.array([-0.1, 0.0, 0.13, 0.3, 0.7, 1.1, 2.0])

    def kernel(t):
        return np.exp(-t / tau) / tau

    weights = causal_weights(kernel, instants, INTERVALS, nodes)
    assert weights.shape == (7, 3, 3)
    polynomial = np.polynomial.Polynomial([1.0, -2.0, 3.0])
    for i, t in enumerate(instants):
        for r, (a, b) in enumerate(INTERVALS):
            judge = quad(lambda s, t=t: kernel(t - s) * polynomial(s), a, max(min(b, t), a))[0]
            assert weights[i, r] @ polynomial(nodes[r]) == pytest.approx(judge, abs=1e-12)


def test_a_lasting_constant_decays_to_itself():
    """exp filter: what is kept of the past and what the present adds are together one."""
    nodes, _ = gauss_nodes(INTERVALS, 5)
    weights = causal_weights(lambda t: np.exp(-t), np.array([1.1]), INTERVALS, nodes)
    assert weights.sum() + math.exp(-1.1) == pytest.approx(1, rel=1e-13)
