"""What every optimizer is: frozen settings, and a step on named arrays with named state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from neurosim.checks import require

State = dict[str, np.ndarray]


class Optimizer(ABC):
    """Settings of an optimizer; what it remembers of parameter ``a`` is state ``a.velocity``, say.

    Parameters are float32 or float64, C-contiguous, on any device, and changed in place.
    """

    @abstractmethod
    def start(self, parameters: Mapping[str, np.ndarray]) -> State:
        """State before the first step."""

    @abstractmethod
    def step(
        self,
        state: Mapping[str, np.ndarray],
        parameters: Mapping[str, np.ndarray],
        gradients: Mapping[str, np.ndarray],
        rate: float,
    ) -> None:
        """Change the parameters that have a gradient, and the state, in place.

        Parameters
        ----------
        state : mapping
            From `start`; may hold more.
        parameters : mapping
            At least those in ``gradients``.
        gradients : mapping
            Of what is minimised, in the parameters' shapes.
        rate : float
            Learning rate.
        """


def flat(array: np.ndarray) -> np.ndarray:
    """All entries in one dimension, as a view: what fused steps walk over."""
    require(array.flags.c_contiguous, "Optimizer.step(array)", "be C-contiguous", array.strides)
    return array.reshape(-1)
