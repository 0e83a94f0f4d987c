"""Bands and values read off learning curves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurosim.comparison.curves import at, band, common

CURVE = (np.array([10.0, 20.0, 40.0]), np.array([0.5, 0.6, 1.0]))
EMPTY = (np.zeros(0), np.zeros(0))


@pytest.mark.parametrize(("moment", "value"), [(10, 0.5), (20, 0.6), (40, 1.0), (25, 0.7)])
def test_a_curve_is_exact_where_measured_and_linear_between(moment, value):
    assert at(CURVE, moment) == pytest.approx(value)


@pytest.mark.parametrize("moment", [9.9, 40.1, np.nan])
def test_nothing_is_extrapolated(moment):
    assert np.isnan(at(CURVE, moment))
    assert np.isnan(at(EMPTY, 20))


def test_the_common_moment_is_the_earliest_end():
    assert common([CURVE, (np.array([5.0, 30.0]), np.zeros(2)), EMPTY]) == 30
    assert np.isnan(common([EMPTY]))


def test_a_band_covers_what_all_curves_know():
    other = (np.array([15.0, 30.0, 50.0]), np.array([0.0, 0.3, 0.5]))
    found = band([CURVE, other, EMPTY])
    np.testing.assert_array_equal(found.x, [15, 20, 30, 40])
    np.testing.assert_allclose(found.low, [0.0, 0.1, 0.3, 0.4])
    np.testing.assert_allclose(found.high, [0.55, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(found.mean, (found.low + found.high) / 2)


def test_curves_that_never_overlap_have_no_band():
    assert len(band([CURVE, (np.array([50.0]), np.array([1.0]))]).x) == 0
    assert len(band([]).x) == 0


curves = st.lists(
    st.lists(st.tuples(st.integers(0, 99), st.floats(0, 1)), min_size=1, max_size=6,
             unique_by=lambda point: point[0]),
    min_size=1, max_size=4,
)  # fmt: skip


@given(curves)
def test_every_curve_lies_within_its_band(points):
    drawn = [tuple(np.array(sorted(p), float).T) for p in points]
    found = band(drawn)
    for k, moment in enumerate(found.x):
        values = [at(curve, moment) for curve in drawn]
        assert min(values) == found.low[k] <= found.mean[k] + 1e-12
        assert max(values) == found.high[k] >= found.mean[k] - 1e-12
