"""What neurons and presynaptic terminals remember; see `dynamics.memory`."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numba import cuda

from neurosim.dynamics.memory import relax_memory
from neurosim.streaming.gpu.device import settings_of

BLOCK = 128
"""Threads of a block; each looks after the memory of one presynaptic terminal."""


@functools.lru_cache(maxsize=2)
def memory_of(dtype: str) -> Any:
    """Device function: memory after a step of constant activity, and what it recalls."""
    kind = np.dtype(dtype).type
    relax = cuda.jit(device=True)(relax_memory.py_func)

    @cuda.jit(device=True)
    def recall(held):
        """The cube root, as in `remember_row`; numba.cuda knows it by another name."""
        return math.copysign(cuda.cbrt(abs(held)), held)

    @cuda.jit(device=True)
    def remember(settings, held, activity, background, step):
        deviation = settings.memory_scale * np.float64(activity - background)
        duration = step / settings.memory_tau
        after = relax(np.float64(held), deviation, duration, settings.memory_leak)
        return kind(after), kind(background + recall(after) / settings.memory_scale)

    return remember


@functools.lru_cache(maxsize=2)
def build_terminals(dtype: str) -> Any:
    """Kernel of presynaptic memory: every terminal walks through the traces of an inner chunk.

    Its arguments are memory and background (replicas, n_pre); presynaptic traces (replicas,
    H + N, n_pre), of which the last N are inputs and become what is remembered of them; H; the
    number of the inner chunk's first presentation and how many it has; `Plan`'s geometry and step;
    and `Settings` (replicas, ...).
    """
    remember = memory_of(dtype)

    def walk(memory, background, pre, history, first, count, geometry, step, settings):
        thread = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        b, m = thread // pre.shape[2], thread % pre.shape[2]
        samples = step.shape[1]
        if b < pre.shape[0]:
            own = settings_of(settings[b])
            for t in range(count):
                u = geometry[b, first + t]
                for sample in range(samples):
                    row = history + t * samples + sample
                    memory[b, m], pre[b, row, m] = remember(
                        own, memory[b, m], pre[b, row, m], background[b, m], step[u, sample]
                    )

    return cuda.jit(walk)
