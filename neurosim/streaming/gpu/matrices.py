"""The matrices of all networks' plans on the device, sent there when they change."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np
import numpy.typing as npt

from neurosim.streaming.gpu.form import Times
from neurosim.streaming.gpu.packing import Pack
from neurosim.streaming.plan import Plan


class Matrices:
    """Room for the matrices of plans of one shape.

    Parameters
    ----------
    xp : module
        Of the device's arrays.
    plans : sequence of Plan
        One a network.
    dtype : str
        Type of the weights.

    Attributes
    ----------
    times : Times
        The arrays, which stay where they are.
    """

    def __init__(self, xp: ModuleType, plans: Sequence[Plan], dtype: str) -> None:
        rows = sum(len(plan.filter) for plan in plans)
        # room for more, as presentations that last differently are never as many
        self._room = rows if rows == len(plans) else 1 << (rows - 1).bit_length()
        first = plans[0]
        shapes: dict[str, tuple[tuple[int, ...], npt.DTypeLike]] = {
            name: ((self._room, *getattr(first, name).shape[1:]), np.float64)
            for name in Times._fields[:-1]
        }
        shapes["filter"] = (shapes["filter"][0], np.dtype(dtype))
        shapes["at_rest"] = ((self._room, len(first.at_rest)), np.bool_)
        self._pack = Pack(xp, shapes)
        self.times = Times(**self._pack.arrays)
        self._held: list[np.ndarray] = []

    def fits(self, plans: Sequence[Plan]) -> bool:
        """Whether there is room for these."""
        return sum(len(plan.filter) for plan in plans) <= self._room

    def hold(self, plans: Sequence[Plan]) -> np.ndarray | None:
        """Send the matrices, unless they are there; returns memory that must stay until then."""
        # a planner returns the same arrays for the same durations
        now = [plan.filter for plan in plans]
        if len(self._held) == len(now) and all(map(lambda a, b: a is b, self._held, now)):
            return None

        def fill(arrays: dict[str, np.ndarray]) -> None:
            at = 0
            for plan in plans:
                rows = slice(at, at := at + len(plan.filter))
                for name, array in arrays.items():
                    array[rows] = getattr(plan, name)

        sent, self._held = self._pack.send(fill), now
        return sent
