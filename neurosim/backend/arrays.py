"""Arrays decide the device: NumPy arrays compute on the CPU, CuPy arrays on the GPU."""

from __future__ import annotations

from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from neurosim.backend.presence import DEVICES, cupy_or_none, imported, require_device
from neurosim.checks import SettingError, require_one_of

# What both modules offer is described by NumPy's types; CuPy has none of its own.
Array: TypeAlias = npt.NDArray[Any]
# A number; of arrays on a device an array without axes, so that nobody has to wait for it.
Scalar: TypeAlias = float | Array


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
    cupy = imported()
    if cupy is not None and isinstance(array, cupy.ndarray):
        return "gpu"
    raise SettingError(
        f"device_of.array must be a NumPy or CuPy array; got {type(array).__name__}. "
        "Wrap it in numpy.asarray first."
    )


def at_hand(value: Scalar) -> bool:
    """Whether a value can be looked at without waiting for a device."""
    return isinstance(value, float | int) or device_of(value) == "cpu"


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
    if set(map(type, arrays)) == {np.ndarray}:  # asked for every product: the usual case first
        return np
    devices = [device_of(array) for array in arrays]
    if len(set(devices)) != 1:
        raise SettingError(
            "namespace.arrays must be one or more arrays on one device; "
            f"got {', '.join(devices) or 'none'}. Move them with to_device first."
        )
    if devices[0] == "cpu":
        return np
    cupy = imported()
    assert cupy is not None, "an array of its own is there"
    return cupy


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
    require_device("to_device.device", "gpu")
    cupy = cupy_or_none()
    assert cupy is not None, "require_device has looked"
    moved: Array = cupy.asarray(array) if device == "gpu" else cupy.asnumpy(array)
    return moved
