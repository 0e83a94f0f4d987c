"""A neuron that follows its drive with a delay."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from neurosim.dynamics.base import Dynamics, State, require_positive, require_relaxable


@dataclass(frozen=True, kw_only=True)
class LeakyIntegrator(Dynamics):
    r"""First-order low-pass: ``tau dh/dt = -h + target``.

    While the target is constant, ``h(t) = h(0) e + target (1 - e)`` with ``e = exp(-t / tau)``,
    which is used at any step length. State: ``potential`` (h).

    Parameters
    ----------
    tau : float
        Time constant, seconds.

    Raises
    ------
    SettingError
        If ``tau`` is not a finite positive number.

    Examples
    --------
    >>> neuron = LeakyIntegrator(tau=0.02)
    >>> state = neuron.relax(neuron.init((1,)), np.ones(1), duration=0.02)
    >>> f"{state['potential'][0]:.4f}"
    '0.6321'
    """

    tau: float

    def __post_init__(self) -> None:
        require_positive("LeakyIntegrator.tau", self.tau)

    def init(self, shape: tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> State:
        """Potential zero everywhere; see `Dynamics.init`."""
        return {"potential": np.zeros(shape, dtype)}

    def relax(self, state: State, target: np.ndarray, duration: float) -> State:
        """Exact; see `Dynamics.relax`."""
        potential = state["potential"]
        require_relaxable(self, potential, target, duration)
        decay = -duration / self.tau
        relaxed = potential * math.exp(decay) - target * math.expm1(decay)
        return {"potential": relaxed.astype(potential.dtype, copy=False)}

    @classmethod
    def example(cls) -> Self:
        """A membrane of 20 ms."""
        return cls(tau=0.02)
