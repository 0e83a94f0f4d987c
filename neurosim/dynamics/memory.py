"""A trace that keeps the last large deviation from background, through gaps of any length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from numba import njit

from neurosim.checks import require
from neurosim.dynamics.base import Dynamics, State, require_positive, require_relaxable


@dataclass(frozen=True, kw_only=True)
class MemoryTrace(Dynamics):
    r"""Nonlinear memory of a deviation d = activity - background.

    ``tau dw/dt = x**3 - tanh(|x|**3) w - leak w``, with ``x = scale d``.

    While d is constant the equation is linear, with rate ``lambda = tanh(|x|**3) + leak``:
    ``w(t) = w(0) e + x**3 (1 - e) / lambda``, ``e = exp(-lambda t / tau)``. This is used at any
    step length; for lambda -> 0 the second factor tends to t / tau. At background (d = 0) only the
    leak acts, and with ``leak = 0`` the memory is kept bit for bit.

    The remembered deviation is ``cbrt(w) / scale`` (`recall`). State: ``memory`` (w).

    Parameters
    ----------
    leak : float
        Forgetting rate c in units of 1 / tau, not negative.
    tau : float
        Time constant, seconds. The source has time without units, that is tau = 1.
    scale : float
        Sensitivity s, one over the unit of the activity. The source has s = 1.

    Raises
    ------
    SettingError
        If ``tau`` or ``scale`` is not a finite positive number, or ``leak`` is negative.

    Notes
    -----
    The memory overwrites, as intended, if ``|x| >> 1`` *and* the presentation lasts several
    tau / lambda. Both are needed, and neither is guaranteed by the equation:

    * Small deviations shown long end near +-1 / scale whatever their size, because
      x**3 / tanh(|x|**3) tends to the sign of x.
    * Small deviations shown briefly hardly erase: x**3 t / tau is *added* to the old memory.
    * Moderate ones are overestimated: |x| = 1 is recalled as 1.095.

    Choose ``scale`` so that typical deviations are 1.5 or more: |x| >= 1.5 is recalled to 0.1 %.

    Read by a `SmoothedDerivative`, a memory that settles slowly spreads the jump over time. For |x|
    between 1.5 and 4 the peak recovers, in the median, 0.99 of the jump at tau = 0.1 / c2, 0.94 at
    tau = 0.5 / c2 and 0.86 at tau = 1 / c2, and less of small jumps than of large ones.

    Source: Pogodin & Latham 2020, section 3.3, eqs. 15 and 16; tau and scale are additions that
    give the equation units.

    Examples
    --------
    What is recalled after 2 had been remembered, and then ``deviation`` was shown:

    >>> def remembered(deviation, duration):
    ...     trace = MemoryTrace(tau=0.01)
    ...     old = {"memory": np.array([8.0])}
    ...     new = trace.relax(old, np.array([deviation]), duration)
    ...     return f"{trace.recall(new)[0]:.3f}"
    >>> remembered(-3.0, 0.2)  # large and long: overwritten
    '-3.000'
    >>> remembered(-3.0, 0.01)  # large but only tau: the old value still shows
    '-2.417'
    >>> remembered(0.3, 10.0)  # small and long: a sign, not a size
    '1.000'
    >>> remembered(0.3, 0.2)  # small and brief: mostly the old memory
    '1.719'
    """

    leak: float = 0.0
    tau: float = 0.01
    scale: float = 1.0

    def __post_init__(self) -> None:
        require_positive("MemoryTrace.tau", self.tau)
        require_positive("MemoryTrace.scale", self.scale)
        require(
            math.isfinite(self.leak) and self.leak >= 0,
            "MemoryTrace.leak",
            "be a finite number, not below 0",
            self.leak,
        )

    def init(self, shape: tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> State:
        """Nothing remembered; see `Dynamics.init`."""
        return {"memory": np.zeros(shape, dtype)}

    def relax(self, state: State, target: np.ndarray, duration: float) -> State:
        """Exact; ``target`` is the deviation from background. See `Dynamics.relax`."""
        memory = state["memory"]
        require_relaxable(self, memory, target, duration)
        cubed = (self.scale * target) ** 3
        rate = np.tanh(np.abs(cubed)) + self.leak
        time = duration / self.tau
        # (1 - exp(-rate time)) / rate, whose limit at rate = 0 is time
        moves = rate > 0
        growth = np.where(moves, -np.expm1(-rate * time) / np.where(moves, rate, 1.0), time)
        relaxed = memory * np.exp(-rate * time) + cubed * growth
        return {"memory": relaxed.astype(memory.dtype, copy=False)}

    def recall(self, state: State) -> np.ndarray:
        """The remembered deviation from background.

        Parameters
        ----------
        state : dict of str to ndarray
            As returned by `init` or `relax`.

        Returns
        -------
        ndarray, (..., n_neurons)
            Real cube root of the memory over ``scale``; units of the activity.
        """
        recalled: np.ndarray = np.cbrt(state["memory"]) / self.scale
        return recalled

    def crossing(self, state: State, target: np.ndarray) -> np.ndarray:
        """When a constant deviation turns the sign of the memory.

        What is recalled has an infinite slope there: quadrature over time splits at this moment.

        Parameters
        ----------
        state : dict of str to ndarray
            As returned by `init` or `relax`.
        target : ndarray, (..., n_neurons)
            Constant deviation from background.

        Returns
        -------
        ndarray, (..., n_neurons)
            Seconds from now; infinite where the sign stays.
        """
        memory = state["memory"]
        require_relaxable(self, memory, target, 0.0)
        cubed = (self.scale * target) ** 3
        rate = np.tanh(np.abs(cubed)) + self.leak
        turns = memory * cubed < 0
        ratio = np.where(turns, -memory * rate, 0.0) / np.where(turns, cubed, 1.0)
        time = self.tau * np.log1p(ratio) / np.where(turns, rate, 1.0)
        return np.where(turns, time, np.inf)

    @classmethod
    def example(cls) -> Self:
        """A memory that forgets a little."""
        return cls(leak=0.01, tau=0.01, scale=2.0)


@njit(cache=True, nogil=True)
def relax_memory(memory, deviation, duration, leak):  # type: ignore[no-untyped-def]
    """`MemoryTrace.relax` of one neuron, for fused loops.

    Parameters
    ----------
    memory : float
        w.
    deviation : float
        Scaled deviation x = scale d.
    duration : float
        In units of tau.
    leak : float
        Forgetting rate in units of 1 / tau.

    Returns
    -------
    float
        w after the duration.
    """
    cubed = deviation * deviation * deviation
    rate = math.tanh(abs(cubed)) + leak
    if rate == 0.0:
        return memory + cubed * duration
    change = -math.expm1(-rate * duration)
    return memory * (1.0 - change) + cubed * (change / rate)


class Remembered(NamedTuple):
    """What `remember_row` knows of each neuron, so that nothing is computed twice.

    deviation : the last one seen, scaled; cubed, pace : x**3 and lambda of it.
    spent : lambda t / tau since it is there; recalled : the remembered deviation, not scaled.
    """

    deviation: np.ndarray
    cubed: np.ndarray
    pace: np.ndarray
    spent: np.ndarray
    recalled: np.ndarray


SETTLED = 60.0
"""Units of lambda t / tau after which nothing is left of what was remembered before: e**-60."""


@njit(cache=True, nogil=True)
def start_remembering(memory, scale):  # type: ignore[no-untyped-def]
    """`Remembered` of neurons whose activity has not been seen yet."""
    n = memory.size
    recalled = np.cbrt(memory.astype(np.float64)) / scale
    return Remembered(np.full(n, np.nan), np.empty(n), np.empty(n), np.empty(n), recalled)


@njit(cache=True, nogil=True)
def remember_row(memory, known, activity, background, duration, leak, scale, remembered):  # type: ignore[no-untyped-def]
    """`MemoryTrace.relax` and `recall` of all neurons, in place; for fused loops.

    Parameters
    ----------
    memory : ndarray, shape (n,)
        w.
    known : Remembered
    activity, background : ndarray, shape (n,)
    duration : float
        In units of tau.
    leak : float
        Forgetting rate in units of 1 / tau.
    scale : float
    remembered : ndarray, shape (n,)
        Gets background and remembered deviation; may be ``activity``.
    """
    for n in range(memory.size):
        deviation = scale * float(activity[n] - background[n])
        if deviation != known.deviation[n]:
            cubed = deviation * deviation * deviation
            known.deviation[n], known.cubed[n] = deviation, cubed
            known.pace[n] = math.tanh(abs(cubed)) + leak
            known.spent[n] = np.inf if known.pace[n] == 0.0 else 0.0
        if not known.spent[n] > SETTLED:  # so that NaN is passed on
            pace = known.pace[n]
            change = -math.expm1(-pace * duration)
            held = float(memory[n]) * (1.0 - change) + known.cubed[n] * (change / pace)
            memory[n] = held
            known.recalled[n] = np.cbrt(held) / scale
            known.spent[n] += pace * duration
        remembered[n] = background[n] + known.recalled[n]
