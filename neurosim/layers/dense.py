"""A fully connected layer without bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Self

import numpy as np

from neurosim.backend import fused
from neurosim.checks import require
from neurosim.layers.base import Activity, Gradients, Layer
from neurosim.layers.batch_norm import BatchNorm
from neurosim.ops.grouping import Grouping, Groups
from neurosim.ops.linalg import matmul
from neurosim.ops.nonlinearity import Nonlinearity


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """a = W x, z = f(a), and normalization of a or z where the layer has any.

    Parameters
    ----------
    weights : ndarray, shape (n_post, n_pre)
        W; updated in place by whoever learns.
    nonlinearity : Nonlinearity
        f.
    grouping : Grouping, optional
        Contiguous groups; None leaves the rates as they are.
    batch_norm : BatchNorm, optional
        What f sees is then not a but a in units of its spread over a batch.

    Source
    ------
    Pogodin & Latham 2020, eqs. 1 and 21.
    """

    weights: np.ndarray
    nonlinearity: Nonlinearity = Nonlinearity()
    grouping: Grouping | None = None
    batch_norm: BatchNorm | None = None

    def __post_init__(self) -> None:
        require(self.weights.ndim == 2, "Dense.weights", "be (n_post, n_pre)", self.weights.shape)
        if self.grouping is not None:
            self.grouping.size(self.n_post)
        if self.batch_norm is not None:
            shape = self.batch_norm.scale.shape
            require(shape == (self.n_post,), "Dense.batch_norm", f"be ({self.n_post},)", shape)

    @property
    def n_post(self) -> int:
        """Neurons of the layer."""
        return int(self.weights.shape[0])

    @property
    def n_pre(self) -> int:
        """Inputs of the layer."""
        return int(self.weights.shape[1])

    def parameters(self) -> dict[str, np.ndarray]:
        """All arrays of the layer by name: ``weights``, and those of batch norm."""
        own = {} if self.batch_norm is None else self.batch_norm.arrays()
        return {"weights": self.weights} | {f"batch_norm/{k}": a for k, a in own.items()}

    def with_parameters(self, parameters: Mapping[str, np.ndarray]) -> Self:
        """The same layer with other arrays, named as in `parameters`."""
        norm = self.batch_norm
        if norm is not None:
            norm = norm.with_arrays({k: parameters[f"batch_norm/{k}"] for k in norm.names})
        return replace(self, weights=parameters["weights"], batch_norm=norm)

    def learning(self) -> Dense:
        """The layer as it is while it learns: batch norm then uses the batch's own statistics."""
        norm = self.batch_norm
        return self if norm is None else replace(self, batch_norm=norm.learning())

    def averages(self, activity: Activity) -> dict[str, np.ndarray]:
        """Running averages, named as in `parameters`, after a batch with this activity."""
        own = {} if self.batch_norm is None else self.batch_norm.averages(activity.drive)
        return {f"batch_norm/{name}": array for name, array in own.items()}

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
        seen = drive if self.batch_norm is None else self.batch_norm.forward(drive)
        rate = self.nonlinearity.rate(seen)
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
        """Gradients with respect to ``pre`` and each parameter of a batch, shape-preserving."""
        d_drive, gradients = self.lesson(activity, d_rate=d_rate, d_output=d_output)
        return matmul(d_drive, self.weights), gradients

    def drive_pullback(
        self,
        activity: Activity,
        *,
        d_rate: np.ndarray | None = None,
        d_output: np.ndarray | None = None,
    ) -> np.ndarray:
        """Gradient at the drive, (..., n_post): the part of `pullback` that needs no weights."""
        return self._to_drive(activity, d_rate, d_output)[0]

    def lesson(
        self,
        activity: Activity,
        *,
        d_rate: np.ndarray | None = None,
        d_output: np.ndarray | None = None,
    ) -> tuple[np.ndarray, Gradients]:
        """Gradient at the drive, and at each of `parameters` that is learned."""
        d_drive, own = self._to_drive(activity, d_rate, d_output)
        return d_drive, self.gradients(activity, d_drive) | own

    def _to_drive(
        self, activity: Activity, d_rate: np.ndarray | None, d_output: np.ndarray | None
    ) -> tuple[np.ndarray, Gradients]:
        if d_output is not None:
            through = self._through_normalization(activity.rate, d_output)
            d_rate = through if d_rate is None else d_rate + through
        if d_rate is None:
            d_rate = np.zeros_like(activity.rate)
        d_seen = d_rate * activity.gain
        if self.batch_norm is None:
            return d_seen, {}
        d_drive, own = self.batch_norm.pullback(activity.drive, d_seen)
        return d_drive, {f"batch_norm/{name}": gradient for name, gradient in own.items()}

    def gradients(self, activity: Activity, d_drive: np.ndarray) -> Gradients:
        """Gradient at the weights from one at the drive: postsynaptic (x) presynaptic."""
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
        d_centred = _to_centred(d, r, u, inner, p, 1 - p, 2 * p / size)
        return (d_centred - d_centred.mean(axis=-1, keepdims=True)).reshape(rate.shape)


@fused
def _to_centred(
    xp: ModuleType, d: np.ndarray, r: np.ndarray, u: np.ndarray, inner: np.ndarray,
    p: float, q: float, scale: float,
) -> np.ndarray:  # fmt: skip
    return d / u**p - scale * r * inner / u**q


def _groups(grouping: Grouping, rate: np.ndarray) -> Groups:
    return grouping.evaluate_batch(rate) if rate.ndim == 2 else grouping.evaluate(rate)
