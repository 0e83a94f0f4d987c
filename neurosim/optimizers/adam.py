"""Adam and AdamW."""

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
class Adam(Optimizer):
    """Steps scaled by running moments of the gradient g.

        m <- beta1 m + (1 - beta1) g             v <- beta2 v + (1 - beta2) g^2
        W <- W - rate m' / (sqrt(v') + epsilon)  m' = m / (1 - beta1^t),  v' = v / (1 - beta2^t)

    Parameters
    ----------
    beta1, beta2 : float
        In [0, 1).
    epsilon : float
        Positive.
    weight_decay : float
        With ``decoupled``, weights shrink by rate * weight_decay a step; else it is added to g
        times the weights.
    decoupled : bool
        Whether it is AdamW.

    Source
    ------
    Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    decoupled: bool = True

    def __post_init__(self) -> None:
        for name in ("beta1", "beta2"):
            require(
                0 <= getattr(self, name) < 1, f"Adam.{name}", "be in [0, 1)", getattr(self, name)
            )
        require(self.epsilon > 0, "Adam.epsilon", "be positive", self.epsilon)
        require(self.weight_decay >= 0, "Adam.weight_decay", "not be negative", self.weight_decay)

    def start(self, parameters: Mapping[str, np.ndarray]) -> State:
        """Moments of zero, and the number of steps taken: on the CPU, whatever the device."""
        state: State = {}
        for name, array in parameters.items():
            state |= {f"{name}.{moment}": np.zeros_like(array) for moment in ("mean", "square")}
            state[f"{name}.steps"] = np.zeros((), np.int64)
        return state

    def step(
        self,
        state: Mapping[str, np.ndarray],
        parameters: Mapping[str, np.ndarray],
        gradients: Mapping[str, np.ndarray],
        rate: float,
    ) -> None:
        """Change the parameters that have a gradient, and their moments, in place."""
        for name, gradient in gradients.items():
            steps = state[f"{name}.steps"]
            steps += 1
            unbiased = 1 - self.beta2 ** int(steps)
            step = _walk if namespace(gradient) is np else _step
            step(
                flat(parameters[name]), flat(gradient), flat(state[f"{name}.mean"]),
                flat(state[f"{name}.square"]),
                rate / (1 - self.beta1 ** int(steps)), unbiased,
                self.beta1, self.beta2, 1 - self.beta1, 1 - self.beta2, self.epsilon,
                0.0 if self.decoupled else self.weight_decay,
                1 - rate * self.weight_decay if self.decoupled else 1.0,
            )  # fmt: skip


@fused
def _step(
    xp: ModuleType, w: np.ndarray, gradient: np.ndarray, mean: np.ndarray, square: np.ndarray,
    rate: float, unbiased: float, beta1: float, beta2: float, rest1: float, rest2: float,
    epsilon: float, penalty: float, keep: float,
) -> None:  # fmt: skip
    g = gradient + penalty * w
    mean *= beta1
    mean += rest1 * g
    square *= beta2
    square += rest2 * g * g
    w *= keep
    w -= rate * mean / (xp.sqrt(square / unbiased) + epsilon)


@nb.njit(cache=True, nogil=True, fastmath={"contract"})
def _walk(
    w: np.ndarray, gradient: np.ndarray, mean: np.ndarray, square: np.ndarray, rate: float,
    unbiased: float, beta1: float, beta2: float, rest1: float, rest2: float, epsilon: float,
    penalty: float, keep: float,
) -> None:  # fmt: skip
    kind = w.dtype.type
    eta, scale, small = kind(rate), kind(1 / unbiased), kind(epsilon)
    b1, c1, b2, c2 = kind(beta1), kind(rest1), kind(beta2), kind(rest2)
    l2, stay = kind(penalty), kind(keep)
    for i in range(w.size):
        g = gradient[i] + l2 * w[i]
        mean[i] = b1 * mean[i] + c1 * g
        square[i] = b2 * square[i] + c2 * g * g
        w[i] = stay * w[i] - eta * mean[i] / (np.sqrt(square[i] * scale) + small)
