"""Kernels around the walk: what is passed on of an inner chunk, and what fades of the weights."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import cuda

from neurosim.streaming.gpu.device import team_sum
from neurosim.streaming.gpu.threads import share_out

BLOCK = 256
"""Threads of a block, at most."""


@functools.lru_cache(maxsize=64)
def build_passing(n_post: int, most: int) -> tuple[Any, int]:
    """Kernel that passes on what a layer did, and the threads of its blocks; one block a trace.

    Its arguments are drive (replicas, N, n_post), rate (replicas, H + N, n_post) and its H;
    ``passed`` (replicas, ..., n_post) and how many rows to skip of it; ``output``
    (replicas, N, n_post), which it is copied to; ``power`` (replicas, traces of the chunk), sums
    of squares of drives and rates, and how many of them were before; ``active``
    (replicas, n_post), 1 where a rate was above zero; and the inner chunk's number of traces.
    """
    threads = share_out(n_post, 0, min(most, BLOCK))
    sum_of, total, warps = team_sum(threads), threads.total, threads.warps

    def pass_on(drive, rate, history, passed, skipped, output, power, before, active, n):
        b, row = cuda.blockIdx.x // n, cuda.blockIdx.x % n
        room = cuda.shared.array(warps, np.float64)
        squares = 0.0
        for m in range(cuda.threadIdx.x, n_post, total):
            a, z = np.float64(drive[b, row, m]), np.float64(rate[b, history + row, m])
            squares += a * a + z * z
            if z > 0:
                active[b, m] = 1  # whoever writes it writes the same
            output[b, row, m] = passed[b, skipped + row, m]
        squares = sum_of(squares, room)
        if cuda.threadIdx.x == 0:
            power[b, before + row] = squares

    return cuda.jit(pass_on), total


@functools.cache
def build_fading() -> Any:
    """Kernel of momentum and decay: W <- keep_w W + keep_v V, V <- fading V; one block a row.

    Its arguments are weights and velocities (replicas, n_post, n_pre), keep_w and keep_v
    (replicas, n_post), fading (replicas, 1). Velocities without rows are none.
    """

    def fade(weights, velocity, keep_w, keep_v, fading):
        n_post, n_pre = weights.shape[1], weights.shape[2]
        b, n = cuda.blockIdx.x // n_post, cuda.blockIdx.x % n_post
        moves = velocity.shape[1] > 0
        for m in range(cuda.threadIdx.x, n_pre, cuda.blockDim.x):
            weight = keep_w[b, n] * weights[b, n, m]
            if moves:
                speed = velocity[b, n, m]
                weight += keep_v[b, n] * speed
                velocity[b, n, m] = fading[b, 0] * speed
            weights[b, n, m] = weight

    return cuda.jit(fade)
