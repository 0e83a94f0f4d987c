"""Bands, and logarithmic axes that people can read."""

import numpy as np
import pytest

from neurosim.plotting import context, figure
from neurosim.plotting.curves import log_axis, ribbon


@pytest.mark.parametrize("limits", [(0.01, 100), (2.1, 4.8), (0.9, 1.1), (15, 900), (3, 30)])
@pytest.mark.parametrize("which", ["xaxis", "yaxis"])
def test_ticks_lie_in_the_range_and_there_are_enough(limits, which):
    _, axes = figure()
    panel = axes[0, 0]
    axis = getattr(panel, which)
    panel.set(xlim=limits, ylim=limits)
    log_axis(axis)
    ticks = axis.get_majorticklocs()
    assert 3 <= len(ticks) <= 12
    assert limits[0] <= min(ticks) <= max(ticks) <= limits[1]
    assert axis.get_scale() == "log"
    other = panel.yaxis if which == "xaxis" else panel.xaxis
    assert other.get_scale() == "linear"


def test_a_band_reaches_from_the_lowest_to_the_highest():
    with context():
        _, axes = figure()
        x = np.array([1.0, 2.0])
        ribbon(axes[0, 0], x, x, x - 0.5, x + 1, color="black")
        (band,) = axes[0, 0].collections
    edges = band.get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == (0.5, 3.0)


def test_a_single_moment_is_a_point_that_can_be_seen():
    _, axes = figure()
    one = np.array([1.0])
    ribbon(axes[0, 0], one, one, one - 0.5, one + 0.5, color="black")
    assert axes[0, 0].lines[0].get_marker() == "o"
