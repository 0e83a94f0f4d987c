"""What kernels are made of: nonlinearities, sums over threads, and registers for all of these.

Sums are taken in a fixed order and without atomics: every thread gets the same bits, and so does
every run. A butterfly of shuffles adds the same two numbers in both lanes of a pair.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda

from neurosim.ops.nonlinearity import SELU_ALPHA, SELU_SCALE
from neurosim.streaming.gpu.form import Settings
from neurosim.streaming.gpu.threads import WARP, Threads

REGISTERS = 65536
"""Registers of a multiprocessor: what a block's threads may have among them."""


def kernel_of(function: Callable[..., None], threads: int) -> Any:
    """Kernel of a function, in as many registers as blocks of so many threads can have."""
    if cuda.config.ENABLE_CUDASIM:  # the simulator has none
        return cuda.jit(function)
    return cuda.jit(max_registers=min(255, REGISTERS // threads // 8 * 8))(function)


@cuda.jit(device=True)
def settings_of(row: Any) -> Any:
    """`Settings` of a replica from its row of numbers."""
    return Settings(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10],
        row[11],
    )  # fmt: skip


@functools.lru_cache(maxsize=64)
def nonlinearity(code: int, dtype: str) -> tuple[Any, Any]:
    """Device functions (drive, slope) -> rate and (rate, slope) -> gain; see `Nonlinearity`."""
    kind = np.dtype(dtype).type
    zero, one, scale = kind(0), kind(1), kind(SELU_SCALE)
    steep = kind(SELU_SCALE * SELU_ALPHA)

    @cuda.jit(device=True)
    def rate_of(a, slope):
        if code == 0:
            return a
        if code == 1:
            return a if a > zero else zero
        if code == 2:
            return a if a > zero else slope * a
        if code == 3:
            return scale * a if a > zero else steep * kind(math.expm1(a))
        if code == 4:
            return (a if a > zero else zero) + kind(math.log1p(math.exp(-abs(a))))
        return kind(math.tanh(a))

    @cuda.jit(device=True)
    def gain_of(z, slope):
        if code == 0:
            return one
        if code == 1:
            return one if z > zero else zero
        if code == 2:
            return one if z > zero else slope
        if code == 3:
            return scale if z > zero else z + steep
        if code == 4:
            return -kind(math.expm1(-z))
        return one - z * z

    return rate_of, gain_of


@functools.lru_cache(maxsize=64)
def warp_sum(lanes: int, warp: int) -> Any:
    """Device function: the sum of a number over aligned sets of ``lanes`` threads of a warp.

    No barrier; log2(lanes) shuffles.
    """
    present = (1 << warp) - 1

    @cuda.jit(device=True)
    def total(number):
        distance = 1
        while distance < lanes:
            number += cuda.shfl_xor_sync(present, number, distance)
            distance *= 2
        return number

    return total


@functools.lru_cache(maxsize=64)
def team_sum(threads: Threads) -> Any:
    """Device function: the sum of a number over a team, given room for one number a warp.

    A team inside a warp needs no barrier. A larger one needs one: its warps leave their sums in
    ``room``, which must not be the room of the sum before.
    """
    lanes, warp = threads.lanes, threads.warp
    inside = warp_sum(min(lanes, warp), warp)
    if lanes <= WARP:

        @cuda.jit(device=True)
        def small(number, room):
            return inside(number)

        return small

    warps = lanes // WARP
    across = warp_sum(warps, warp)

    @cuda.jit(device=True)
    def large(number, room):
        thread = cuda.threadIdx.x
        number = inside(number)
        if thread % WARP == 0:
            room[thread // WARP] = number
        cuda.syncthreads()
        return across(room[thread // lanes * warps + thread % warps])

    return large
