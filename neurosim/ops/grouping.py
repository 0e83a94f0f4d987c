"""Neuron groups: smoothed variance u, group signal v, divisive normalization r.

    zc = z - mean of its group           u = (sum over group zc^2 + delta) / g
    r  = zc / u^p                        v = u^q - mean over groups of u^q

    z: rate, g: neurons a group, q: exponent of the group signal, p: exponent of the normalization.

Groups are contiguous blocks of neurons.

Source: Pogodin & Latham 2020, eqs. 17, 18, 21 (delta is divided by g, as in eq. 17).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import numba as nb
import numpy as np

from neurosim.backend import fused, namespace
from neurosim.checks import require


class Groups(NamedTuple):
    """What the groups of a layer compute from its rates.

    variance : (..., n_groups), u.
    signal : (..., n_groups), v.
    normalized : (..., n), zc / u^p.
    """

    variance: np.ndarray
    signal: np.ndarray
    normalized: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """Contiguous groups of neurons with divisive normalization.

    Parameters
    ----------
    groups : int
        Number of groups; must divide the number of neurons.
    p : float
        Exponent of the normalization, in [0, 1). 0.2 with divisive normalization; 0.5 is the
        published choice when the output is left unnormalized.
    delta : float
        Positive offset of the variance.
    divisive : bool
        Whether the layer passes on r (true) or z (false).

    Notes
    -----
    The group signal uses q = 1 - p, so that dv/dz = 2 (1 - p) / g * r within the group and the
    plasticity rule stays Hebbian.

    Source
    ------
    Pogodin & Latham 2020, section 3.4 and appendix D.4.
    """

    groups: int = 32
    p: float = 0.2
    delta: float = 1.0
    divisive: bool = True

    def __post_init__(self) -> None:
        require(self.groups >= 1, "Grouping.groups", "be at least 1", self.groups)
        require(0 <= self.p < 1, "Grouping.p", "be in [0, 1)", self.p)
        require(self.delta > 0, "Grouping.delta", "be positive", self.delta)

    def size(self, n: int) -> int:
        """Neurons a group in a layer of ``n``; an error if the groups do not fit."""
        require(
            n % self.groups == 0 and n > self.groups,
            "Grouping.groups",
            f"divide the layer's {n} neurons into groups of at least two",
            self.groups,
            f"Choose a divisor of {n}.",
        )
        return n // self.groups

    def slope(self, n: int) -> float:
        """2 (1 - p) / g, the factor between r and dv/dz."""
        return 2 * (1 - self.p) / self.size(n)

    def evaluate(self, rate: np.ndarray) -> Groups:
        """Group variance, group signal and normalized rates of ``rate`` (..., n)."""
        size = self.size(rate.shape[-1])
        z = rate.reshape(*rate.shape[:-1], self.groups, size)
        centred, squares = _centred(z, z.mean(axis=-1, keepdims=True))
        variance, power, divisor = _powers(
            squares.sum(axis=-1), self.delta, size, 1 - self.p, self.p
        )
        signal = power - power.mean(axis=-1, keepdims=True)
        normalized = (centred / divisor[..., None]).reshape(rate.shape)
        return Groups(variance, signal, normalized)

    def evaluate_batch(self, rate: np.ndarray) -> Groups:
        """Fused variant of `evaluate` for the rates of a batch, (n_rows, n), on the CPU."""
        self.size(rate.shape[1])
        if namespace(rate) is not np:
            return self.evaluate(rate)
        rate = np.ascontiguousarray(rate)
        variance, signal = (np.empty((len(rate), self.groups), rate.dtype) for _ in range(2))
        normalized = np.empty_like(rate)
        _groups_rows(self.p, self.delta, rate, variance, signal, normalized)
        return Groups(variance, signal, normalized)

    def signal_pullback(self, groups: Groups, d_signal: np.ndarray) -> np.ndarray:
        """Gradient at the rates (..., n) of one at the group signal (..., n_groups).

        With q = 1 - p it is 2 (1 - p) / g * r times the centred gradient of the neuron's group.
        """
        shape = groups.normalized.shape
        scaled = self.slope(shape[-1]) * (d_signal - d_signal.mean(axis=-1, keepdims=True))
        r = groups.normalized.reshape(*shape[:-1], self.groups, -1)
        return (scaled.astype(r.dtype)[..., None] * r).reshape(shape)


@fused
def _centred(xp: ModuleType, z: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centred = z - mean
    return centred, centred * centred


@fused
def _powers(
    xp: ModuleType, squares: np.ndarray, delta: float, size: int, q: float, p: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """u, u^q and u^p."""
    variance = (squares + delta) / size
    return variance, variance**q, variance**p


@nb.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "arcp"})
def groups_row(
    p: float, delta: float, rate: np.ndarray, variance: np.ndarray, signal: np.ndarray,
    normalized: np.ndarray,
) -> None:  # fmt: skip
    """Fused variant of `Grouping.evaluate` for one vector of rates."""
    groups = signal.size
    size = rate.size // groups
    kind = rate.dtype.type
    inverse = kind(1.0 / size)
    mean_power = kind(0)
    for g in range(groups):
        z = rate[g * size : (g + 1) * size]
        r = normalized[g * size : (g + 1) * size]
        total = kind(0)
        for n in range(size):
            total += z[n]
        mean = total * inverse
        squares = kind(0)
        for n in range(size):
            zc = z[n] - mean
            r[n] = zc
            squares += zc * zc
        u = (squares + kind(delta)) * inverse
        divisor = u ** kind(p)
        power = u / divisor
        scale = kind(1) / divisor
        for n in range(size):
            r[n] *= scale
        variance[g] = u
        signal[g] = power
        mean_power += power
    mean_power *= kind(1.0 / groups)
    for g in range(groups):
        signal[g] -= mean_power


@nb.njit(cache=True, nogil=True)
def _groups_rows(
    p: float, delta: float, rate: np.ndarray, variance: np.ndarray, signal: np.ndarray,
    normalized: np.ndarray,
) -> None:  # fmt: skip
    for i in range(len(rate)):
        groups_row(p, delta, rate[i], variance[i], signal[i], normalized[i])
