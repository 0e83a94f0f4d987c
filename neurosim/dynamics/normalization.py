"""Divisive normalization as a recurrent circuit that settles on the algebraic form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from numba import njit

from neurosim.checks import require
from neurosim.dynamics.base import Dynamics, State, require_positive, require_relaxable
from neurosim.ops.grouping import Grouping


@dataclass(frozen=True, kw_only=True)
class RecurrentNormalization(Dynamics):
    r"""Each group of neurons is centred by one interneuron pool and divided by another.

    For a group of g neurons with input z (the target)::

        tau_mean dm/dt = -m + mean(z)                           subtractive pool
        tau_rate dr/dt = -q**p r + z - m                        rates, shunted by the second pool
        tau_pool dq/dt = -q + (sum((q**p r)**2) + delta) / g    power of the shunted outputs

    At the fixed point ``q**p r = z - mean(z) = zc``, hence ``q = (sum(zc**2) + delta) / g`` (u)
    and ``r = zc / u**p``: the algebraic normalization, which `fixed_point` gives. The pool needs
    no access to zc: it listens to the outputs through the synapses that it shunts.

    State: ``rate`` (r), ``(..., n_neurons)``; ``mean`` (m) and ``pool`` (q),
    ``(..., n_neurons / group_size)``. Groups are contiguous.

    Parameters
    ----------
    group_size : int
        Neurons per group, g.
    p : float
        Exponent of the division, in [0, 0.5].
    delta : float
        Offset of the power, positive; squared units of the activity.
    tau_mean, tau_rate, tau_pool : float
        Time constants, seconds.
    step : float
        Longest sub-step of `relax` in units of the smallest time constant.

    Raises
    ------
    SettingError
        If a time constant, ``delta`` or ``step`` is not positive, ``p`` is outside [0, 0.5], or
        ``group_size`` does not divide the number of neurons.

    Notes
    -----
    *Stability.* m does not depend on r and q and decays at 1 / tau_mean. Linearised about the
    fixed point, deviations of r orthogonal to zc decay at u**p / tau_rate. What is left is the
    length s of r, and q. With f = sum(zc**2) / (g u), 0 <= f < 1, their Jacobian is ::

        [ -u**p / tau_rate                  -p u**(p - 1) s / tau_rate ]
        [ 2 u**(2 p) s / (g tau_pool)       (2 p f - 1) / tau_pool     ]

    and since u**(2 p) s**2 = g f u, its determinant is u**p / (tau_rate tau_pool) > 0 for every
    p. Stability is therefore the sign of the trace, ``(2 p f - 1) / tau_pool - u**p / tau_rate``:
    negative for every input and every time constant if p <= 1/2, which is why p is limited.
    (Beyond, a slow enough rate or a fast enough pool makes strongly driven groups oscillate.)

    *Integration.* The equations have no closed form together. Each is relaxed exactly with the
    coefficients taken from the others frozen, first over half a sub-step from the beginning's
    values, then over the whole sub-step with the midpoint's: second order in the sub-step, and
    the fixed point is exact at any ``step``. A group whose state no longer changes is left alone,
    so that long presentations cost no more than the transient.

    The paper uses the algebraic form and leaves its circuit out of scope (Pogodin & Latham 2020,
    section 3.4, eqs. 17 and 21); these equations are this project's.

    Examples
    --------
    >>> circuit = RecurrentNormalization(group_size=2)
    >>> z = np.array([3.0, 1.0, 0.5, 0.5])
    >>> circuit.relax(circuit.init((4,)), z, duration=1.0)["rate"].round(6)
    array([ 0.922108, -0.922108,  0.      ,  0.      ])
    """

    group_size: int
    p: float = 0.2
    delta: float = 1.0
    tau_mean: float = 0.005
    tau_rate: float = 0.01
    tau_pool: float = 0.01
    step: float = 0.05

    def __post_init__(self) -> None:
        owner = "RecurrentNormalization"
        require(self.group_size >= 2, f"{owner}.group_size", "be at least 2", self.group_size)
        require(
            0 <= self.p <= 0.5,
            f"{owner}.p",
            "lie in [0, 0.5]",
            self.p,
            "Beyond 0.5 the circuit can oscillate; use the algebraic normalization there.",
        )
        for name in ("delta", "tau_mean", "tau_rate", "tau_pool", "step"):
            require_positive(f"{owner}.{name}", getattr(self, name))

    def init(self, shape: tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> State:
        """Settled on zero input; see `Dynamics.init`."""
        return self.fixed_point(np.zeros(shape, dtype))

    def fixed_point(self, target: np.ndarray) -> State:
        """Where the circuit settles: the algebraic normalization.

        Parameters
        ----------
        target : ndarray, (..., n_neurons)
            Constant input z, units of activity.

        Returns
        -------
        dict of str to ndarray
            State with ``rate = zc / u**p``, ``mean`` and ``pool = u``.
        """
        n = target.shape[-1]
        require(
            n % self.group_size == 0,
            "RecurrentNormalization.group_size",
            f"divide the number of neurons, {n}",
            self.group_size,
        )
        n_groups = n // self.group_size
        mean = target.reshape(*target.shape[:-1], n_groups, self.group_size).mean(axis=-1)
        settled = Grouping(groups=n_groups, p=self.p, delta=self.delta).evaluate(target)
        return {"mean": mean, "rate": settled.normalized, "pool": settled.variance}

    def relax(self, state: State, target: np.ndarray, duration: float) -> State:
        """Second order in ``step``, in float64 whatever the state; see `Dynamics.relax`."""
        dtype = state["rate"].dtype
        require_relaxable(self, state["rate"], target, duration)
        relaxed = {name: array.astype(np.float64, order="C") for name, array in state.items()}
        groups = (-1, self.group_size)
        relax_into(
            relaxed["mean"].reshape(-1),
            relaxed["rate"].reshape(groups),
            relaxed["pool"].reshape(-1),
            np.ascontiguousarray(target, np.float64).reshape(groups),
            float(duration),
            *self.coefficients(),
        )
        return {name: array.astype(dtype, copy=False) for name, array in relaxed.items()}

    def coefficients(self) -> tuple[float, float, float, float, float, float]:
        """The closing arguments of `relax_into`: p, delta, the time constants, and the sub-step."""
        taus = (self.tau_mean, self.tau_rate, self.tau_pool)
        return (self.p, self.delta, *taus, self.step * min(taus))

    @classmethod
    def example(cls) -> Self:
        """Pairs of neurons at the default constants."""
        return cls(group_size=2)


@njit(cache=True, nogil=True)
def relax_into(  # type: ignore[no-untyped-def]
    mean, rate, pool, target, duration, p, delta, tau_mean, tau_rate, tau_pool, step
):
    """Advance independent groups by ``duration``, in place.

    Parameters
    ----------
    mean, pool : ndarray, (n_groups,)
        m and q of every group; overwritten.
    rate : ndarray, (n_groups, group_size)
        r; overwritten. A layer's contiguous groups, or a batch of layers, reshaped.
    target : ndarray, (n_groups, group_size)
        z, constant over the duration.
    duration, step : float
        Seconds; ``duration`` is divided into equal sub-steps of at most ``step``.
    p, delta, tau_mean, tau_rate, tau_pool : float
        As in `RecurrentNormalization`.
    """
    n_groups, size = rate.shape
    n_steps = math.ceil(duration / step)
    if n_steps == 0:
        return
    h = duration / n_steps
    middle = np.empty(size, rate.dtype)
    for a in range(n_groups):
        settled = target[a].mean()
        for _ in range(n_steps):
            shunt = pool[a] ** p
            power = _power(rate[a], shunt, delta)
            middle_mean = settled + (mean[a] - settled) * math.exp(-0.5 * h / tau_mean)
            middle_pool = power + (pool[a] - power) * math.exp(-0.5 * h / tau_pool)
            decay = math.exp(-0.5 * h * shunt / tau_rate)
            for n in range(size):
                goal = (target[a, n] - mean[a]) / shunt
                middle[n] = goal + (rate[a, n] - goal) * decay

            shunt = middle_pool**p
            power = _power(middle, shunt, delta)
            end_mean = settled + (mean[a] - settled) * math.exp(-h / tau_mean)
            end_pool = power + (pool[a] - power) * math.exp(-h / tau_pool)
            decay = math.exp(-h * shunt / tau_rate)
            before = mean[a], pool[a]
            mean[a], pool[a] = end_mean, end_pool
            moved = before != (mean[a], pool[a])  # compared as stored, so in the array's precision
            for n in range(size):
                goal = (target[a, n] - middle_mean) / shunt
                old = rate[a, n]
                rate[a, n] = goal + (old - goal) * decay
                moved = moved or rate[a, n] != old
            if not moved:
                break


@njit(cache=True, nogil=True)
def _power(rate, shunt, delta):  # type: ignore[no-untyped-def]
    """Input of the second pool: mean square of the shunted outputs, with the offset."""
    total = delta
    for n in range(rate.size):
        total += (shunt * rate[n]) ** 2
    return total / rate.size
