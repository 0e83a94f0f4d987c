"""The two-point level as matrices, against the sequence it stands for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurosim.checks import SettingError
from neurosim.streaming.timeline import TwoPoint


def geometry(remembered, beta=0.1):
    n = remembered + 1
    return TwoPoint(remembered=remembered).geometry(np.full(n, 0.2), np.zeros(n), beta)


@pytest.mark.parametrize("remembered", [1, 2, 5])
def test_the_signal_is_the_difference_to_each_remembered_presentation(remembered):
    found = geometry(remembered)
    z = np.random.default_rng(0).normal(size=remembered + 1)
    np.testing.assert_allclose(found.filter @ z, z[-1] - z[:-1], rtol=1e-15)
    np.testing.assert_allclose(found.weight, 1 / remembered)  # the mean over the pairs
    np.testing.assert_array_equal(found.trace_weight, [1])


@given(
    remembered=st.integers(1, 6),
    beta=st.floats(1e-4, 0.9),
    mean=st.floats(-3, 3),
    seed=st.integers(0, 99),
)
def test_the_running_mean_is_that_of_one_comparison_after_the_other(remembered, beta, mean, seed):
    found = geometry(remembered, beta)
    b2 = np.random.default_rng(seed).normal(size=remembered)
    b3 = found.mean_keep * mean + found.mean_filter @ b2
    expected = []
    for value in b2:
        mean = (1 - beta) * mean + beta * value
        expected.append(mean)
    np.testing.assert_allclose(b3[:-1], expected, rtol=1e-10, atol=1e-12)
    assert b3[-1] == b3[-2]


def test_there_is_one_trace_a_presentation_and_no_rest():
    timeline = TwoPoint(remembered=3)
    assert timeline.at_rest.tolist() == [False]
    assert (timeline.n_traces, timeline.n_window, timeline.n_partners) == (1, 4, 3)


def test_something_must_be_remembered():
    with pytest.raises(SettingError, match=r"TwoPoint\.remembered must be at least 1; got 0"):
        TwoPoint(remembered=0)
