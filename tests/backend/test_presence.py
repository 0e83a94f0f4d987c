"""A GPU that cannot be used: what is missing, and what to do about it."""

import builtins
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from neurosim import backend
from neurosim.backend import presence
from neurosim.checks import SettingError
from tests.backend.conftest import CUDARuntimeError


def refused(match):
    with pytest.raises(SettingError, match=r"Config\.device must be available .*" + match):
        backend.require_device("Config.device", "gpu")
    with pytest.raises(SettingError, match=r"to_device\.device must be available .*" + match):
        backend.to_device(np.zeros(2), "gpu")
    assert backend.cupy_or_none() is None


def test_a_usable_gpu_is_not_refused(cupy):
    backend.require_device("Config.device", "gpu")
    assert backend.cupy_or_none() is cupy


def test_the_cpu_is_always_there(cupy, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    backend.require_device("Config.device", "cpu")
    with pytest.raises(SettingError, match=r"Config\.device must be one of cpu, gpu"):
        backend.require_device("Config.device", "tpu")


def test_without_cupy(cupy, monkeypatch):
    monkeypatch.delitem(sys.modules, "cupy")
    fail_to_import(monkeypatch, ModuleNotFoundError("No module named 'cupy'", name="cupy"))
    refused(r"CuPy is not installed: .*neurosim\[cuda12\].*neurosim\[cuda13\]")


def fail_to_import(monkeypatch, error):
    original = builtins.__import__

    def importing(name, *args, **kwargs):
        if name == "cupy":
            raise error
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", importing)


@pytest.mark.parametrize(
    "error",
    [
        ImportError(
            f"\n{'=' * 9}\nFailed.\n\nOriginal error:\n  ImportError: libcudart\n{'=' * 9}\n"
        ),
        ModuleNotFoundError("No module named 'libcudart'", name="libcudart"),
    ],
)
def test_a_cupy_that_cannot_be_imported_says_why(cupy, monkeypatch, error):
    monkeypatch.delitem(sys.modules, "cupy")
    fail_to_import(monkeypatch, error)
    refused(r"installed but cannot be used \([^=]*libcudart'?\): run .*neurosim\[cuda12\]")


def test_a_cupy_without_its_libraries_says_which(cupy):
    class Cuda:
        runtime = cupy.cuda.runtime

        @property
        def cublas(self):
            raise ImportError('Failure finding "libcublasLt.so.12"')

    cupy.cuda = Cuda()
    refused(r"installed but cannot be used \(.*libcublasLt\.so\.12.*\): run .*neurosim\[cuda12\]")


def no_gpu(cupy, driver, needed=12090, complaint="cudaErrorInsufficientDriver: too old"):
    def count():
        raise CUDARuntimeError(complaint)

    cupy.cuda.runtime.getDeviceCount = count
    cupy.cuda.runtime.driverGetVersion = lambda: driver
    cupy.cuda.runtime.runtimeGetVersion = lambda: needed


def test_no_driver(cupy):
    no_gpu(cupy, driver=0)
    refused(r"no NVIDIA driver \(cudaErrorInsufficientDriver: .*\): .*nvidia-smi must list a GPU\.")


def test_a_driver_older_than_cupy_wants_names_both_and_the_extra_that_fits(cupy):
    no_gpu(cupy, driver=12040, needed=13010)
    refused(
        r"driver is for CUDA 12\.4 and older, and CuPy 14\.2\.0 for CUDA 13\.1: install a newer "
        r"driver, or `pip uninstall cupy-cuda13x` and `pip install 'neurosim\[cuda12\]'`\."
    )


def test_a_driver_older_than_any_extra(cupy):
    no_gpu(cupy, driver=11040)
    refused(r"driver is for CUDA 11\.4 and older, .* for CUDA 12\.9: install a newer driver\.")


@pytest.mark.parametrize("raises", [True, False])
def test_a_driver_that_sees_no_gpu(cupy, raises):
    no_gpu(cupy, driver=12020, complaint="cudaErrorNoDevice: no device")
    if not raises:
        cupy.cuda.runtime.getDeviceCount = lambda: 0
    told = "cudaErrorNoDevice" if raises else "none is visible"
    refused(rf"finds no GPU \({told}.*driver for CUDA 12\.2\): .*CUDA_VISIBLE_DEVICES")


def test_what_is_marked_gpu_fails_without_one(cupy, request, monkeypatch):
    conftest = str(Path(__file__).parents[1] / "conftest.py")
    setup = request.config.pluginmanager.get_plugin(conftest).pytest_runtest_setup
    marked = SimpleNamespace(get_closest_marker=lambda name: name == "gpu")
    setup(marked)
    monkeypatch.setattr(presence, "import_cupy", lambda: (None, "There is no driver"))
    told = r"marked gpu must be available .* There is no driver"
    with pytest.raises(pytest.fail.Exception, match=told):
        setup(marked)
    setup(SimpleNamespace(get_closest_marker=lambda name: None))


def test_looking_is_done_once(cupy):
    assert presence.import_cupy() == (cupy, "")
    no_gpu(cupy, driver=0)
    assert presence.import_cupy() == (cupy, "")
