"""The third-factor circuit: from a change of activity and a teaching signal to M.

    b1 = |change|^2                               of z (plain) or v (grouped), eqs. 59, 65
    b2 = gamma k_y - 2 exp(-b1 / 2 sigma^2)       eq. 60
    b3 = running mean of b2                       eq. 61
    M  = -(b2 - b3) exp(-b1 / 2 sigma^2) / sigma^2    eqs. 62, 66

The order is that of the equations: b3 already contains the new b2 when M is read.

Source: Pogodin & Latham 2020, appendix C.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neurosim.checks import require


@dataclass(frozen=True, kw_only=True)
class ThirdFactorCircuit:
    """Settings of a layer's third-factor circuit.

    Parameters
    ----------
    sigma : float
        Width of the Gaussian similarity, in units of the compared activity.
    gamma : float
        Weight of the teaching signal against the layer's own similarity.
    beta : float
        Share of the newest b2 in its running mean b3, per presentation (per comparison at the
        two-point level), in (0, 1]. In continuous time the mean has the time constant
        -duration / ln(1 - beta).
    """

    sigma: float = 5.0
    gamma: float = 2.0
    beta: float = 0.01

    def __post_init__(self) -> None:
        require(self.sigma > 0, "ThirdFactorCircuit.sigma", "be positive", self.sigma)
        require(self.gamma >= 0, "ThirdFactorCircuit.gamma", "not be negative", self.gamma)
        require(0 < self.beta < 1, "ThirdFactorCircuit.beta", "be in (0, 1)", self.beta)

    def similarity(self, b1: np.ndarray) -> np.ndarray:
        """k = exp(-b1 / 2 sigma^2)."""
        return np.exp(-b1 / (2 * self.sigma**2))

    def uncentred(self, similarity: np.ndarray, teaching: np.ndarray) -> np.ndarray:
        """b2 = gamma k_y - 2 k."""
        return self.gamma * teaching - 2 * similarity

    def modulator(self, b2: np.ndarray, b3: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        """M = -(b2 - b3) k / sigma^2."""
        return -(b2 - b3) * similarity / self.sigma**2


class ThirdFactorTrace(NamedTuple):
    """What the circuit computed at each instant of one presentation; all (n_instants,)."""

    b1: np.ndarray
    b2: np.ndarray
    b3: np.ndarray
    modulator: np.ndarray


def evaluate(
    circuit: ThirdFactorCircuit,
    change: np.ndarray,
    teaching: np.ndarray,
    gate: np.ndarray,
    mean: float,
    mean_keep: np.ndarray,
    mean_filter: np.ndarray,
) -> tuple[ThirdFactorTrace, float]:
    """One presentation's third factor, and the running mean it leaves behind.

    Parameters
    ----------
    circuit : ThirdFactorCircuit
    change : ndarray, shape (n_instants, n_signals)
        Derivative signal of the compared activity.
    teaching, gate : ndarray, shape (n_instants,)
        Label similarity k_y, and 1 where it is present. Where it is not, M = 0 and b2 counts as
        the mean before the presentation, so that b3 stays if nothing else is taught.
    mean : float
        b3 before the presentation.
    mean_keep, mean_filter : ndarray, shapes (n_instants + 1,), (n_instants + 1, n_instants)
        b3 at each instant (and at the end) is ``mean_keep * mean + mean_filter @ b2``.
    """
    b1 = (change**2).sum(axis=1)
    similarity = circuit.similarity(b1)
    b2 = np.where(gate > 0, circuit.uncentred(similarity, teaching), mean)
    b3 = mean_keep * mean + mean_filter @ b2
    modulator = gate * circuit.modulator(b2, b3[:-1], similarity)
    return ThirdFactorTrace(b1, b2, b3[:-1], modulator), float(b3[-1])
