"""Objectives that are sums over pairs of a similarity: pHSIC and HSIC.

    L    = mean(C K o K) - gamma mean(C Ky o K)            means over all pairs, i = j included
    dL/dK = (2 C K - gamma C Ky) / pairs

    K: similarity of activities, Ky: of labels, o: elementwise product. C is what makes the two
    differ, a projection that takes means out of a matrix.

K may be rectangular: a batch against itself, or the present against what is remembered.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar, Self

import numpy as np

from neurosim.backend import Scalar, fused
from neurosim.checks import require
from neurosim.layers import Activity, Dense
from neurosim.objectives.base import Evaluation, Objective, Parameters
from neurosim.ops.grouping import Grouping
from neurosim.ops.similarity import CosineLabels, Gaussian, LinearLabels, Similarity
from neurosim.seeds import Seeds


@dataclass(frozen=True, kw_only=True)
class PairwiseObjective(Objective):
    """A layer's activities should be alike where labels are, and otherwise not.

    Parameters
    ----------
    label_similarity : CosineLabels or LinearLabels
        Ky.
    similarity : Similarity
        K.
    grouping : Grouping, optional
        K compares the group signals of these groups; None compares the rates themselves.
    gamma : float
        Weight of the labels.
    """

    label_similarity: CosineLabels | LinearLabels
    similarity: Similarity = Gaussian()
    grouping: Grouping | None = None
    gamma: float = 2.0

    smallest_batch: ClassVar[int] = 2

    def __post_init__(self) -> None:
        owner = type(self).__name__
        require(self.gamma >= 0, f"{owner}.gamma", "not be negative", self.gamma)

    @abstractmethod
    def centre(self, similarity: np.ndarray) -> np.ndarray:
        """C: the matrix without its means."""

    def init(self, layer: Dense, n_classes: int, seeds: Seeds) -> Parameters:
        """No parameters; groups that do not fit the layer are refused."""
        if self.grouping is not None:
            self.grouping.size(layer.n_post)
        return {}

    def of_pairs(self, k: np.ndarray, k_labels: np.ndarray) -> tuple[Scalar, np.ndarray]:
        """L and dL/dK from both similarities, of any one shape (n_rows, n_columns)."""
        each, d_k = _of_each(k, self.centre(k), self.centre(k_labels), self.gamma, k.size)
        return each.mean(), d_k

    def evaluate(
        self, parameters: Mapping[str, np.ndarray], activity: Activity, labels: np.ndarray
    ) -> Evaluation:
        """Value and gradient on the pairs of a batch; see `Objective`."""
        rate, owner = activity.rate, type(self).__name__
        require(
            rate.ndim == 2 and len(rate) >= self.smallest_batch,
            f"{owner}.evaluate(activity)",
            "be a batch of at least two: one sample has no pairs",
            rate.shape,
            "Choose another batch size.",
        )
        groups = self.grouping.evaluate_batch(rate) if self.grouping is not None else None
        v = rate if groups is None else groups.signal
        k = self.similarity.evaluate(v, v)
        value, d_k = self.of_pairs(k, self.label_similarity.evaluate(labels, labels))
        d_rows, d_columns = self.similarity.pullback(v, v, k, d_k)
        d_rate = d_rows + d_columns
        if self.grouping is not None and groups is not None:
            d_rate = self.grouping.signal_pullback(groups, d_rate)
        return Evaluation(value, d_rate.astype(rate.dtype, copy=False), {})

    @classmethod
    def example(cls) -> Self:
        """Three classes; the Gaussian similarity of three groups."""
        return cls(
            label_similarity=CosineLabels(n_classes=3),
            similarity=Gaussian(sigma=0.5),
            grouping=Grouping(groups=3),
        )


@fused
def _of_each(
    xp: ModuleType, k: np.ndarray, own: np.ndarray, labels: np.ndarray, gamma: float, pairs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Terms of L and of dL/dK, from similarities and both kinds of them centred."""
    taught = gamma * labels
    return (own - taught) * k, (2 * own - taught) / pairs


@dataclass(frozen=True, kw_only=True)
class PHSIC(PairwiseObjective):
    """L = pHSIC(Z, Z) - gamma pHSIC(Y, Z), with C K = K - mean K; see `PairwiseObjective`.

    Source
    ------
    Pogodin & Latham 2020, eqs. 7, 9 and 40.
    """

    def centre(self, similarity: np.ndarray) -> np.ndarray:
        """The matrix minus the mean of all its entries."""
        return similarity - similarity.mean()


@dataclass(frozen=True, kw_only=True)
class HSIC(PairwiseObjective):
    """L = HSIC(Z, Z) - gamma HSIC(Y, Z), biased estimators; see `PairwiseObjective`.

    C K = H K H with H the centring matrix: means of rows and of columns are taken out.

    Source
    ------
    Gretton et al. 2005, eq. 9, divided by m^2; Pogodin & Latham 2020, eq. 5.
    """

    def centre(self, similarity: np.ndarray) -> np.ndarray:
        """The matrix without row and column means."""
        rows, columns = similarity.mean(axis=1, keepdims=True), similarity.mean(axis=0)
        return similarity - rows - columns + similarity.mean()
