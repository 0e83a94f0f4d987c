"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import numba as nb
import numpy as np

from neurosim.backend import fused, namespace
from neurosim.checks import require
from neurosim.optimizers.base import Optimizer, State, flat


@dataclass(frozen=True, kw_only=True)
class SGD(Optimizer):
    """V <- momentum V + (gradient + weight_decay W),  W <- W - rate V.

    Parameters
    ----------
    momentum : float
        In [0, 1); neither Nesterov's nor dampened.
    weight_decay : float
        L2 penalty, added to the gradient.

    Source
    ------
    Pogodin & Latham 2020, appendix D.4 (momentum 0.95; weight decay 1e-7 local, 1e-6 read-out).
    """

    momentum: float = 0.95
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.momentum < 1, "SGD.momentum", "be in [0, 1)", self.momentum)
        decay = self.weight_decay
        require(decay >= 0, "SGD.weight_decay", "not be negative", decay)

    def start(self, parameters: Mapping[str, np.ndarray]) -> State:
        """Velocities of zero."""
        return {f"{name}.velocity": np.zeros_like(array) for name, array in parameters.items()}

    def step(
        self,
        state: Mapping[str, np.ndarray],
        parameters: Mapping[str, np.ndarray],
        gradients: Mapping[str, np.ndarray],
        rate: float,
    ) -> None:
        """Change the parameters that have a gradient, and their velocities, in place."""
        for name, gradient in gradients.items():
            step = _walk if namespace(gradient) is np else _step
            step(
                flat(parameters[name]), flat(gradient), flat(state[f"{name}.velocity"]),
                rate, self.momentum, self.weight_decay,
            )  # fmt: skip


@fused
def _step(
    xp: ModuleType, w: np.ndarray, gradient: np.ndarray, velocity: np.ndarray, rate: float,
    momentum: float, decay: float,
) -> None:  # fmt: skip
    velocity *= momentum
    velocity += gradient + decay * w
    w -= rate * velocity


@nb.njit(cache=True, nogil=True, fastmath={"contract"})
def _walk(
    w: np.ndarray, gradient: np.ndarray, velocity: np.ndarray, rate: float, momentum: float,
    decay: float,
) -> None:  # fmt: skip
    kind = w.dtype.type
    eta, mu, shrink = kind(rate), kind(momentum), kind(decay)
    for i in range(w.size):
        speed = mu * velocity[i] + (gradient[i] + shrink * w[i])
        velocity[i] = speed
        w[i] -= eta * speed
