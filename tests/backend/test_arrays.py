"""Arrays decide the device."""

import numpy as np
import pytest

from neurosim import backend
from neurosim.checks import SettingError


def test_numpy_arrays_compute_with_numpy():
    assert backend.namespace(np.zeros(2), np.float32(1)) is np


def test_gpu_arrays_compute_with_cupy(cupy):
    assert backend.namespace(cupy.ndarray()) is cupy


def test_mixing_devices_names_both(cupy):
    with pytest.raises(SettingError, match=r"one device; got cpu, gpu\. Move them"):
        backend.namespace(np.zeros(2), cupy.ndarray())


def test_namespace_of_nothing_is_refused():
    with pytest.raises(SettingError, match="got none"):
        backend.namespace()


def test_lists_are_not_arrays():
    with pytest.raises(SettingError, match="got list"):
        backend.namespace([1.0, 2.0])


def test_an_array_already_there_is_not_copied():
    array = np.zeros(2)
    assert backend.to_device(array, "cpu") is array


def test_an_unknown_device_names_the_known_ones():
    with pytest.raises(SettingError, match="one of cpu, gpu; got 'tpu'"):
        backend.to_device(np.zeros(2), "tpu")


def test_only_a_device_has_to_be_waited_for(cupy):
    assert all(map(backend.at_hand, (1.0, 2, np.float32(3), np.zeros(()))))
    assert not backend.at_hand(cupy.ndarray())


@pytest.mark.gpu
def test_a_round_trip_over_the_gpu_keeps_every_bit():
    array = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    moved = backend.to_device(array, "gpu")
    assert backend.namespace(moved) is backend.cupy_or_none()
    assert backend.to_device(moved, "cpu").tobytes() == array.tobytes()
