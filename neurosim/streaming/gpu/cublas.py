"""cuBLAS by its own functions: CuPy's refuse to be captured into a CUDA graph, cuBLAS's do not."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

_NUMBER, _FAR, _PLACE = ctypes.c_int, ctypes.c_longlong, ctypes.c_void_p
_SIZES = (_PLACE, *[_NUMBER] * 5, _PLACE)  # handle, what is transposed, m, n, k, factor
_MATRIX, _STACK = (_PLACE, _NUMBER), (_PLACE, _NUMBER, _FAR)
_GEMM = (*_SIZES, *_MATRIX, *_MATRIX, _PLACE, *_MATRIX)
_STACKS = (*_SIZES, *_STACK, *_STACK, _PLACE, *_STACK, _NUMBER)

ARGUMENTS = {
    "cublasSetStream_v2": (_PLACE, _PLACE),
    "cublasSgemm_v2": _GEMM,
    "cublasDgemm_v2": _GEMM,
    "cublasSgemmStridedBatched": _STACKS,
    "cublasDgemmStridedBatched": _STACKS,
}
"""Types of what the functions take; they return a status, 0 if all is well."""


@functools.cache
def library() -> Any:
    """The library that CuPy has loaded, and whose handles it makes."""
    from cuda.pathfinder import load_nvidia_dynamic_lib

    found = ctypes.CDLL(load_nvidia_dynamic_lib("cublas").abs_path)
    for name, kinds in ARGUMENTS.items():
        function = getattr(found, name)
        function.argtypes, function.restype = kinds, _NUMBER
    return found
