"""Arrays decide the device, and a missing device says what to install."""

import sys
from types import ModuleType

import numpy as np
import pytest

from neurosim import backend
from neurosim.checks import SettingError


@pytest.fixture
def pretend_cupy(monkeypatch):
    """A stand-in module whose arrays are recognised as the GPU's."""

    class GpuArray:
        pass

    cupy = ModuleType("cupy")
    cupy.ndarray = GpuArray
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    return cupy


def test_numpy_arrays_compute_with_numpy():
    assert backend.namespace(np.zeros(2), np.float32(1)) is np


def test_gpu_arrays_compute_with_cupy(pretend_cupy):
    assert backend.namespace(pretend_cupy.ndarray()) is pretend_cupy


def test_mixing_devices_names_both(pretend_cupy):
    with pytest.raises(SettingError, match=r"one device; got cpu, gpu\. Move them"):
        backend.namespace(np.zeros(2), pretend_cupy.ndarray())


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


def test_gpu_without_cupy_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # makes `import cupy` fail
    backend._import_cupy.cache_clear()
    try:
        with pytest.raises(SettingError, match=r"neurosim\[cuda12\]"):
            backend.to_device(np.zeros(2), "gpu")
        assert backend.cupy_or_none() is None
    finally:
        backend._import_cupy.cache_clear()


def test_gpu_without_a_driver_says_so(monkeypatch, pretend_cupy):
    class CUDARuntimeError(RuntimeError):
        pass

    def no_device():
        raise CUDARuntimeError("cudaErrorInsufficientDriver")

    runtime = ModuleType("cupy.cuda.runtime")
    runtime.CUDARuntimeError, runtime.getDeviceCount = CUDARuntimeError, no_device
    pretend_cupy.cuda = ModuleType("cupy.cuda")
    pretend_cupy.cuda.runtime = runtime
    backend._import_cupy.cache_clear()
    try:
        with pytest.raises(SettingError, match=r"cudaErrorInsufficientDriver.*nvidia-smi"):
            backend.to_device(np.zeros(2), "gpu")
    finally:
        backend._import_cupy.cache_clear()


def test_a_device_can_be_required_before_there_is_an_array(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    backend._import_cupy.cache_clear()
    try:
        backend.require_device("Config.device", "cpu")
        with pytest.raises(SettingError, match=r"Config\.device must be .*CuPy is not installed"):
            backend.require_device("Config.device", "gpu")
        with pytest.raises(SettingError, match=r"Config\.device must be one of cpu, gpu"):
            backend.require_device("Config.device", "tpu")
    finally:
        backend._import_cupy.cache_clear()


def test_only_a_device_has_to_be_waited_for(pretend_cupy):
    assert all(map(backend.at_hand, (1.0, 2, np.float32(3), np.zeros(()))))
    assert not backend.at_hand(pretend_cupy.ndarray())


@pytest.mark.gpu
def test_a_round_trip_over_the_gpu_keeps_every_bit():
    array = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    moved = backend.to_device(array, "gpu")
    assert backend.namespace(moved) is backend.cupy_or_none()
    assert backend.to_device(moved, "cpu").tobytes() == array.tobytes()
