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
        """`recall_memory`: the cube root, which numba.cuda knows by another name."""
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
    """Kernel of presynaptic memory: every terminal walks through the traces of a chunk.

    Its arguments are memory and background (replicas, n_pre), inputs and what is remembered of them
    (replicas, N, n_pre), steps (replicas, N) in seconds, and `Settings` (replicas, ...).
    """
    remember = memory_of(dtype)

    def walk(memory, background, inputs, steps, settings, remembered):
        thread = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        b, m = thread // inputs.shape[2], thread % inputs.shape[2]
        if b < inputs.shape[0]:
            own = settings_of(settings[b])
            for row in range(inputs.shape[1]):
                memory[b, m], remembered[b, row, m] = remember(
                    own, memory[b, m], inputs[b, row, m], background[b, m], steps[b, row]
                )

    return cuda.jit(walk)
