"""A module that says of itself what CuPy says, as far as anybody asks."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from neurosim.backend import presence


def error_of(name, module, base=RuntimeError):
    """An error class that seems to come from elsewhere."""
    return type(name, (base,), {"__module__": module})


CUDARuntimeError = error_of("CUDARuntimeError", "cupy_backends.cuda.api.runtime")
OutOfMemoryError = error_of("OutOfMemoryError", "cupy.cuda.memory", MemoryError)
CudaAPIError = error_of("CudaAPIError", "numba.cuda.cudadrv.driver", Exception)
CUBLASError = error_of("CUBLASError", "cupy_backends.cuda.libs.cublas")


class Cublas:
    """Remembers the way of multiplying."""

    CUBLAS_DEFAULT_MATH = 0

    def __init__(self):
        self.mode = 0

    def setMathMode(self, handle, mode):
        self.mode = mode

    def getMathMode(self, handle):
        return self.mode


@pytest.fixture
def cupy(monkeypatch):
    """An importable CuPy 14.2 for CUDA 12.9, with a driver for 12.9 and one GPU of 80 GiB."""

    class GpuArray:
        ndim = 1

    module = ModuleType("cupy")
    module.ndarray, module.__version__ = GpuArray, "14.2.0"
    runtime = SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=lambda: 1,
        driverGetVersion=lambda: 12090,
        runtimeGetVersion=lambda: 12090,
        memGetInfo=lambda: (2**30, 80 * 2**30),
    )
    chosen = {"f": 1}
    types = SimpleNamespace(COMPUTE_TYPE_DEFAULT=1, COMPUTE_TYPE_TF32=7)
    module._core = SimpleNamespace(
        _routines_linalg=types, set_compute_type=chosen.__setitem__, get_compute_type=chosen.get
    )
    module.cuda = SimpleNamespace(
        runtime=runtime,
        cublas=Cublas(),
        device=SimpleNamespace(get_cublas_handle=lambda: 42),
        Device=lambda: SimpleNamespace(compute_capability="90"),
    )
    pool = SimpleNamespace(used_bytes=lambda: 77 * 2**30)
    module.get_default_memory_pool = lambda: pool
    monkeypatch.setitem(sys.modules, "cupy", module)
    forget = presence.import_cupy.cache_clear
    forget()
    yield module
    forget()
