"""Products and sums over runs of equal rows are those over all rows."""

import numpy as np
import pytest

from neurosim.streaming.repeats import Repeats


@pytest.mark.parametrize("runs", [[1], [3], [1, 1, 1], [2, 1, 4]])
def test_what_is_computed_once_is_what_every_row_would_give(runs):
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.standard_normal((len(runs), 5)), runs, axis=0)
    other, values = rng.standard_normal((4, 5)), rng.standard_normal((len(rows), 3))
    repeats, out = Repeats.of(rows), np.empty((len(rows), 4))
    repeats.product(rows, other, out)
    assert len(repeats.first) == len(runs)
    np.testing.assert_allclose(out, rows @ other.T, rtol=1e-13)
    outer = repeats.sums(values).T @ rows[repeats.first]
    np.testing.assert_allclose(outer, values.T @ rows, rtol=1e-12, atol=1e-13)


def test_equal_rows_apart_are_two_runs():
    assert Repeats.of(np.array([[1.0], [2.0], [1.0]])).run.tolist() == [0, 1, 2]
