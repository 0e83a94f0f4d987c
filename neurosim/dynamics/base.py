"""What all dynamics share: explicit state, and relaxation towards a constant target."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from neurosim.checks import require

State: TypeAlias = dict[str, np.ndarray]
"""Named arrays that say everything about the present; never changed in place."""


class Dynamics(ABC):
    """A differential equation per neuron, driven by a target that changes only at events.

    Instances hold settings only. State is a plain dict of arrays that goes in and comes out, so
    that a checkpoint, a recorder and the simulator treat all dynamics alike.
    """

    @abstractmethod
    def init(self, shape: tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> State:
        """The state at rest.

        Parameters
        ----------
        shape : tuple of int
            Shape of the target, ``(..., n_neurons)``.
        dtype : dtype
            Floating-point type of every state array.

        Returns
        -------
        dict of str to ndarray
            State arrays, ``(..., n_neurons)`` unless the class says otherwise.
        """

    @abstractmethod
    def relax(self, state: State, target: np.ndarray, duration: float) -> State:
        """The state after ``duration`` seconds of a constant target.

        Parameters
        ----------
        state : dict of str to ndarray
            As returned by `init` or `relax`; left untouched.
        target : ndarray, (..., n_neurons)
            The constant input over the whole duration, in the units of the driven signal.
        duration : float
            Seconds, finite and not negative.

        Returns
        -------
        dict of str to ndarray
            A new state with the same names, shapes and dtypes.
        """

    @classmethod
    @abstractmethod
    def example(cls) -> Self:
        """A small valid instance."""


def require_positive(field: str, value: float) -> None:
    """Raise `SettingError` unless ``value`` is a finite number above zero."""
    require(math.isfinite(value) and value > 0, field, "be a finite number above 0", value)


def require_relaxable(
    owner: Dynamics, driven: np.ndarray, target: np.ndarray, duration: Any
) -> None:
    """Raise `SettingError` unless ``target`` fits the driven state and the duration is usable."""
    name = type(owner).__name__
    require(
        np.shape(target) == driven.shape,
        f"{name}.relax target",
        f"have the shape of the state, {driven.shape}",
        np.shape(target),
    )
    require(
        math.isfinite(duration) and duration >= 0,
        f"{name}.relax duration",
        "be a finite number of seconds, not below 0",
        duration,
    )
