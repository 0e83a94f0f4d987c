"""Many small arrays in one piece of memory: they travel between host and device as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from neurosim.backend import cuda_of

Shapes: TypeAlias = Mapping[str, tuple[tuple[int, ...], npt.DTypeLike]]

ALIGNED = 256  # bytes; what every type and the copies of a GPU are happy with


class Arrival:
    """Arrays on their way to the host; called, it waits for them.

    Parameters
    ----------
    wait : callable
        Returns them, by name.
    done : callable
        Whether nobody would have to wait.
    """

    def __init__(self, wait: Callable[[], dict[str, Any]], done: Callable[[], bool]) -> None:
        self._wait, self.done = wait, done

    def __call__(self) -> dict[str, Any]:
        """The arrays, by name."""
        return self._wait()


class Pack:
    """Arrays by name, one behind the other in memory on the device.

    Parameters
    ----------
    xp : module
        Of the device's arrays.
    shapes : mapping of str to (shape, type)
    """

    def __init__(self, xp: ModuleType, shapes: Shapes) -> None:
        self._xp, self._places, at = xp, dict[str, tuple[int, tuple[int, ...], np.dtype[Any]]](), 0
        for name, (shape, dtype) in shapes.items():
            self._places[name] = at, shape, np.dtype(dtype)
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            at += -(-size // ALIGNED) * ALIGNED
        self._memory: Any = xp.zeros(at, np.uint8)
        self.arrays = self._views(self._memory)

    def send(self, fill: Callable[[dict[str, np.ndarray]], None]) -> np.ndarray:
        """Let the host fill the arrays, and send them.

        Returns
        -------
        ndarray
            Memory of the host, which must stay until the device has it.
        """
        held = _pinned(self._xp, self._memory.size)
        fill(self._views(held))
        if (cuda := cuda_of(self._xp)) is not None:
            self._memory.set(held, cuda.get_current_stream())
        else:
            self._memory[...] = self._xp.asarray(held)
        return held

    def fetch(self) -> Arrival:
        """Have the arrays sent to the host as they will be when the device gets there."""
        xp, cuda = self._xp, cuda_of(self._xp)
        if cuda is None:
            copy = self._memory.copy()
            return Arrival(lambda: self._views(xp.asnumpy(copy)), lambda: True)
        held = _pinned(xp, self._memory.size)
        event = cuda.Event(block=True, disable_timing=True)  # whoever waits sleeps
        stream = cuda.get_current_stream()
        self._memory.get(stream, out=held, blocking=False)
        event.record(stream)

        def wait() -> dict[str, Any]:
            event.synchronize()
            return self._views(held)

        return Arrival(wait, lambda: bool(event.done))

    def _views(self, memory: Any) -> dict[str, Any]:
        views = {}
        for name, (at, shape, dtype) in self._places.items():
            size = int(np.prod(shape)) * dtype.itemsize
            views[name] = memory[at : at + size].view(dtype).reshape(shape)
        return views


def _pinned(xp: ModuleType, size: int) -> np.ndarray:
    """Memory of the host that a GPU reads and writes without anybody waiting."""
    if cuda_of(xp) is None:
        return np.empty(size, np.uint8)
    from cupyx import empty_pinned

    held: np.ndarray = empty_pinned(size, np.uint8)
    return held
