"""Classic rules against their equations, and what they are known for."""

import numpy as np
import pytest

from neurosim.layers import Dense
from neurosim.plasticity import BCM, RULES, Hebb, Local, Oja, ThirdFactor

LAYER = Dense(np.zeros((3, 2)))
RATE, GAIN = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.3, 0.8])
SQUARE = np.array([0.1, 0.2, 3.0])


def factors(rule, weight=1.0):
    local = Local(RATE, GAIN, RATE, np.zeros(3), SQUARE)
    return rule.factors(local, ThirdFactor(np.zeros(3), 0.0, weight), rule.constants(LAYER))


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_postsynaptic_factors_are_those_of_the_equations(weight):
    np.testing.assert_allclose(factors(Hebb(threshold=0.25), weight).post, weight * (RATE - 0.25))
    np.testing.assert_allclose(factors(Oja(), weight).post, weight * RATE)
    np.testing.assert_allclose(factors(BCM(), weight).post, weight * RATE * (RATE - SQUARE) * GAIN)


def test_only_oja_forgets():
    np.testing.assert_allclose(factors(Oja(), 0.5).decay, 0.5 * RATE**2)
    for rule in (Hebb(), BCM()):
        assert not np.any(factors(rule).decay)


def learned(rule, stimuli, eta, weights):
    """A linear neuron, one stimulus after the other, with running averages as documented."""
    mean_square = 0.0
    for x in stimuli:
        z = float(weights @ x)
        local = Local(z, 1.0, z, 0.0, mean_square)
        third = ThirdFactor(0.0, 0.0, 1.0)
        post, decay = rule.factors(local, third, rule.constants(LAYER))
        weights = (1 - eta * decay) * weights + eta * post * x
        mean_square += (z**2 - mean_square) / rule.averages if rule.averages else 0.0
    return weights


def test_oja_finds_the_first_principal_component_with_unit_norm():
    rng = np.random.default_rng(0)
    stimuli = rng.normal(size=(20_000, 3)) * [2.0, 1.0, 0.5]
    weights = learned(Oja(), stimuli, 2e-3, np.array([0.3, 0.3, 0.3]))
    np.testing.assert_allclose(np.abs(weights), [1, 0, 0], atol=0.08)


def test_bcm_becomes_selective_for_one_of_two_stimuli():
    """Two orthogonal stimuli shown at random: one ends at rate 1 / its probability, one at 0."""
    rng = np.random.default_rng(1)
    stimuli = np.eye(2)[rng.integers(0, 2, 40_000)]
    weights = learned(BCM(averages=30.0), stimuli, 5e-3, np.array([0.6, 0.5]))
    np.testing.assert_allclose(weights, [2, 0], atol=0.2)


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_an_example_that_repeats_the_defaults(name):
    assert RULES[name].example() == RULES[name]()
