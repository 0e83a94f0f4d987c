"""Batch norm: every neuron's drive, in units of its spread over the batch.

learning     n = (a - mean a) / sqrt(var a + epsilon)        mean and variance of the batch
afterwards   the same with running averages of both
b = scale n + shift                                          what the nonlinearity sees
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from neurosim.checks import require
from neurosim.layers.base import Gradients

LEARNED = ("scale", "shift")
AVERAGES = ("mean", "variance")


def is_average(name: str) -> bool:
    """Whether a network's parameter, such as ``batch_norm/layer1/mean``, is a running average."""
    return name.startswith("batch_norm/") and name.endswith(AVERAGES)


class Normal(NamedTuple):
    """Normalized drive n, (..., n_post), and what it was divided by, (n_post,)."""

    drive: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchNorm:
    """Settings and arrays of one layer's batch norm.

    Parameters
    ----------
    scale, shift : ndarray, shape (n_post,)
        Learned.
    mean, variance : ndarray, shape (n_post,)
        Running averages, for use after learning; the variance is the unbiased one.
    epsilon : float
        Added to the variance; positive.
    momentum : float
        Weight of a batch in the running averages, in (0, 1].
    together : bool
        Whether rows are normalized by their own mean and variance, as while learning, or by the
        running averages.

    Source
    ------
    Ioffe & Szegedy 2015, algorithms 1 and 2.
    """

    scale: np.ndarray
    shift: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    epsilon: float = 1e-5
    momentum: float = 0.1
    together: bool = False

    names: ClassVar[tuple[str, ...]] = (*LEARNED, *AVERAGES)

    def __post_init__(self) -> None:
        require(self.epsilon > 0, "BatchNorm.epsilon", "be positive", self.epsilon)
        require(0 < self.momentum <= 1, "BatchNorm.momentum", "be in (0, 1]", self.momentum)
        shapes = {array.shape for array in self.arrays().values()}
        require(len(shapes) == 1, "BatchNorm.scale", "have one shape with the others", shapes)

    @classmethod
    def start(cls, n_post: int, dtype: str = "float32") -> BatchNorm:
        """Batch norm that has learned nothing and seen nothing."""
        zeros, ones = np.zeros(n_post, dtype), np.ones(n_post, dtype)
        return cls(scale=ones, shift=zeros, mean=zeros.copy(), variance=ones.copy())

    def settings(self) -> dict[str, float]:
        """All of it but the arrays, as plain JSON values."""
        return {"epsilon": self.epsilon, "momentum": self.momentum}

    def arrays(self) -> dict[str, np.ndarray]:
        """All four arrays by name."""
        return {name: getattr(self, name) for name in self.names}

    def with_arrays(self, arrays: Mapping[str, np.ndarray]) -> BatchNorm:
        """The same settings with other arrays, named as in `arrays`."""
        others: dict[str, Any] = {name: arrays[name] for name in self.names}
        return replace(self, **others)

    def learning(self) -> BatchNorm:
        """The same, with the statistics of the batch."""
        return replace(self, together=True)

    def forward(self, drive: np.ndarray) -> np.ndarray:
        """What the nonlinearity sees, in the shape of ``drive`` (..., n_post)."""
        normal = self._normal(drive)
        normal.drive[...] *= self.scale
        normal.drive[...] += self.shift
        return normal.drive

    def pullback(self, drive: np.ndarray, d_seen: np.ndarray) -> tuple[np.ndarray, Gradients]:
        """Gradients at ``drive``, and at scale and shift, of one at what `forward` returned."""
        normal = self._normal(drive)
        rows = tuple(range(drive.ndim - 1))
        d_shift, d_scale = d_seen.sum(axis=rows), (d_seen * normal.drive).sum(axis=rows)
        d_drive = d_seen
        if self.together:  # the batch's mean and variance move with the drive
            d_drive = d_seen - (d_shift + normal.drive * d_scale) / len(drive)
        return d_drive * (self.scale / normal.spread), {"scale": d_scale, "shift": d_shift}

    def averages(self, drive: np.ndarray) -> dict[str, np.ndarray]:
        """Running averages after a batch (n, n_post); those of now stay as they are."""
        n, weight = len(drive), self.momentum
        mean, variance = drive.mean(axis=0), drive.var(axis=0) * (n / (n - 1))
        return {
            "mean": self.mean + weight * (mean - self.mean),
            "variance": self.variance + weight * (variance - self.variance),
        }

    def _normal(self, drive: np.ndarray) -> Normal:
        mean, variance = self.mean, self.variance
        if self.together:
            require(
                drive.ndim == 2 and len(drive) >= 2,
                "BatchNorm.forward(drive)",
                "be a batch of at least two: one sample has no spread",
                drive.shape,
                "Choose another batch size.",
            )
            mean, variance = drive.mean(axis=0), drive.var(axis=0)
        spread = np.sqrt(variance + drive.dtype.type(self.epsilon))
        return Normal((drive - mean) / spread, spread)
