"""Arrays decide the device: NumPy arrays compute on the CPU, CuPy arrays on the GPU."""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from neurosim.checks import SettingError, require_one_of

# What both modules offer is described by NumPy's types; CuPy has none of its own.
Array: TypeAlias = npt.NDArray[Any]

DEVICES = ("cpu", "gpu")


@functools.cache
def _import_cupy() -> tuple[ModuleType | None, str]:
    """CuPy if it can compute here, else None and what is missing."""
    try:
        import cupy
    except ImportError:
        return None, (
            "CuPy is not installed: run `pip install 'neurosim[cuda12]'`, "
            "or 'neurosim[cuda13]' for a CUDA 13 driver"
        )
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return None, f"CuPy finds no usable CUDA device ({error}): check the driver with nvidia-smi"
    return cupy, ""


def cupy_or_none() -> ModuleType | None:
    """CuPy where it is installed and sees a device, else None."""
    return _import_cupy()[0]


def device_of(array: Array) -> str:
    """Where an array lives.

    Parameters
    ----------
    array : numpy or cupy array

    Returns
    -------
    str
        ``"cpu"`` or ``"gpu"``.

    Raises
    ------
    SettingError
        If ``array`` is neither.
    """
    if isinstance(array, np.ndarray | np.generic):
        return "cpu"
    # An array can only be CuPy's if CuPy was imported already: looking costs nothing.
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(array, cupy.ndarray):
        return "gpu"
    raise SettingError(
        f"device_of.array must be a NumPy or CuPy array; got {type(array).__name__}. "
        "Wrap it in numpy.asarray first."
    )


def namespace(*arrays: Array) -> ModuleType:
    """Return the module, numpy or cupy, that computes with these arrays.

    Parameters
    ----------
    *arrays : numpy or cupy arrays
        At least one, all on one device.

    Raises
    ------
    SettingError
        If the arrays are on different devices: they are never moved silently.

    Examples
    --------
    >>> namespace(np.zeros(3)).__name__
    'numpy'
    """
    devices = [device_of(array) for array in arrays]
    if len(set(devices)) != 1:
        raise SettingError(
            "namespace.arrays must be one or more arrays on one device; "
            f"got {', '.join(devices) or 'none'}. Move them with to_device first."
        )
    return np if devices[0] == "cpu" else sys.modules["cupy"]


def to_device(array: Array, device: str) -> Array:
    """Return the array on a device, itself if it is there already.

    Parameters
    ----------
    array : numpy or cupy array
    device : str
        ``"cpu"`` or ``"gpu"``.

    Returns
    -------
    array
        Same shape, type and values.

    Raises
    ------
    SettingError
        If the device is unknown, or is ``"gpu"`` where none can be used; says what to install.
    """
    require_one_of("to_device.device", device, DEVICES)
    if device == device_of(array):
        return array
    cupy, missing = _import_cupy()
    if cupy is None:
        raise SettingError(
            f"to_device.device must be available on this machine; got 'gpu'. {missing}."
        )
    moved: Array = cupy.asarray(array) if device == "gpu" else cupy.asnumpy(array)
    return moved
