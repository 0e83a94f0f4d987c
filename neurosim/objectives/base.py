"""What a layer may minimise on its own: an objective of its activity and the labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple, Self

import numpy as np

from neurosim.backend import Scalar
from neurosim.layers import Activity, Dense
from neurosim.layers.base import Gradients
from neurosim.seeds import Seeds

Parameters = dict[str, np.ndarray]


class Evaluation(NamedTuple):
    """What an objective says about one batch.

    value : float
        To be minimised. Of activity on a device it stays there, an array without axes: turning it
        into a number would wait for the device.
    d_rate : (batch, n_post) gradient at the layer's rates.
    d_parameters : gradients at the objective's own parameters, by name.
    """

    value: Scalar
    d_rate: np.ndarray
    d_parameters: Gradients


class Objective(ABC):
    """Settings of an objective; what it learns itself, a critic or a head, is in its parameters."""

    smallest_batch: ClassVar[int] = 1

    @abstractmethod
    def init(self, layer: Dense, n_classes: int, seeds: Seeds) -> Parameters:
        """Parameters of the objective's own for one layer; none for most.

        Drawn with NumPy, on the CPU: who trains moves them to where the layer is.
        """

    @abstractmethod
    def evaluate(
        self, parameters: Mapping[str, np.ndarray], activity: Activity, labels: np.ndarray
    ) -> Evaluation:
        """Value and gradients on a batch.

        Parameters
        ----------
        parameters : mapping
            What `init` returned, as learned so far.
        activity : Activity
            Of the layer, with one leading axis: (batch, ...).
        labels : ndarray of int, shape (batch,)
        """

    @classmethod
    @abstractmethod
    def example(cls) -> Self:
        """A small valid instance, for three classes and a layer of twelve neurons."""
