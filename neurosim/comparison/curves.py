"""Learning curves of several seeds: their band, and their values at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Curve = tuple[np.ndarray, np.ndarray]


class Band(NamedTuple):
    """Mean, lowest and highest of several curves, (n,) each, at the moments ``x``, (n,)."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def at(curve: Curve, moment: float) -> float:
    """A curve's value at a moment: measured or interpolated linearly, NaN outside the curve."""
    x, y = curve
    if not len(x) or not x[0] <= moment <= x[-1]:
        return float("nan")
    return float(np.interp(moment, x, y))


def band(curves: Sequence[Curve]) -> Band:
    """Mean and range of curves where all of them are known, at every moment one was measured.

    Parameters
    ----------
    curves : sequence of (ndarray, ndarray)
        Increasing moments and values, (n,) each; empty curves are left out.

    Returns
    -------
    Band
        Of length 0 if there is no moment at which all are known.
    """
    known = [curve for curve in curves if len(curve[0])]
    if not known:
        return Band(*np.zeros((4, 0)))
    first, last = max(x[0] for x, _ in known), min(x[-1] for x, _ in known)
    moments = np.unique(np.concatenate([x for x, _ in known]))
    moments = moments[(moments >= first) & (moments <= last)]
    values = np.stack([np.interp(moments, x, y) for x, y in known])
    return Band(moments, values.mean(axis=0), values.min(axis=0), values.max(axis=0))


def common(curves: Sequence[Curve]) -> float:
    """The last moment that all curves reach; empty ones are left out, NaN if all are."""
    return float(min((x[-1] for x, _ in curves if len(x)), default=np.nan))
