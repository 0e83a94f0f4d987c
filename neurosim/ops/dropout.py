"""Dropout: silences neurons at random while a network learns.

    dropout         r' = keep r / (1 - p)                     mean of r' is r
    alpha dropout   r' = s (keep r + (1 - keep) m) + t        mean 0 and variance 1 stay

    keep: 1 with probability 1 - p, else 0; m: rate of a SELU neuron far below threshold;
    s = ((1 - p) (1 + p m^2))^-1/2, t = -s p m.

Source: Srivastava et al. 2014; Klambauer et al. 2017, section 2 ("new dropout technique").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neurosim.backend import device_of, namespace, to_device
from neurosim.checks import require
from neurosim.ops.nonlinearity import SELU_ALPHA, SELU_SCALE


class Mask(NamedTuple):
    """One draw: r' = scale * r + shift, elementwise; so the gradient at r is scale * d_r'."""

    scale: np.ndarray
    shift: np.ndarray | None

    def apply(self, output: np.ndarray) -> np.ndarray:
        """r' of the output r, same shape."""
        dropped = self.scale * output
        if self.shift is not None:
            dropped += self.shift
        return dropped


@dataclass(frozen=True, kw_only=True)
class Dropout:
    """Settings of dropout or alpha dropout.

    Parameters
    ----------
    rate : float
        p, probability that a neuron is silenced, in [0, 1).
    alpha : bool
        Alpha dropout, for SELU.
    """

    rate: float
    alpha: bool = False

    def __post_init__(self) -> None:
        require(0 <= self.rate < 1, "Dropout.rate", "be in [0, 1)", self.rate)

    def draw(self, output: np.ndarray, rng: np.random.Generator) -> Mask:
        """Mask for ``output``, where that is; each neuron of each sample for itself."""
        p, n = self.rate, output.size
        # How many, then which: as likely as one draw for each neuron, and less to draw and to send.
        drawn = rng.choice(n, int(rng.binomial(n, p)), replace=False, shuffle=False)
        silent = to_device(drawn, device_of(output))
        if not self.alpha:
            return Mask(_filled(output, 1 / (1 - p), silent, 0.0), None)
        low = -SELU_SCALE * SELU_ALPHA
        s = ((1 - p) * (1 + p * low**2)) ** -0.5
        shift = _filled(output, -s * p * low, silent, s * (1 - p) * low)
        return Mask(_filled(output, s, silent, 0.0), shift)


def _filled(like: np.ndarray, value: float, silent: np.ndarray, other: float) -> np.ndarray:
    """An array of one value, but of another one at the silent neurons."""
    array = namespace(like).full(like.shape, value, like.dtype)
    array.reshape(-1)[silent] = other
    return array
