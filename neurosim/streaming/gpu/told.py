"""What a stack is shown, and what it tells of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from neurosim.backend import Array
from neurosim.checks import require
from neurosim.streaming.circuit import Shown
from neurosim.streaming.gpu.packing import Arrival
from neurosim.streaming.plan import Plan


class Columns(NamedTuple):
    """Which columns of a `circuit.Shown` are wanted, where there is one a neuron or terminal.

    neurons : (N,) of output, drive, rate, gain, normalized, and of the signal if it is the rate.
    terminals : (M,) presynaptic, of pre.
    """

    neurons: np.ndarray
    terminals: np.ndarray


class Shows(NamedTuple):
    """A chunk of T presentations for one network.

    plan : on the host.
    inputs : (T * P, n_inputs), on the host or the device.
    lessons : (T,) labels to learn from, -1: predict only; on the host.
    rates : (T,) learning rates of the read-outs, on the host.
    chosen : by layer, neurons whose factors are wanted; None: nothing is recorded of this chunk.
    columns : by layer, what else is wanted of a chunk that is recorded; None: everything.
    """

    plan: Plan
    inputs: Array
    lessons: np.ndarray
    rates: np.ndarray
    chosen: Sequence[np.ndarray] | None
    columns: Sequence[Columns] | None = None


class Told(NamedTuple):
    """What one layer of one network did, on the host.

    third : (T, I, 4) b1, b2, b3, M.
    active : (n_post,) bool, whether the rate was above zero in any trace.
    power : (T * P,) float64, |drive|^2 + |rate|^2; not finite where it diverged.
    shown : everything, or the columns that were wanted of it; if neurons were chosen.
    """

    third: np.ndarray
    active: np.ndarray
    power: np.ndarray
    shown: Shown | None


class Answer(NamedTuple):
    """What one network did: its layers, and (T,) int64 what each read-out predicted."""

    layers: list[Told]
    predicted: dict[str, np.ndarray]


class Extent(NamedTuple):
    """What chunks of one shape have in common.

    shown : presentations, T. samples : traces of each, P. window, instants : R, I.
    chosen : by layer, neurons whose factors are recorded, at most; None: nothing is recorded.
    columns : by layer, neurons and terminals whose columns are recorded, at most; None: all.
    """

    shown: int
    samples: int
    window: int
    instants: int
    chosen: tuple[int, ...] | None
    columns: tuple[tuple[int, int], ...] | None


def extent_of(shows: Sequence[Shows], replicas: int) -> Extent:
    """The one shape of the chunks of all networks; raises `SettingError` if there are several."""
    require(len(shows) == replicas, "GpuStack.shows", f"be {replicas}", len(shows))
    shapes = set[tuple[int, int, int, int]]()
    for show in shows:
        _, instants, window = show.plan.filter.shape
        shapes.add((len(show.plan.eta), len(show.plan.at_rest), window, instants))
    require(
        len(shapes) == 1, "GpuStack.shows", "have as many presentations, traces and instants each",
        sorted(shapes), "Show chunks of different shapes to different stacks.",
    )  # fmt: skip
    recorded = [show for show in shows if show.chosen is not None]
    if not recorded:
        return Extent(*shapes.pop(), None, None)
    layers = range(len(recorded[0].chosen or ()))
    chosen = tuple(
        max(len(np.unique(show.chosen[k])) for show in recorded if show.chosen is not None)
        for k in layers
    )
    wanted = [show.columns for show in recorded if show.columns is not None]
    if len(wanted) < len(recorded):  # somebody wants all
        return Extent(*shapes.pop(), chosen, None)
    neurons = [max(len(columns[k].neurons) for columns in wanted) for k in layers]
    terminals = [max(len(columns[k].terminals) for columns in wanted) for k in layers]
    return Extent(*shapes.pop(), chosen, tuple(zip(neurons, terminals, strict=True)))


class Pending:
    """A chunk that was queued.

    Parameters
    ----------
    arrival : Arrival
    read : callable
        Makes answers of what arrived.
    sent : sequence of ndarray or None
        Memory that the device reads, which must stay until it has done so.
    """

    def __init__(
        self,
        arrival: Arrival,
        read: Callable[[dict[str, Any]], list[Answer]],
        sent: Sequence[np.ndarray | None],
    ) -> None:
        self._arrival, self._read, self._sent = arrival, read, sent

    @property
    def done(self) -> bool:
        """Whether nobody would have to wait."""
        return self._arrival.done()

    def wait(self) -> list[Answer]:
        """Wait for the device; what it did, one answer a network."""
        return self._read(self._arrival())
