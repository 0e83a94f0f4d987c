"""Quadrature on several intervals at once: Gauss-Legendre nodes and Lagrange bases."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

_standard_nodes = lru_cache(np.polynomial.legendre.leggauss)  # eigenvalues of a matrix each time


def gauss_nodes(intervals: np.ndarray, n_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the Gauss-Legendre rule on each interval.

    Parameters
    ----------
    intervals : ndarray, shape (n_intervals, 2)
        Start and end; an interval without length has weights of zero.
    n_nodes : int

    Returns
    -------
    nodes, weights : ndarray, shape (n_intervals, n_nodes)
    """
    x, w = _standard_nodes(n_nodes)
    half = (intervals[:, 1:] - intervals[:, :1]) / 2
    return intervals[:, :1] + half * (1 + x), half * w


def lagrange_basis(points: np.ndarray, nodes: np.ndarray, j: int) -> np.ndarray:
    """Basis polynomial ``j`` of each row of nodes, at that row's points.

    Parameters
    ----------
    points : ndarray, shape (n_rows, n_points)
    nodes : ndarray, shape (n_rows, n_nodes)
        Distinct within each row.
    j : int

    Returns
    -------
    ndarray, shape (n_rows, n_points)
    """
    value = np.ones_like(points)
    for k in range(nodes.shape[1]):
        if k != j:
            value *= (points - nodes[:, k, None]) / (nodes[:, j, None] - nodes[:, k, None])
    return value


def causal_weights(
    kernel: Callable[[np.ndarray], np.ndarray],
    instants: np.ndarray,
    intervals: np.ndarray,
    nodes: np.ndarray,
) -> np.ndarray:
    """Weights of node values in the causal convolution with a smooth kernel.

    ``D[i, r, j]`` integrates ``kernel(t_i - s) l_rj(s)`` over the part of interval r before t_i.

    Parameters
    ----------
    kernel : callable
        Smooth for positive arguments.
    instants : ndarray, shape (n_instants,)
    intervals : ndarray, shape (n_intervals, 2)
    nodes : ndarray, shape (n_intervals, n_nodes)

    Returns
    -------
    ndarray, shape (n_instants, n_intervals, n_nodes)
    """
    n_intervals, n_nodes = nodes.shape
    result = np.zeros((len(instants), n_intervals, n_nodes))
    start = np.broadcast_to(intervals[:, 0], result.shape[:2])
    end = np.clip(instants[:, None], start, intervals[:, 1])
    i, r = np.nonzero(end > start)
    if len(i):
        pieces = np.stack([start[i, r], end[i, r]], axis=1)
        s, w = gauss_nodes(pieces, 12 + n_nodes // 2)
        mass = kernel(instants[i, None] - s) * w
        for j in range(n_nodes):
            result[i, r, j] = (mass * lagrange_basis(s, nodes[r], j)).sum(axis=1)
    return result
