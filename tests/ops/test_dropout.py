"""Dropout and alpha dropout: what they keep on average, and what they leave alone."""

import numpy as np
import pytest

from neurosim.checks import SettingError
from neurosim.ops.dropout import Dropout

SINGLE = np.dtype("float32")


def draw(dropout, shape=(400, 500), dtype=SINGLE, seed=0):
    return dropout.draw(np.zeros(shape, dtype), np.random.default_rng(seed))


@pytest.mark.parametrize("rate", [0.01, 0.3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_silences_that_share_and_scales_up_the_rest(rate, dtype):
    dropped = draw(Dropout(rate=rate), dtype=np.dtype(dtype)).apply(np.ones((400, 500), dtype))
    assert dropped.dtype == dtype
    silent = dropped == 0
    assert silent.mean() == pytest.approx(rate, abs=5 * np.sqrt(rate / silent.size))
    np.testing.assert_allclose(dropped[~silent], 1 / (1 - rate), rtol=1e-6)


def test_alpha_dropout_keeps_mean_and_variance_of_normalized_activity():
    activity = np.random.default_rng(1).normal(size=(400, 500))
    mask = draw(Dropout(rate=0.2, alpha=True), dtype=activity.dtype)
    dropped = mask.apply(activity)
    assert dropped.mean() == pytest.approx(activity.mean(), abs=0.01)
    assert dropped.var() == pytest.approx(activity.var(), abs=0.02)
    silenced = mask.scale == 0
    assert np.ptp(dropped[silenced]) == 0
    assert silenced.mean() == pytest.approx(0.2, abs=0.01)


def test_nothing_is_dropped_at_rate_zero():
    activity = np.random.default_rng(1).normal(size=(4, 5))
    for alpha in (False, True):
        mask = draw(Dropout(rate=0.0, alpha=alpha), (4, 5), activity.dtype)
        np.testing.assert_array_equal(mask.apply(activity), activity)


def test_the_same_generator_gives_the_same_mask():
    first, again, other = (draw(Dropout(rate=0.5), (9, 9), seed=seed).scale for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_unusable_rate_is_refused():
    with pytest.raises(SettingError, match=r"Dropout\.rate must be in \[0, 1\); got 1"):
        Dropout(rate=1.0)
