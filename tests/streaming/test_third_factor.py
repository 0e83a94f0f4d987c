"""The third-factor circuit, against a literal transcription of equations 59 to 66."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.checks import SettingError
from neurosim.streaming.third_factor import ThirdFactorCircuit, evaluate
from neurosim.streaming.timeline import TwoPoint

settings_of_circuits = st.builds(
    ThirdFactorCircuit,
    sigma=st.floats(0.3, 10),
    gamma=st.floats(0, 5),
    beta=st.floats(0.001, 0.9),
)


def literal(circuit, pairs, b3):
    """b1, b2, b3 and M of one comparison after the other, in plain arithmetic."""
    rows = []
    for change, label_similarity in pairs:
        b1 = math.fsum(float(c) ** 2 for c in change)  # eqs. 59, 65
        k = math.exp(-b1 / (2 * circuit.sigma**2))
        b2 = circuit.gamma * label_similarity - 2 * k  # eq. 60
        b3 = b3 + circuit.beta * (b2 - b3)  # eq. 61
        m = -(1 / circuit.sigma**2) * (b2 - b3) * k  # eqs. 62, 66
        rows.append((b1, b2, b3, m))
    return np.array(rows).T, b3


def geometry(remembered, beta):
    n = remembered + 1
    return TwoPoint(remembered=remembered).geometry(np.ones(n), np.zeros(n), beta)


def compared(circuit, change, teaching, gate, mean):
    g = geometry(len(change), circuit.beta)
    return evaluate(circuit, change, teaching, gate, mean, g.mean_keep, g.mean_filter)


@settings(deadline=None, max_examples=60)
@given(
    circuit=settings_of_circuits,
    remembered=st.integers(1, 4),
    mean=st.floats(-3, 3),
    seed=st.integers(0, 99),
)
def test_the_circuit_is_its_equations(circuit, remembered, mean, seed):
    rng = np.random.default_rng(seed)
    change = rng.normal(size=(remembered, 5))
    teaching = rng.choice([1.0, -1 / 9], remembered)
    trace, after = compared(circuit, change, teaching, np.ones(remembered), mean)
    expected, last = literal(circuit, zip(change, teaching, strict=True), mean)
    np.testing.assert_allclose(np.stack(trace), expected, rtol=1e-10, atol=1e-12)
    assert after == pytest.approx(last, rel=1e-12)


def test_over_many_presentations_the_mean_is_carried():
    circuit, rng, mean = ThirdFactorCircuit(sigma=1.5, beta=0.2), np.random.default_rng(0), 0.0
    pairs = [(rng.normal(size=(1, 3)), rng.choice([1.0, -0.5])) for _ in range(20)]
    found = []
    for change, teaching in pairs:
        trace, mean = compared(circuit, change, np.array([teaching]), np.ones(1), mean)
        found.append([row[0] for row in trace])
    expected, last = literal(circuit, [(change[0], y) for change, y in pairs], 0.0)
    np.testing.assert_allclose(np.transpose(found), expected, rtol=1e-12)
    assert mean == pytest.approx(last)


def test_equal_labels_of_different_activity_are_hebbian_and_the_reverse():
    """After a neutral past, M > 0 pulls presentations of different labels apart."""
    circuit, change = ThirdFactorCircuit(sigma=1.0, beta=0.01), np.full((1, 4), 0.3)
    together, _ = compared(circuit, change, np.array([1.0]), np.ones(1), 0.0)
    apart, _ = compared(circuit, change, np.array([-1 / 9]), np.ones(1), 0.0)
    assert together.modulator[0] < 0 < apart.modulator[0]


@settings(deadline=None, max_examples=30)
@given(circuit=settings_of_circuits, mean=st.floats(-3, 3))
def test_without_a_teaching_signal_nothing_is_learned_and_the_mean_stays(circuit, mean):
    change = np.ones((1, 3))
    trace, after = compared(circuit, change, np.ones(1), np.zeros(1), mean)
    assert trace.modulator[0] == 0
    assert trace.b1[0] == 3
    assert after == pytest.approx(mean, rel=1e-12, abs=1e-15)


def test_far_activity_underflows_to_nothing_without_a_warning():
    trace, _ = compared(ThirdFactorCircuit(), np.full((1, 1000), 30.0), np.ones(1), np.ones(1), 0.0)
    assert trace.modulator[0] == 0
    assert np.isfinite(trace.b2[0])


@pytest.mark.parametrize(
    "change", [{"sigma": 0.0}, {"gamma": -1.0}, {"beta": 0.0}, {"beta": 1.0}, {"sigma": np.nan}]
)
def test_unusable_settings_are_refused(change):
    (field,) = change
    with pytest.raises(SettingError, match=rf"ThirdFactorCircuit\.{field} must"):
        ThirdFactorCircuit(**change)
