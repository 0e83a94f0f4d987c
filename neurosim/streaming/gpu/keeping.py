"""What is kept of a chunk for the host to see: of every trace, all columns or those asked for."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from numba import cuda

from neurosim.backend import Array
from neurosim.streaming.gpu.launch import launch

BLOCK = 256
"""Threads of a block, at most."""


def keep(
    xp: ModuleType, target: Array, before: int, source: Array, skipped: int, n: int,
    columns: Array | None,
) -> None:  # fmt: skip
    """Copy ``n`` rows of a source, from ``skipped`` on, to those of the target from ``before`` on.

    Parameters
    ----------
    xp : module
        Of the arrays.
    target : array, shape (replicas, rows, K)
    before : int
    source : array, shape (replicas, ..., width)
    skipped, n : int
    columns : array of int, shape (replicas, K), optional
        Of the source, for each replica its own; all of them if not given.
    """
    if columns is None:
        target[:, before : before + n] = source[:, skipped : skipped + n]
    elif target.shape[2] > 0:
        threads = min(target.shape[2], BLOCK)
        launch(
            xp, gathering(), n * len(target), threads, target, before, source, skipped, columns, n
        )


@functools.cache
def gathering() -> Any:
    """Kernel of `keep`; one block a row."""

    def gather(target, before, source, skipped, columns, n):  # type: ignore[no-untyped-def]
        b, row = cuda.blockIdx.x // n, cuda.blockIdx.x % n
        for k in range(cuda.threadIdx.x, columns.shape[1], cuda.blockDim.x):
            target[b, before + row, k] = source[b, skipped + row, columns[b, k]]

    return cuda.jit(gather)
