"""Backprop without weight transport: the error comes back through connections of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.batched.driver import State
from neurosim.batched.end_to_end import EndToEnd, weights_above
from neurosim.layers import Dense
from neurosim.network import Network
from neurosim.ops.linalg import matmul
from neurosim.seeds import Seeds


@dataclass(frozen=True, kw_only=True)
class FeedbackAlignment(EndToEnd):
    """The error passes fixed random weights, drawn like the initial ones they stand for.

    Source
    ------
    Lillicrap, Cownden, Tweed & Akerman 2016.
    """

    def own(self, network: Network, seeds: Seeds) -> tuple[State, State]:
        """``feedback/layer1``, ...: shaped like the weights above; fixed."""
        return {}, _drawn_like_above(network, seeds)

    def error_at(
        self, network: Network, state: State, k: int, d_above: np.ndarray, d_scores: np.ndarray
    ) -> np.ndarray:
        """Through the fixed weights."""
        return matmul(d_above, state[f"feedback/{network.names[k]}"])


@dataclass(frozen=True, kw_only=True)
class SignSymmetric(EndToEnd):
    """The error passes weights with the signs of the forward ones and fixed random magnitudes.

    Source
    ------
    Liao, Leibo & Poggio 2016 ("fixed random-magnitude sign-concordant feedbacks").
    """

    def own(self, network: Network, seeds: Seeds) -> tuple[State, State]:
        """``feedback/layer1``, ...: magnitudes, shaped like the weights above; fixed."""
        drawn = _drawn_like_above(network, seeds)
        return {}, {name: np.abs(array) for name, array in drawn.items()}

    def error_at(
        self, network: Network, state: State, k: int, d_above: np.ndarray, d_scores: np.ndarray
    ) -> np.ndarray:
        """Through the fixed magnitudes, with today's signs."""
        magnitudes = state[f"feedback/{network.names[k]}"]
        return matmul(d_above, np.copysign(magnitudes, weights_above(network, k)))


@dataclass(frozen=True, kw_only=True)
class DirectFeedbackAlignment(EndToEnd):
    """Every layer receives the error of the scores directly, through fixed random weights.

    Source
    ------
    Nokland 2016.
    """

    def own(self, network: Network, seeds: Seeds) -> tuple[State, State]:
        """``feedback/layer1``, ...: (n_classes, n_post), drawn like a read-out; fixed."""
        return {}, {
            f"feedback/{name}": Dense.draw(
                network.n_classes, layer.n_post, 1.0,
                seeds.generator(f"feedback/{name}"), network.dtype.name,
            )
            for name, layer in zip(network.names, network.layers, strict=True)
        }  # fmt: skip

    def error_at(
        self, network: Network, state: State, k: int, d_above: np.ndarray, d_scores: np.ndarray
    ) -> np.ndarray:
        """Straight from the scores."""
        return d_scores @ state[f"feedback/{network.names[k]}"]


def _drawn_like_above(network: Network, seeds: Seeds) -> State:
    """Random weights in the shape and scale of those above each layer."""
    drawn: State = {}
    for k, name in enumerate(network.names):
        n_post, n_pre = weights_above(network, k).shape
        rng = seeds.generator(f"feedback/{name}")
        drawn[f"feedback/{name}"] = Dense.draw(n_post, n_pre, 1.0, rng, network.dtype.name)
    return drawn
