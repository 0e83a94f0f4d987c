"""Matrix products that write where the result belongs."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address

from neurosim.checks import require


def _gemm(name: str, real: Any) -> Any:
    """BLAS product; SciPy's own wrapper of it keeps all other threads from running Python."""
    char, number = ctypes.POINTER(ctypes.c_char), ctypes.POINTER(real)
    size, array = ctypes.POINTER(ctypes.c_int), ctypes.c_void_p
    arguments = (
        char,
        char,
        size,
        size,
        size,
        number,
        array,
        size,
        array,
        size,
        number,
        array,
        size,
    )
    address = get_cython_function_address("scipy.linalg.cython_blas", name)
    return ctypes.CFUNCTYPE(None, *arguments)(address)


_GEMM = {
    "float32": (_gemm("sgemm", ctypes.c_float), ctypes.c_float),
    "float64": (_gemm("dgemm", ctypes.c_double), ctypes.c_double),
}


def accumulate_outer(weights: np.ndarray, post: np.ndarray, pre: np.ndarray) -> None:
    """weights += post^T pre, in place and without a temporary of the weights' size.

    Parameters
    ----------
    weights : ndarray, shape (n_post, n_pre), C-contiguous, float32 or float64
    post : ndarray, shape (rows, n_post)
    pre : ndarray, shape (rows, n_pre)
    """
    contiguous = weights.flags.c_contiguous
    require(contiguous, "accumulate_outer(weights)", "be C-contiguous", weights.strides)
    post = np.ascontiguousarray(post, weights.dtype)
    pre = np.ascontiguousarray(pre, weights.dtype)
    shapes = (post.shape[1], pre.shape[1]), (len(pre), len(pre))
    fits = (weights.shape, (len(post), len(pre))) == shapes
    require(fits, "accumulate_outer(weights)", f"be of shape {shapes[0]}", weights.shape)
    gemm, real = _GEMM[weights.dtype.name]
    one, plain, turned = real(1), ctypes.c_char(b"N"), ctypes.c_char(b"T")
    n_pre, n_post, rows = (ctypes.c_int(n) for n in (pre.shape[1], post.shape[1], len(pre)))
    ref = ctypes.byref
    # BLAS counts columns first: what it calls (n_pre, n_post) is our (n_post, n_pre).
    gemm(
        ref(plain), ref(turned), ref(n_pre), ref(n_post), ref(rows), ref(one),
        pre.ctypes.data, ref(n_pre), post.ctypes.data, ref(n_post), ref(one),
        weights.ctypes.data, ref(n_pre),
    )  # fmt: skip
