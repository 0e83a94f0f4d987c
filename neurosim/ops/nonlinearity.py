"""Pointwise nonlinearities z = f(a) and their gains f'(a), written as functions of the rate.

All six are monotone where they are not constant, so the gain is known from the rate alone: a neuron
(or its memory) needs to remember z, not a.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numba as nb
import numpy as np

from neurosim.backend import fused
from neurosim.checks import require, require_one_of

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
CODES = {"identity": 0, "relu": 1, "leaky_relu": 2, "selu": 3, "softplus": 4, "tanh": 5}


@dataclass(frozen=True, kw_only=True)
class Nonlinearity:
    """z = f(a) for one of the six nonlinearities in `CODES`.

    Parameters
    ----------
    name : str
        ``identity``, ``relu``, ``leaky_relu``, ``selu``, ``softplus`` or ``tanh``.
    slope : float
        Slope of ``leaky_relu`` below zero, in [0, 1); ignored by the others.

    Notes
    -----
    At the kink of the rectifiers the gain is that of the negative side.

    Source
    ------
    Pogodin & Latham 2020, appendix D.4 (slope 0.01; SELU constants).
    """

    name: str = "leaky_relu"
    slope: float = 0.01

    def __post_init__(self) -> None:
        require_one_of("Nonlinearity.name", self.name, CODES)
        require(0 <= self.slope < 1, "Nonlinearity.slope", "be in [0, 1)", self.slope)

    @property
    def code(self) -> int:
        """Number of the nonlinearity inside fused code."""
        return CODES[self.name]

    def rate(self, drive: np.ndarray) -> np.ndarray:
        """z = f(a), elementwise."""
        match self.name:
            case "identity":
                return drive.copy()
            case "relu":
                return np.maximum(drive, 0)
            case "leaky_relu":
                return _leaky_rate(drive, self.slope)
            case "selu":
                negative = SELU_ALPHA * np.expm1(np.minimum(drive, 0))
                return SELU_SCALE * np.where(drive > 0, drive, negative)
            case "softplus":
                return np.maximum(drive, 0) + np.log1p(np.exp(-np.abs(drive)))
            case _:
                return np.tanh(drive)

    def gain(self, rate: np.ndarray) -> np.ndarray:
        """f'(a) at the drive that gave ``rate``, elementwise."""
        match self.name:
            case "identity":
                return np.ones_like(rate)
            case "relu":
                return (rate > 0).astype(rate.dtype)
            case "leaky_relu":
                return _leaky_gain(rate, rate.dtype.type(1), rate.dtype.type(self.slope))
            case "selu":
                return np.where(rate > 0, SELU_SCALE, rate + SELU_SCALE * SELU_ALPHA).astype(
                    rate.dtype
                )
            case "softplus":
                return -np.expm1(-rate)
            case _:
                return 1 - rate**2


@fused
def _leaky_rate(xp: ModuleType, drive: np.ndarray, slope: float) -> np.ndarray:
    return xp.maximum(drive, slope * drive)


@fused
def _leaky_gain(
    xp: ModuleType, rate: np.ndarray, high: np.floating, low: np.floating
) -> np.ndarray:
    return xp.where(rate > 0, high, low)


@nb.njit(cache=True, nogil=True, fastmath={"contract"})
def rate_row(code: int, slope: float, drive: np.ndarray, rate: np.ndarray) -> None:
    """Fused variant of `Nonlinearity.rate` for one vector."""
    one = drive.dtype.type(1)
    zero = drive.dtype.type(0)
    if code == 2:
        low = drive.dtype.type(slope)
        for n in range(drive.size):
            a = drive[n]
            rate[n] = a if a > zero else low * a
    elif code == 0:
        rate[:] = drive
    elif code == 1:
        for n in range(drive.size):
            rate[n] = max(drive[n], zero)
    elif code == 3:
        for n in range(drive.size):
            a = drive[n]
            rate[n] = SELU_SCALE * (a if a > zero else SELU_ALPHA * np.expm1(a))
    elif code == 4:
        for n in range(drive.size):
            a = drive[n]
            rate[n] = max(a, zero) + np.log1p(np.exp(-abs(a)))
    else:
        for n in range(drive.size):
            rate[n] = np.tanh(drive[n]) * one


@nb.njit(cache=True, nogil=True, fastmath={"contract"})
def gain_row(code: int, slope: float, rate: np.ndarray, gain: np.ndarray) -> None:
    """Fused variant of `Nonlinearity.gain` for one vector."""
    one = rate.dtype.type(1)
    zero = rate.dtype.type(0)
    if code == 2:
        low = rate.dtype.type(slope)
        for n in range(rate.size):
            gain[n] = one if rate[n] > zero else low
    elif code == 0:
        gain[:] = one
    elif code == 1:
        for n in range(rate.size):
            gain[n] = one if rate[n] > zero else zero
    elif code == 3:
        for n in range(rate.size):
            z = rate[n]
            gain[n] = SELU_SCALE if z > zero else z + SELU_SCALE * SELU_ALPHA
    elif code == 4:
        for n in range(rate.size):
            gain[n] = -np.expm1(-rate[n])
    else:
        for n in range(rate.size):
            gain[n] = one - rate[n] * rate[n]
