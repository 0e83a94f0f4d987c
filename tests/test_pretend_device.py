"""The pretend device refuses and counts what a GPU would refuse and wait for."""

import numpy as np
import pytest

from neurosim.backend import cupy_or_none, device_of, namespace, to_device
from neurosim.checks import SettingError
from neurosim.testing import check_on_device, pretend_device


@pytest.fixture
def device():
    with pretend_device() as device:
        yield device


def send(values):
    return to_device(np.array(values), "gpu")


def test_it_is_the_gpu_only_within_its_context():
    with pretend_device() as device:
        assert cupy_or_none() is device
        array = send([1.0, 2.0])
        assert (device_of(array), namespace(array)) == ("gpu", device)
        assert to_device(array, "cpu").tolist() == [1.0, 2.0]
        assert (device.sends, device.fetches, device.synchronisations) == (1, 1, 0)
    with pytest.raises(SettingError, match="must be a NumPy or CuPy array; got PretendArray"):
        device_of(array)


@pytest.mark.parametrize(
    "compute",
    [
        lambda a: np.maximum(a, 0) @ a.T / 2,
        lambda a: np.where(a > 0, a, np.float32(3)),
        lambda a: np.concatenate([a, np.zeros_like(a)], axis=1)[:, ::2],
        lambda a: np.linalg.norm(a) + a.mean(dtype=np.float64),
        lambda a: np.einsum("ij,ij->i", a, a).reshape(1, -1),
        lambda a: namespace(a).arange(4)[None, :] * a,
        lambda a: np.unique(a)[:1].astype(np.float32),
        lambda a: [*np.split(a, 2, axis=1), *a],
        lambda a: np.divide(a, 2, out=np.empty_like(a)),
    ],
)
def test_numpys_functions_stay_on_the_device(device, compute):
    host = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    found, expected = compute(to_device(host, "gpu")), compute(host)
    if not isinstance(found, list):
        found, expected = [found], [expected]
    for one, other in zip(found, expected, strict=True):
        assert (device_of(one), one.shape, one.dtype) == ("gpu", np.shape(other), other.dtype)
        np.testing.assert_array_equal(to_device(one, "cpu"), other)


def test_changes_in_place_are_seen_through_views(device):
    array = send(np.zeros((2, 3)))
    row = array[1]
    row += 2
    array[0, 1:] = row[1:] * 2
    array[...] *= 10
    assert array.get().tolist() == [[0, 40, 40], [20, 20, 20]]


@pytest.mark.parametrize(
    "wait",
    [
        lambda a: float(a.sum()),
        lambda a: int(a[0]),
        lambda a: bool((a > 0).all()),
        lambda a: range(send(3)),
        lambda a: a.mean().item(),
        lambda a: a.tolist(),
        lambda a: a[a > 0],
        lambda a: np.flatnonzero(a),
        lambda a: max(a[0], a[1]),
        lambda a: np.allclose(a, a) or None,
    ],
)
def test_what_waits_for_the_device_is_counted(device, wait):
    wait(send([1.0, 2.0]))
    assert device.synchronisations == 1


@pytest.mark.parametrize(
    ("accident", "message"),
    [
        (lambda a: np.asarray(a), "must not become one of the host by accident"),
        (lambda a: np.array([a, a]), "must not become one of the host by accident"),
        (lambda a: a + np.ones(2), r"array of the host, of shape \(2,\)"),
        (lambda a: np.ones(2) * a, r"array of the host, of shape \(2,\)"),
        (lambda a: a[np.array([1, 0])], r"array of the host, of shape \(2,\)"),
        (lambda a: np.concatenate([a, np.ones(2)]), r"array of the host, of shape \(2,\)"),
        (lambda a: a.__setitem__(slice(None), np.ones(2)), r"array of the host, of shape \(2,\)"),
        (lambda a: np.add(np.ones(2), 1, out=(a,)), r"array of the host, of shape \(2,\)"),
        (lambda a: np.divide(1, a, where=a > 0), "numpy.divide takes no `where`"),
    ],
)
def test_what_a_gpu_refuses_is_refused(device, accident, message):
    with pytest.raises(TypeError, match=message):
        accident(send([1.0, 2.0]))


def test_numbers_of_the_host_are_welcome(device):
    array = send(np.ones(2, np.float32))
    assert (np.float32(2) * array + np.array(1.0, np.float32)).get().tolist() == [3.0, 3.0]


def test_indices_beyond_the_end_begin_again(device):
    array = send([[1.0, 2.0], [3.0, 4.0]])
    assert array[send([0, 1]), send([2, 3])].get().tolist() == [1.0, 4.0]


def test_mixing_devices_names_both(device):
    with pytest.raises(SettingError, match=r"one device; got cpu, gpu\. Move them"):
        namespace(np.ones(2), send([1.0]))


@pytest.mark.parametrize(
    ("compute", "promise"),
    [
        (lambda a: float(a.sum()) * a, "not wait for the device its arrays are on. It did 1 times"),
        (lambda a: to_device(a, "cpu"), "not wait for the device"),
        (lambda a: np.asarray(a), "compute where its arrays are. It ended in TypeError"),
        (lambda a: a + np.ones(3), "compute where its arrays are. .* of the host"),
        (lambda a: np.ones(3), "leave its results on the device"),
        (lambda a: a * (2 if isinstance(a, np.ndarray) else 3), "give the same result"),
        (lambda a: (a,) * (2 if isinstance(a, np.ndarray) else 3), "give as many results"),
    ],
)
def test_what_breaks_the_promise_is_told(compute, promise):
    check_on_device("it", lambda a: {"twice": (2 * a, a.sum())}, np.arange(3.0))
    with pytest.raises(AssertionError, match=f"it must {promise}"):
        check_on_device("it", compute, np.arange(3.0))
