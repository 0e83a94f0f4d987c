"""Learning from the read-out's error: the passes every such driver shares, and backprop itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from neurosim.batched.driver import Batch, Driver, Lesson, State
from neurosim.checks import require
from neurosim.network import Network
from neurosim.ops.linalg import matmul
from neurosim.seeds import Seeds


@dataclass(frozen=True, kw_only=True)
class EndToEnd(Driver):
    """Forward pass, error of the read-out, backward pass; see `Driver` for the parameters.

    Drivers differ only in how the error reaches a layer's output.
    """

    def __post_init__(self) -> None:
        owner = type(self).__name__
        require(self.layers is not None, f"{owner}.layers", "be given", self.layers)

    @abstractmethod
    def error_at(
        self, network: Network, state: State, k: int, d_above: np.ndarray, d_scores: np.ndarray
    ) -> np.ndarray:
        """Error at the output of layer k, after dropout, (n, n_post).

        Parameters
        ----------
        network : Network
        state : dict
            Holds what `own` returned.
        k : int
            Layer, counted from 0.
        d_above : ndarray, shape (n, n_above)
            Error at the drive of the layer above, or at the scores.
        d_scores : ndarray, shape (n, n_classes)
            Error at the scores.
        """

    @property
    def smallest_batch(self) -> int:
        """One sample is enough."""
        return 1

    def lessons(self, network: Network, state: State, batch: Batch) -> Iterator[Lesson]:
        """The read-out, then layers from last to first."""
        activities, masks = [], []
        pre = batch.stimuli
        for k, name in enumerate(network.names):
            activities.append(self.respond(network, k, pre, batch))
            pre, mask = self.passed_on(name, activities[-1].output, batch)
            masks.append(mask)
        reading = self.read(network.readout, pre, batch)
        d_above = reading.d_scores
        pending = reading.lesson
        for k in reversed(range(len(activities))):
            d_output = self.error_at(network, state, k, d_above, reading.d_scores)
            # The error has passed these weights: now, not earlier, they may change.
            yield pending
            mask = masks[k]
            if mask is not None:
                d_output = d_output * mask.scale
            pending, d_above = self.lesson(network, k, activities[k], d_output=d_output)
        yield pending


@dataclass(frozen=True, kw_only=True)
class Backprop(EndToEnd):
    """Gradient descent on the read-out's cross-entropy; the error passes the weights themselves."""

    def own(self, network: Network, seeds: Seeds) -> tuple[State, State]:
        """Nothing."""
        return {}, {}

    def error_at(
        self, network: Network, state: State, k: int, d_above: np.ndarray, d_scores: np.ndarray
    ) -> np.ndarray:
        """Through the transpose of the weights above."""
        return matmul(d_above, weights_above(network, k))


def weights_above(network: Network, k: int) -> np.ndarray:
    """Weights from layer k to what is above it, (n_above, n_post)."""
    last = k == len(network.layers) - 1
    return network.readout["weights"] if last else network.layers[k + 1].weights
