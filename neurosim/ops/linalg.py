"""Matrix products that write where the result belongs, and that share the work among threads."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address
from threadpoolctl import threadpool_limits

from neurosim.backend import namespace
from neurosim.checks import require

# Multiplications from which on a product is worth waking another thread: about a millisecond.
WORTH_SHARING = 2**25
_HELPERS: ContextVar[tuple[ThreadPoolExecutor, int] | None] = ContextVar("helpers", default=None)


@contextmanager
def sharing(threads: int) -> Iterator[None]:
    """Within the context, large products of `matmul` are shared among ``threads`` threads.

    BLAS itself gets one thread: its own threads spin while they wait, for one another in every
    small product and for work in between. These sleep.
    """
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(max(1, threads - 1)) as pool:
        token = _HELPERS.set((pool, threads))
        try:
            yield
        finally:
            _HELPERS.reset(token)


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a b, shape (..., n_columns); inside `sharing` each thread computes some of its rows.

    Parameters
    ----------
    a : ndarray, shape (..., n)
    b : ndarray, shape (n, n_columns)

    Raises
    ------
    SettingError
        If one is on another device than the other.
    """
    helpers, elsewhere = _HELPERS.get(), namespace(a, b) is not np
    if helpers is None or elsewhere or a.ndim != 2 or a.size * b.shape[1] < WORTH_SHARING:
        return a @ b
    pool, threads = helpers
    out = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    ends = [len(a) * k // threads for k in range(threads + 1)]
    own, *others = (slice(*ends[k : k + 2]) for k in range(threads))
    waiting = [pool.submit(np.matmul, a[part], b, out[part]) for part in others]
    np.matmul(a[own], b, out[own])
    for part in waiting:
        part.result()
    return out


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
