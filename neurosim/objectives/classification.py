"""Layer-wise classification: every layer has a linear head of its own and minimises its loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from neurosim.layers import Activity, Dense
from neurosim.objectives.base import Evaluation, Objective, Parameters
from neurosim.objectives.cross_entropy import cross_entropy
from neurosim.seeds import Seeds


@dataclass(frozen=True, kw_only=True)
class LayerClassification(Objective):
    """L = cross-entropy of softmax(A z + b), with A and b learned beside the layer's weights.

    Source
    ------
    Nokland & Eidnes 2019, "Training neural networks with local error signals", the prediction loss.
    """

    def init(self, layer: Dense, n_classes: int, seeds: Seeds) -> Parameters:
        """Head drawn like an initial layer, from ``head``; the bias is zero."""
        draw, dtype = seeds.generator("head"), layer.weights.dtype
        weights = Dense.draw(n_classes, layer.n_post, 1.0, draw, dtype.name)
        return {"weights": weights, "bias": np.zeros(n_classes, dtype)}

    def evaluate(
        self, parameters: Mapping[str, np.ndarray], activity: Activity, labels: np.ndarray
    ) -> Evaluation:
        """Value and gradients on a batch; see `Objective`."""
        weights, rate = parameters["weights"], activity.rate
        value, d_scores = cross_entropy(rate @ weights.T + parameters["bias"], labels)
        own = {"weights": d_scores.T @ rate, "bias": d_scores.sum(axis=0)}
        return Evaluation(value, d_scores @ weights, own)

    @classmethod
    def example(cls) -> Self:
        """It has no settings."""
        return cls()
