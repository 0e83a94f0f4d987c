"""Data sets on a device: moved there once, however many simulations of a process use them."""

from __future__ import annotations

import threading
import weakref
from types import ModuleType
from typing import NamedTuple

import numpy as np

from neurosim.backend import Array, cupy_or_none, device_of, to_device


class _Resident(NamedTuple):
    """An array of the host as long as somebody has it, and its copy on the device of a module."""

    host: weakref.ref[np.ndarray]
    copy: Array
    module: ModuleType | None


_RESIDENTS: dict[int, _Resident] = {}
_LOCK = threading.RLock()  # an array may be forgotten while its thread is here


def resident(array: Array, device: str) -> Array:
    """The array on a device: itself, or the copy that was made when it was first asked for.

    The copy stays for as long as the array does; what is changed in the array later is not seen.

    Parameters
    ----------
    array : numpy or cupy array
    device : {"cpu", "gpu"}

    Returns
    -------
    array
        Same shape, type and values; not to be written to.
    """
    if device == device_of(array) or device == "cpu":
        return to_device(array, device)
    with _LOCK:
        key, module = id(array), cupy_or_none()
        known = _RESIDENTS.get(key)
        if known is not None and known.module is module:
            return known.copy
        copy = to_device(array, device)
        _RESIDENTS[key] = _Resident(weakref.ref(array, lambda _: _forget(key)), copy, module)
        return copy


def _forget(key: int) -> None:
    with _LOCK:
        _RESIDENTS.pop(key, None)
