import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from neurosim.ops import linalg
from neurosim.ops.linalg import accumulate_outer, matmul, sharing


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


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_shared_products_are_products(monkeypatch, threads):
    monkeypatch.setattr(linalg, "WORTH_SHARING", 1)
    rng = np.random.default_rng(2)
    wide, tall = rng.standard_normal((7, 5)), rng.standard_normal((5, 4)).astype(np.float32)
    with sharing(threads):
        for a, b in ((wide, tall), (wide.T, wide), (tall, tall.T), (wide[:1], tall)):
            found = matmul(a, b)
            assert found.dtype == (a @ b).dtype
            np.testing.assert_allclose(found, a @ b, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(matmul(wide[0], tall), wide[0] @ tall)


def test_only_large_products_wake_other_threads(monkeypatch):
    seen, original = [], np.matmul

    def watched(a, b, out):
        seen.append(threading.current_thread() is threading.main_thread())
        return original(a, b, out)

    monkeypatch.setattr(linalg.np, "matmul", watched)
    large, small = np.ones((512, 512)), np.ones((8, 8))
    matmul(large, large)
    with sharing(2):
        matmul(small, small)
        assert seen == []
        blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
        assert set(blas) == {1}
        matmul(large, large)
    assert sorted(seen) == [False, True]
    matmul(large, large)
    assert len(seen) == 2
