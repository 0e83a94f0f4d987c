"""A linear-softmax read-out, trained online by the delta rule.

    a = W r + b        e = onehot(y) - softmax(a)        dW = eta e (x) r,    db = eta e

With momentum, V <- momentum V + dW and W <- (1 - eta decay) W + V. The prediction for a
presentation is made before it is learned from. There are few classes, so the weights stay in cache
and a chunk is walked directly, without the algebra of `chunked`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from neurosim.checks import require
from neurosim.streaming.presentations import UNLABELLED

State = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class ReadOut:
    """Settings of the read-out.

    Parameters
    ----------
    n_classes : int
    momentum : float
        In [0, 1).
    weight_decay : float
        Decay of weights (not of the bias) per presentation, times the learning rate.
    """

    n_classes: int
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        require(self.n_classes >= 2, "ReadOut.n_classes", "be at least 2", self.n_classes)
        require(0 <= self.momentum < 1, "ReadOut.momentum", "be in [0, 1)", self.momentum)
        require(
            self.weight_decay >= 0, "ReadOut.weight_decay", "not be negative", self.weight_decay
        )

    def start(self, n_pre: int, dtype: np.dtype) -> State:
        """Weights, bias and their velocities, all zero."""
        names = ("weights", "bias", "velocity", "bias_velocity")
        shapes = ((self.n_classes, n_pre), (self.n_classes,)) * 2
        return {n: np.zeros(s, dtype) for n, s in zip(names, shapes, strict=True)}

    def present(
        self, state: State, inputs: np.ndarray, labels: np.ndarray, eta: np.ndarray
    ) -> np.ndarray:
        """Predict and learn from T presentations, one after the other.

        Parameters
        ----------
        state : dict
            Updated in place.
        inputs : ndarray, shape (T, n_pre)
        labels : ndarray of int, shape (T,)
            -1: predict only.
        eta : ndarray, shape (T,)

        Returns
        -------
        ndarray of int, shape (T,)
            Predicted classes.
        """
        predicted = np.empty(len(labels), np.int64)
        _walk(
            state["weights"], state["bias"], state["velocity"], state["bias_velocity"],
            np.ascontiguousarray(inputs), labels, eta, self.momentum, self.weight_decay, predicted,
        )  # fmt: skip
        return predicted


def present_reference(
    settings: ReadOut, state: State, pre: np.ndarray, label: int, eta: float
) -> int:
    """One presentation in plain NumPy; what `ReadOut.present` does T times."""
    drive = state["weights"] @ pre + state["bias"]
    probability = np.exp(drive - drive.max())
    probability /= probability.sum()
    if label != UNLABELLED:
        error = np.eye(settings.n_classes)[label] - probability
        for name, step in (("weights", np.outer(error, pre)), ("bias", error)):
            speed = "velocity" if name == "weights" else "bias_velocity"
            keep = 1 - eta * settings.weight_decay if name == "weights" else 1.0
            state[speed] = settings.momentum * state[speed] + eta * step
            state[name] = keep * state[name] + state[speed]
    return int(drive.argmax())


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _walk(weights, bias, velocity, bias_velocity, inputs, labels, eta, momentum, decay, predicted):
    classes, n_pre = weights.shape
    kind = weights.dtype.type
    drive = np.empty(classes, weights.dtype)
    for t in range(labels.size):
        x = inputs[t]
        for c in range(classes):
            total = kind(0)
            row = weights[c]
            for m in range(n_pre):
                total += row[m] * x[m]
            drive[c] = total + bias[c]
        best = drive.argmax()
        predicted[t] = best
        if labels[t] < 0:
            continue
        top = drive[best]
        scale = 0.0
        for c in range(classes):
            drive[c] = np.exp(drive[c] - top)
            scale += drive[c]
        keep = kind(1.0 - eta[t] * decay)
        for c in range(classes):
            error = kind(eta[t] * ((1.0 if c == labels[t] else 0.0) - drive[c] / scale))
            row = weights[c]
            if momentum > 0:
                speed = velocity[c]
                for m in range(n_pre):
                    speed[m] = kind(momentum) * speed[m] + error * x[m]
                    row[m] = keep * row[m] + speed[m]
                bias_velocity[c] = kind(momentum) * bias_velocity[c] + error
                bias[c] += bias_velocity[c]
            else:
                for m in range(n_pre):
                    row[m] = keep * row[m] + error * x[m]
                bias[c] += error
