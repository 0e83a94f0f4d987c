"""Whether a GPU can be used here, and if not, what is missing."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from neurosim.checks import SettingError, require_one_of

DEVICES = ("cpu", "gpu")
EXTRAS = (12, 13)  # versions of CUDA there is an extra for
_EITHER = "`pip install 'neurosim[cuda12]'`, or 'neurosim[cuda13]' for a CUDA 13 driver"
EXTRA_THAT_FITS = f"CuPy and numba-cuda must be of one CUDA that the driver knows: {_EITHER}"
_STAND_IN: ContextVar[ModuleType | None] = ContextVar("stand_in", default=None)


@contextmanager
def standing_in(module: ModuleType) -> Iterator[None]:
    """Within the context ``module`` takes CuPy's place: for tests without a GPU."""
    token = _STAND_IN.set(module)
    try:
        yield
    finally:
        _STAND_IN.reset(token)


@functools.cache
def import_cupy() -> tuple[ModuleType | None, str]:
    """CuPy if it can compute here, else None and what is missing."""
    try:
        import cupy
    except ModuleNotFoundError as error:
        if error.name == "cupy":
            return None, f"CuPy is not installed: run {_install()}"
        return None, _unusable(error)
    except ImportError as error:
        return None, _unusable(error)
    runtime = cupy.cuda.runtime
    try:
        seen, complaint = runtime.getDeviceCount(), "none is visible"
    except runtime.CUDARuntimeError as error:
        seen, complaint = 0, str(error)
    if seen == 0:
        return None, absence(cupy, complaint)
    try:
        _ = cupy.cuda.cublas  # not found before it is asked for; products need it
    except ImportError as error:
        return None, _unusable(error)
    return cupy, ""


def absence(cupy: ModuleType, complaint: str) -> str:
    """Why CuPy, which is installed, finds no GPU, and what to do about it.

    Parameters
    ----------
    cupy : module
    complaint : str
        What CUDA said.
    """
    runtime = cupy.cuda.runtime
    driver, needed = runtime.driverGetVersion(), runtime.runtimeGetVersion()
    if driver == 0:
        return f"There is no NVIDIA driver ({complaint}): install one; nvidia-smi must list a GPU"
    if driver < needed and driver // 1000 < needed // 1000:
        told = (
            f"The NVIDIA driver is for CUDA {_version(driver)} and older, and CuPy "
            f"{cupy.__version__} for CUDA {_version(needed)}"
        )
        if driver // 1000 not in EXTRAS:
            return f"{told}: install a newer driver"
        other = f"cupy-cuda{needed // 1000}x"
        return (
            f"{told}: install a newer driver, or `pip uninstall {other}` and "
            f"{_install(driver // 1000)}"
        )
    return (
        f"CuPy {cupy.__version__} finds no GPU ({complaint}; driver for CUDA {_version(driver)}): "
        "nvidia-smi must list one, and CUDA_VISIBLE_DEVICES must not hide it"
    )


def imported() -> ModuleType | None:
    """The module of arrays on a GPU, if there can be any: looking costs nothing."""
    # An array can only be CuPy's if CuPy was imported already.
    return _STAND_IN.get() or sys.modules.get("cupy")


def cupy_or_none() -> ModuleType | None:
    """CuPy where it is installed and sees a device, else None."""
    return _STAND_IN.get() or import_cupy()[0]


def cuda_of(module: ModuleType | None) -> Any:
    """CuPy's ``cuda``, to call CUDA by; None of a module that only pretends, or of none."""
    return getattr(module, "cuda", None)


def require_device(field: str, device: str) -> None:
    """Raise `SettingError` unless arrays can be on ``device`` here; says what is missing."""
    require_one_of(field, device, DEVICES)
    if device == "gpu" and cupy_or_none() is None:
        missing = import_cupy()[1]
        raise SettingError(f"{field} must be available on this machine; got 'gpu'. {missing}.")


def _install(cuda: int | None = None) -> str:
    return _EITHER if cuda is None else f"`pip install 'neurosim[cuda{cuda}]'`"


def _unusable(error: ImportError) -> str:
    # CuPy frames what it says, and ends with the error that it met.
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" =")]
    return f"CuPy is installed but cannot be used ({lines[-1]}): run {_install()}"


def _version(number: int) -> str:
    """CUDA's 12090 is 12.9."""
    return f"{number // 1000}.{number % 1000 // 10}"
