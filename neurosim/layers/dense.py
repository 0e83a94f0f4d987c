"""A fully connected layer without bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from neurosim.checks import require
from neurosim.layers.base import Activity, Gradients, Layer
from neurosim.ops.grouping import Grouping, Groups
from neurosim.ops.linalg import matmul
from neurosim.ops.nonlinearity import Nonlinearity


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """a = W x, z = f(a), and divisive normalization where the layer has groups.

    Parameters
    ----------
    weights : ndarray, shape (n_post, n_pre)
        W; updated in place by whoever learns.
    nonlinearity : Nonlinearity
        f.
    grouping : Grouping, optional
        Contiguous groups; None leaves the rates as they are.

    Source
    ------
    Pogodin & Latham 2020, eqs. 1 and 21.
    """

    weights: np.ndarray
    nonlinearity: Nonlinearity = Nonlinearity()
    grouping: Grouping | None = None

    def __post_init__(self) -> None:
        require(self.weights.ndim == 2, "Dense.weights", "be (n_post, n_pre)", self.weights.shape)
        if self.grouping is not None:
            self.grouping.size(self.n_post)

    @property
    def n_post(self) -> int:
        """Neurons of the layer."""
        return int(self.weights.shape[0])

    @property
    def n_pre(self) -> int:
        """Inputs of the layer."""
        return int(self.weights.shape[1])

    @staticmethod
    def draw(
        n_post: int, n_pre: int, gain: float, rng: np.random.Generator, dtype: str = "float32"
    ) -> np.ndarray:
        """Initial weights, uniform in +-gain / sqrt(n_pre), shape (n_post, n_pre)."""
        limit = gain / np.sqrt(n_pre)
        return rng.uniform(-limit, limit, (n_post, n_pre)).astype(dtype)

    def drive(self, pre: np.ndarray) -> np.ndarray:
        """a = W x, shape (..., n_post)."""
        require(
            pre.shape[-1] == self.n_pre,
            "Dense.drive(pre)",
            f"have {self.n_pre} features on its last axis",
            pre.shape,
            "Match the stimulus to the network's input size.",
        )
        return matmul(pre, self.weights.T)

    def respond(self, pre: np.ndarray, drive: np.ndarray) -> Activity:
        """z = f(a), and r where the layer normalizes divisively."""
        rate = self.nonlinearity.rate(drive)
        output = rate
        if self.grouping is not None and self.grouping.divisive:
            output = _groups(self.grouping, rate).normalized
        return Activity(pre, drive, rate, self.nonlinearity.gain(rate), output)

    def pullback(
        self,
        activity: Activity,
        *,
        d_rate: np.ndarray | None = None,
        d_output: np.ndarray | None = None,
    ) -> tuple[np.ndarray, Gradients]:
        """Gradients with respect to ``pre`` and ``weights`` of a batch, shape-preserving."""
        d_drive = self.drive_pullback(activity, d_rate=d_rate, d_output=d_output)
        return matmul(d_drive, self.weights), self.gradients(activity, d_drive)

    def drive_pullback(
        self,
        activity: Activity,
        *,
        d_rate: np.ndarray | None = None,
        d_output: np.ndarray | None = None,
    ) -> np.ndarray:
        """Gradient at the drive, (..., n_post): the part of `pullback` that needs no weights."""
        if d_output is not None:
            through = self._through_normalization(activity.rate, d_output)
            d_rate = through if d_rate is None else d_rate + through
        return np.zeros_like(activity.rate) if d_rate is None else d_rate * activity.gain

    def gradients(self, activity: Activity, d_drive: np.ndarray) -> Gradients:
        """Gradient at each parameter from one at the drive: postsynaptic (x) presynaptic."""
        post, pre = d_drive.reshape(-1, self.n_post), activity.pre.reshape(-1, self.n_pre)
        return {"weights": matmul(post.T, pre)}

    @classmethod
    def example(cls) -> Self:
        """Three groups of four softplus neurons that see five inputs."""
        weights = cls.draw(12, 5, 2.0, np.random.default_rng(0), "float64")
        return cls(weights, Nonlinearity(name="softplus"), Grouping(groups=3))

    def _through_normalization(self, rate: np.ndarray, d_output: np.ndarray) -> np.ndarray:
        # r = zc u^-p, so dz = C [ d - 2p/g * r u^(p-1) sum(d r) ] u^-p with C the centring.
        if self.grouping is None or not self.grouping.divisive:
            return d_output
        groups = _groups(self.grouping, rate)
        shape = (*rate.shape[:-1], self.grouping.groups, -1)
        d, r = d_output.reshape(shape), groups.normalized.reshape(shape)
        u = groups.variance[..., None]
        size, p = r.shape[-1], self.grouping.p
        inner = (d * r).sum(axis=-1, keepdims=True)
        d_centred = d / u**p - (2 * p / size) * r * u ** (p - 1) * inner
        return (d_centred - d_centred.mean(axis=-1, keepdims=True)).reshape(rate.shape)


def _groups(grouping: Grouping, rate: np.ndarray) -> Groups:
    return grouping.evaluate_batch(rate) if rate.ndim == 2 else grouping.evaluate(rate)
