"""What every layer exposes: local variables and a pullback."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np

Gradients = dict[str, np.ndarray]


class Activity(NamedTuple):
    """The local variables of a layer; leading axes are free: none, (batch,) or (instants,).

    pre : (..., n_pre) presynaptic output the layer sees.
    drive : (..., n_post) a = W pre.
    rate : (..., n_post) z = f(a).
    gain : (..., n_post) f'(a).
    output : (..., n_post) what the next layer sees: r after divisive normalization, else z.
    """

    pre: np.ndarray
    drive: np.ndarray
    rate: np.ndarray
    gain: np.ndarray
    output: np.ndarray


class Layer(ABC):
    """A layer in two halves, so that dynamics can be put between weights and response.

    It computes on whatever device its arrays are.
    """

    @abstractmethod
    def parameters(self) -> Mapping[str, np.ndarray]:
        """All arrays of the layer by name."""

    @abstractmethod
    def with_parameters(self, parameters: Mapping[str, np.ndarray]) -> Self:
        """The same layer with other arrays, named as in `parameters`: on a device, say."""

    @abstractmethod
    def drive(self, pre: np.ndarray) -> np.ndarray:
        """Drive a of presynaptic output ``pre``: the half that owns weights."""

    @abstractmethod
    def respond(self, pre: np.ndarray, drive: np.ndarray) -> Activity:
        """Response to ``drive``: nonlinearity and normalization."""

    @abstractmethod
    def pullback(
        self,
        activity: Activity,
        *,
        d_rate: np.ndarray | None = None,
        d_output: np.ndarray | None = None,
    ) -> tuple[np.ndarray, Gradients]:
        """Gradient with respect to ``pre`` and to each parameter, from one at rate or output."""

    @classmethod
    @abstractmethod
    def example(cls) -> Self:
        """A small valid instance, in float64."""
