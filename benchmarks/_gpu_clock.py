"""Seconds that work takes on a device, between two events of its stream."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from neurosim.backend import cupy_or_none


def torch_seconds(torch: Any, device: str, work: Callable[[], None]) -> float:
    """Seconds of work of PyTorch's."""
    if device == "cpu":
        return _wall(work)
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    began.record()
    work()
    ended.record()
    ended.synchronize()
    return began.elapsed_time(ended) / 1e3


def seconds(device: str, work: Callable[[], None]) -> float:
    """Seconds of our work; a pretend device is timed as the CPU that it is."""
    cupy = cupy_or_none() if device == "gpu" else None
    if cupy is None or not hasattr(cupy, "cuda"):
        return _wall(work)
    began, ended = cupy.cuda.Event(), cupy.cuda.Event()
    cupy.cuda.Device().synchronize()
    began.record()
    work()
    ended.record()
    ended.synchronize()
    return float(cupy.cuda.get_elapsed_time(began, ended)) / 1e3


def _wall(work: Callable[[], None]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began
