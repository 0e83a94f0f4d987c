"""A chunk: presentations on their way through the network, and what happened to them so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from neurosim.backend import Array
from neurosim.checks import DivergenceError
from neurosim.streaming.circuit import Shown
from neurosim.streaming.plan import Plan
from neurosim.streaming.presentations import Presentations

# Norm of a chunk's activity: beyond any sane one, and far from overflow in what is derived from it.
DIVERGED = 1e15


class Signs(NamedTuple):
    """What tells of a layer's health.

    third : (T, I, 4) b1, b2, b3, M.
    active : (n_post,) bool, neurons whose rate was above zero in any trace.
    """

    third: np.ndarray
    active: np.ndarray


@dataclass
class Chunk:
    """Presentations with their plan, and what the layers did with them.

    first : number of the first of them. rates : (T,) learning rates of the read-outs.
    inputs : (T * P, n_inputs), on the network's device or the host.
    watched : whether anything of it is wanted; if not, a GPU keeps ``layers`` to itself.
    whole : whether ``layers`` hold all columns, or a GPU's those that `LayerTraces` asks for.
    before : by layer, the recorded synapses' weights and velocities before the chunk.
    arriving : on a GPU, waits for what the device has to say about it.
    """

    first: int
    shown: Presentations
    plan: Plan
    rates: np.ndarray
    inputs: Array
    watched: bool
    whole: bool
    layers: list[Shown] = field(default_factory=list)
    signs: list[Signs] = field(default_factory=list)
    before: list[dict[str, np.ndarray]] = field(default_factory=list)
    predicted: dict[str, np.ndarray] = field(default_factory=dict)
    arriving: Callable[[], Any] | None = None

    def require_sane(self, layer: str, power: np.ndarray) -> None:
        """Raise `DivergenceError` if a layer diverged; says where first.

        Parameters
        ----------
        layer : str
        power : ndarray, shape (T * P,)
            Sum of squares of the layer's drive and rates at each trace; NaN where one is.
        """
        if power.sum() < DIVERGED**2:  # not if one is NaN
            return
        first = int(np.argmin(np.cumsum(power) < DIVERGED**2))
        size = f"{np.sqrt(power[first - 1]):.4g}" if first else "unknown"
        at = self.first + first // len(self.plan.at_rest)
        raise DivergenceError(
            f"{layer} diverged at presentation {at}; the last finite activity had norm {size}. "
            "Lower the learning rate (Schedule.rate)."
        )
