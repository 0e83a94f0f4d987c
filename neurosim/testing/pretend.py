"""A pretend device: arrays that behave as CuPy's do, computed by NumPy. For tests without a GPU.

Functions of NumPy that are given its arrays leave the result on the device. What CuPy refuses is
refused: conversion that nobody asked for, and arrays of the host among those of the device. What
makes a program wait for a GPU is counted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from neurosim.backend import standing_in

# The host has to know how many there are before it can go on.
_SIZED_BY_DATA = {
    "argwhere", "compress", "extract", "flatnonzero", "nonzero", "setdiff1d", "union1d", "unique",
}  # fmt: skip
_FACTS = {"dtype", "flags", "itemsize", "nbytes", "ndim", "shape", "size", "strides"}
_METHODS = {
    "all", "any", "argmax", "argmin", "argsort", "astype", "clip", "copy", "cumsum", "diagonal",
    "dot", "fill", "max", "mean", "min", "nonzero", "prod", "ravel", "repeat", "reshape", "round",
    "sort", "squeeze", "std", "sum", "swapaxes", "take", "trace", "transpose", "var", "view",
}  # fmt: skip


class PretendDevice(ModuleType):
    """Stands where CuPy would: the module that makes the device's arrays, and their traffic.

    Attributes
    ----------
    sends, fetches : int
        Arrays moved to the device and back, on purpose.
    synchronisations : int
        Times the host waited for a value: a number, a truth, or how many of something there are.
    """

    def __init__(self) -> None:
        super().__init__("pretend_device")
        self.sends = self.fetches = self.synchronisations = 0
        self.ndarray = PretendArray

    def asarray(self, values: Any, dtype: Any = None) -> PretendArray:
        """An array on the device, sent there if it is not there yet."""
        if isinstance(values, PretendArray):
            return values if dtype is None else values.astype(dtype, copy=False)
        self.sends += 1
        return PretendArray(self, np.array(values, dtype))

    array = asarray

    def asnumpy(self, array: PretendArray) -> np.ndarray:
        """A copy on the host."""
        self.fetches += 1
        return self.inside(array).copy()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # NumPy's own affairs are not CuPy's
            raise AttributeError(name)
        found = getattr(np, name)
        if isinstance(found, type) or not callable(found):
            return found
        return functools.partial(self.compute, found)

    def compute(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What a function of NumPy gives for arrays of the device; it stays there."""
        if function.__name__ in _SIZED_BY_DATA:
            self.synchronisations += 1
        found = function(*self.inside(args), **self.inside(kwargs))
        return self.outside(found)

    def inside(self, value: Any) -> Any:
        """NumPy's view of a value, also inside tuples, lists and dicts."""
        match value:
            case PretendArray():
                return value._values
            case np.ndarray() if value.ndim > 0:
                raise TypeError(
                    f"An array of the host, of shape {value.shape}, is among arrays of the device: "
                    "move it with to_device."
                )
            case tuple() | list():
                return type(value)(self.inside(item) for item in value)
            case dict():
                return {name: self.inside(item) for name, item in value.items()}
        return value

    def outside(self, value: Any) -> Any:
        """What a function of NumPy returned, on the device; numbers are arrays without axes."""
        if isinstance(value, np.ndarray | np.generic | bool):
            return PretendArray(self, np.asarray(value))
        if isinstance(value, tuple | list):
            return type(value)(self.outside(item) for item in value)
        return value


class PretendArray(NDArrayOperatorsMixin):
    """An array on the pretend device."""

    __slots__ = ("_device", "_values")

    def __init__(self, device: PretendDevice, values: np.ndarray) -> None:
        self._device, self._values = device, values

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError(
            "An array of the device must not become one of the host by accident: move it with "
            "to_device, or use functions of NumPy that leave it where it is."
        )

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any
    ) -> Any:
        if "where" in kwargs:
            name = ufunc.__name__
            raise TypeError(f"numpy.{name} takes no `where` on a device: use numpy.where.")
        if out is None:
            return self._device.compute(getattr(ufunc, method), *inputs, **kwargs)
        self._device.compute(getattr(ufunc, method), *inputs, out=out, **kwargs)
        return out[0] if len(out) == 1 else out

    def __array_function__(
        self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any
    ) -> Any:
        return self._device.compute(func, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in _FACTS:
            return getattr(self._values, name)
        if name in _METHODS:
            return functools.partial(self._device.compute, getattr(self._values, name))
        raise AttributeError(f"Arrays of the pretend device have no attribute {name!r}.")

    @property
    def T(self) -> PretendArray:
        """The transpose, a view."""
        return PretendArray(self._device, self._values.T)

    def get(self) -> np.ndarray:
        """A copy on the host."""
        return self._device.asnumpy(self)

    def item(self) -> Any:
        """The one number there is, on the host."""
        self._device.synchronisations += 1
        return self._values.item()

    def tolist(self) -> Any:
        """All numbers, on the host."""
        self._device.synchronisations += 1
        return self._values.tolist()

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        chosen = self._place(key)
        # How many are chosen by a mask has to be known first.
        masks = [part for part in chosen if isinstance(part, np.ndarray) and part.dtype.kind == "b"]
        self._device.synchronisations += bool(masks)
        return self._device.outside(self._values[chosen])

    def __setitem__(self, key: Any, value: Any) -> None:
        self._values[self._place(key)] = self._device.inside(value)

    def _place(self, key: Any) -> tuple[Any, ...]:
        parts = self._device.inside(key if isinstance(key, tuple) else (key,))
        if any(not isinstance(part, np.ndarray) or part.dtype.kind not in "iu" for part in parts):
            return parts
        # Nobody looks at numbers on a device: those beyond the end begin again, as CuPy's do.
        return tuple(part % n for part, n in zip(parts, self.shape, strict=False))

    def __bool__(self) -> bool:
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __str__(self) -> str:
        self._device.synchronisations += 1
        return str(self._values)

    def __repr__(self) -> str:
        return f"PretendArray({self._values!r})"


@contextmanager
def pretend_device() -> Iterator[PretendDevice]:
    """Within the context the device ``"gpu"`` is a pretend one.

    Examples
    --------
    >>> from neurosim.backend import to_device
    >>> with pretend_device() as device:
    ...     total = to_device(np.ones(3), "gpu").sum()
    ...     float(total), device.sends, device.synchronisations
    (3.0, 1, 1)
    """
    device = PretendDevice()
    with standing_in(device):
        yield device
