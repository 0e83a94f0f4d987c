"""Products of stacks of matrices into arrays that are there, without room in between."""

from __future__ import annotations

import weakref
from types import ModuleType
from typing import Any

import numpy as np

from neurosim.backend import Array, as_chosen, cuda_of
from neurosim.streaming.gpu import cublas as native

# what cuBLAS multiplies old and new contents by: it is given addresses
_NUMBERS = {kind: np.array([0, 1], kind) for kind in ("float32", "float64")}

_FREE: weakref.WeakKeyDictionary[Any, list[int]] = weakref.WeakKeyDictionary()
"""Handles that nobody uses, by library."""


def turned(stack: Array) -> Array:
    """Every matrix of a stack transposed; a view."""
    return stack.transpose(0, 2, 1)


class Multiplier:
    """Multiplies; on a GPU as cuBLAS does, in whatever stream is current.

    CuPy's own products of stacks copy matrices that are transposed. The handle is nobody else's:
    streams that share one might share its workspace, and runs would not repeat bit for bit. It is
    kept for the next one, as giving it back would wait for the device: nobody may do that while
    another thread captures a graph.

    Parameters
    ----------
    xp : module
        Of the arrays.
    """

    def __init__(self, xp: ModuleType) -> None:
        self.xp, self._handle = xp, 0
        if cuda_of(xp) is not None:
            self._library = native.library()
            free = _FREE.setdefault(self._library, [])
            self._handle = free.pop() if free else xp.cuda.cublas.create()
            weakref.finalize(self, free.append, self._handle).atexit = False

    def __call__(self, out: Array, one: Array, other: Array, *, add: bool = False) -> None:
        """``out`` becomes, or grows by, the products of two stacks of matrices.

        Parameters
        ----------
        out : array, shape (replicas, m, n)
            Its rows are contiguous.
        one, other : array, shapes (replicas, m, k) and (replicas, k, n)
            Their rows, or their columns, are contiguous.
        add : bool
            Add to what is in ``out``.
        """
        if self._handle:
            self._cublas(out, one, other, add)
        elif add:
            out += self.xp.matmul(one, other)
        else:
            self.xp.matmul(one, other, out=out)

    def _cublas(self, out: Any, one: Any, other: Any, add: bool) -> None:
        cublas, handle = self.xp.cuda.cublas, self._handle
        self._ask("cublasSetStream_v2", self.xp.cuda.get_current_stream().ptr)
        as_chosen(self.xp, handle)
        kind, (replicas, m, n) = out.dtype.name, out.shape
        numbers = _NUMBERS[kind]
        fresh, kept = numbers.ctypes.data + numbers.itemsize, numbers[add:].ctypes.data
        # cuBLAS counts columns first: it sees all matrices transposed, and gives out transposed
        turn_other, rows_other = _layout(cublas, other)
        turn_one, rows_one = _layout(cublas, one)
        _, rows_out = _layout(cublas, out)
        sizes = turn_other, turn_one, n, m, one.shape[2]
        letter = "S" if kind == "float32" else "D"
        if replicas == 1:  # free to share a product out among more blocks
            self._ask(
                f"cublas{letter}gemm_v2", *sizes, fresh, other.data.ptr, rows_other, one.data.ptr,
                rows_one, kept, out.data.ptr, rows_out,
            )  # fmt: skip
            return
        apart = [stack.strides[0] // stack.itemsize for stack in (other, one, out)]
        self._ask(
            f"cublas{letter}gemmStridedBatched", *sizes, fresh, other.data.ptr, rows_other,
            apart[0], one.data.ptr, rows_one, apart[1], kept, out.data.ptr, rows_out, apart[2],
            replicas,
        )  # fmt: skip

    def _ask(self, function: str, *arguments: int) -> None:
        """Call a function of cuBLAS with the handle; errors are CuPy's."""
        status = getattr(self._library, function)(self._handle, *arguments)
        if status:
            raise self.xp.cuda.cublas.CUBLASError(status)


def _layout(cublas: ModuleType, stack: Any) -> tuple[int, int]:
    """Whether matrices are transposed, and how many numbers lie between their rows (columns)."""
    _, rows, columns = stack.shape
    _, across, along = (stride // stack.itemsize for stride in stack.strides)
    if along == 1 or columns == 1:
        return cublas.CUBLAS_OP_N, across if rows > 1 else max(columns, 1)
    assert across == 1 or rows == 1, "rows or columns are contiguous"
    return cublas.CUBLAS_OP_T, along
