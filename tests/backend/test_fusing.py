"""One source, one kernel: what is fused is what is computed without."""

import numpy as np
import pytest

from neurosim.backend import fused, to_device
from neurosim.testing import pretend_device


@fused
def swing(xp, a, b, rate):
    a *= rate
    a += xp.sqrt(b)
    return xp.where(a > 1, a, -b)


def arguments(dtype="float64"):
    return np.linspace(0, 2, 6).astype(dtype).reshape(2, 3), np.full((2, 3), 0.25, dtype), 0.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_of_numpy_are_computed_plainly(dtype):
    a, b, rate = arguments(dtype)
    expected = a * rate + np.sqrt(b)
    found = swing(a, b, rate)
    np.testing.assert_array_equal(a, expected)
    np.testing.assert_array_equal(found, np.where(expected > 1, expected, -b))
    assert found.dtype == dtype


def test_what_it_is_called_and_says_is_kept():
    assert swing.__name__ == "swing"


def test_a_pretend_device_computes_the_same():
    a, b, rate = arguments()
    with pretend_device():
        there = to_device(a, "gpu"), to_device(b, "gpu")
        found = swing(*there, np.float64(rate)).get()
        np.testing.assert_array_equal(found, swing(a, b, rate))
        np.testing.assert_array_equal(there[0].get(), a)


def test_a_module_that_fuses_is_asked_once_and_by_name(cupy):
    made, calls = [], []

    def fuse(kernel_name):
        def wrap(function):
            made.append(kernel_name)
            return lambda *args: calls.append(args) or "done"

        return wrap

    cupy.fuse = fuse
    array = cupy.ndarray()
    other = fused(swing.__wrapped__)
    assert [other(array, array, 2.0), other(array, array, 3)] == ["done", "done"]
    assert made == ["swing"]
    assert calls == [(array, array, 2.0), (array, array, 3)]


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gpu_gives_the_same_in_one_kernel(dtype):
    a, b, rate = arguments(dtype)
    there = to_device(a, "gpu"), to_device(b, "gpu")
    found = to_device(swing(*there, rate), "cpu")
    expected = swing(a, b, rate)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(to_device(there[0], "cpu"), a, rtol=4 * np.finfo(dtype).eps)
