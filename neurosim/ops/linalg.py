"""Matrix products that write where the result belongs."""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas


def accumulate_outer(weights: np.ndarray, post: np.ndarray, pre: np.ndarray) -> None:
    """weights += post^T pre, in place and without a temporary of the weights' size.

    Parameters
    ----------
    weights : ndarray, shape (n_post, n_pre), C-contiguous, float32 or float64
    post : ndarray, shape (rows, n_post)
    pre : ndarray, shape (rows, n_pre)
    """
    gemm = blas.sgemm if weights.dtype == np.float32 else blas.dgemm
    # BLAS counts columns first: the transpose of a C-contiguous matrix is what it can update.
    gemm(1.0, pre.T, post.T, beta=1.0, c=weights.T, trans_b=True, overwrite_c=True)
