import numpy as np
import pytest

from neurosim.ops.linalg import accumulate_outer


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-13)])
@pytest.mark.parametrize("rows", [1, 7])
def test_the_sum_of_outer_products_is_added_in_place(dtype, rtol, rows):
    rng = np.random.default_rng(0)
    weights, post, pre = (
        rng.standard_normal(shape).astype(dtype) for shape in [(5, 3), (rows, 5), (rows, 3)]
    )
    expected = weights.astype(float)
    for one, other in zip(post, pre, strict=True):
        expected += np.outer(one, other)
    same, address = weights, weights.ctypes.data
    accumulate_outer(weights, post, pre)
    assert weights is same
    assert weights.ctypes.data == address
    np.testing.assert_allclose(weights, expected, rtol=rtol, atol=rtol)


def test_factors_may_be_parts_of_larger_arrays():
    rng = np.random.default_rng(1)
    weights = np.zeros((4, 6))
    post, pre = rng.standard_normal((9, 8))[2:7, ::2], rng.standard_normal((9, 12))[1:6, 3:9]
    accumulate_outer(weights, post, pre)
    np.testing.assert_allclose(weights, post.T @ pre, rtol=1e-13)


def test_nothing_to_add_changes_nothing():
    weights = np.ones((2, 3))
    accumulate_outer(weights, np.zeros((0, 2)), np.zeros((0, 3)))
    np.testing.assert_array_equal(weights, 1.0)
