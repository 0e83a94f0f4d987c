"""How exact products are is chosen once for all that computes at a time."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from neurosim.backend import products, to_device
from neurosim.checks import SettingError


def chosen(cupy):
    return cupy._core.get_compute_type("f"), cupy.cuda.cublas.mode


def test_the_choice_holds_within_the_context(cupy):
    with products("tf32"):
        assert chosen(cupy) == (7, 3)
        with products("tf32"):
            assert chosen(cupy) == (7, 3)
        assert chosen(cupy) == (7, 3)
    assert chosen(cupy) == (1, 0)


def test_full_precision_is_a_choice_too(cupy):
    cupy._core.set_compute_type("f", 7)  # CUPY_TF32=1 in the environment
    with products("float32"):
        assert chosen(cupy) == (1, 0)
    assert chosen(cupy) == (7, 0)


def test_an_error_within_ends_it(cupy):
    with pytest.raises(KeyError), products("tf32"):
        raise KeyError
    assert chosen(cupy) == (1, 0)


def test_another_kind_meanwhile_is_refused(cupy):
    with (
        products("tf32"),
        pytest.raises(SettingError, match=r"products\.kind must be one .* got 'float32'\. Let"),
        products("float32"),
    ):
        pass
    with products("float32"):
        assert chosen(cupy) == (1, 0)


def test_it_lasts_until_the_last_thread_has_left(cupy):
    inside, leave = threading.Event(), threading.Event()

    def compute():
        with products("tf32"):
            inside.set()
            leave.wait(5)

    other = threading.Thread(target=compute)
    with products("tf32"):
        other.start()
        assert inside.wait(5)
    assert chosen(cupy)[0] == 7
    leave.set()
    other.join()
    assert chosen(cupy)[0] == 1


def test_an_old_gpu_has_no_tf32(cupy):
    cupy.cuda.Device = lambda: SimpleNamespace(compute_capability="75")
    with pytest.raises(SettingError, match="be float32 on this GPU"), products("tf32"):
        pass
    with products("float32"):
        pass


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(SettingError, match="one of float32, tf32; got 'half'"), products("half"):
        pass


@pytest.mark.gpu
@pytest.mark.parametrize("stacked", [False, True])
def test_errors_of_products_are_within_their_bounds(stacked):
    """Each factor of a term is off by 2^-24, or 2^-11 in TF32; sums of 512 add float32's error."""
    rng = np.random.default_rng(0)
    shape = (3, 256, 512) if stacked else (256, 512)
    a, b = (rng.normal(size=shape).astype(np.float32) for _ in range(2))
    b = b.swapaxes(-1, -2)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    terms = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    errors = {}
    for kind in ("float32", "tf32"):
        with products(kind):
            found = to_device(a, "gpu") @ to_device(np.ascontiguousarray(b), "gpu")
        errors[kind] = np.abs(to_device(found, "cpu") - exact) / terms
    sums = 512 * 2.0**-24
    assert errors["float32"].max() < sums
    assert errors["tf32"].max() < 2.0**-10 + sums
    assert errors["tf32"].max() > 8 * errors["float32"].max(), "TF32 was not used"
