"""A chunk's way on a GPU: one stage queues all that is to be done, another waits for it.

While one chunk is waited for, the next is drawn and queued: the device has always something to do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

import numpy as np

from neurosim.backend import namespace, to_device
from neurosim.checks import require
from neurosim.streaming.assembly import Assembly
from neurosim.streaming.chunk import Chunk, Signs
from neurosim.streaming.circuit import State
from neurosim.streaming.gpu.crowd import enter
from neurosim.streaming.gpu.meeting import Meeting, Party
from neurosim.streaming.gpu.member import require_alike, traits
from neurosim.streaming.gpu.packing import Pack
from neurosim.streaming.gpu.stack import Columns, Member, Shows

_COMPILED: set[Hashable] = set()  # kinds of networks and chunks whose kernels are there
_COMPILING = threading.Lock()


class OnGpu:
    """Stages of a chunk on a GPU; its network may share the work with others (`gpu.crowd`).

    Parameters
    ----------
    parts : Assembly
        Of a network on the GPU; their state moves there.
    engine : {"chunked"}
    """

    def __init__(self, parts: Assembly, engine: str) -> None:
        remedy = "Move the network with Network.to('cpu')."
        require(engine == "chunked", "Simulator.engine", "be 'chunked' on a GPU", engine, remedy)
        self._parts = parts
        for state in (*parts.states, *parts.readouts.values()):
            state |= {name: to_device(array, parts.device) for name, array in state.items()}
        self._member = Member(
            parts.circuits, parts.states, parts.readout, parts.readouts, parts.sources
        )
        require_alike([self._member])
        self._seat = enter(self._member)
        self._synapses: _Synapses | None = None

    def prepare(self) -> None:
        """Compile everything before the clock starts, and choose the synapses that are recorded."""
        self._synapses = _Synapses(self._parts) if self._parts.recorded else None
        with _COMPILING:  # what one of an ensemble compiles the others need not
            for watched in {False, bool(self._parts.columns)}:
                shows = self._shows(self._parts.blank(watched=watched))
                recorded = shows.chosen is not None and any(map(len, shows.chosen))
                kind = traits(self._member), shows.plan.filter.shape[1:], watched, recorded
                if kind not in _COMPILED:
                    self._compile(shows)
                    _COMPILED.add(kind)

    def _compile(self, blank: Shows) -> None:
        """Show a blank chunk to a copy: kernels are compiled when they are first needed."""
        states = [_copied(state) for state in self._parts.states]
        readouts = {name: _copied(state) for name, state in self._parts.readouts.items()}
        copy = self._member._replace(states=states, readouts=readouts)
        Meeting([Party(copy)], [blank]).answer(0)

    def stages(self) -> list[Callable[[Chunk], Chunk]]:
        """What happens to a chunk, in order."""
        return [self._queue, self._wait]

    def _queue(self, chunk: Chunk) -> Chunk:
        """Ask for everything, wait for nothing."""
        before = self._synapses.fetch() if self._synapses and chunk.watched else list
        answer = self._seat.present(self._shows(chunk))
        chunk.arriving = lambda: (answer(), before())
        return chunk

    def _shows(self, chunk: Chunk) -> Shows:
        chosen = self._parts.chosen if chunk.watched else None
        columns = None if chunk.whole else [Columns(*places) for places in self._parts.columns]
        return Shows(chunk.plan, chunk.inputs, chunk.shown.lessons, chunk.rates, chosen, columns)

    def _wait(self, chunk: Chunk) -> Chunk:
        """Take what the device has to say."""
        assert chunk.arriving is not None, "it was queued"
        answer, chunk.before = chunk.arriving()
        chunk.arriving = None
        for name, told in zip(self._parts.network.names, answer.layers, strict=True):
            chunk.require_sane(name, told.power)
            chunk.signs.append(Signs(told.third, told.active))
            if told.shown is not None:
                chunk.layers.append(told.shown)
        chunk.predicted = answer.predicted
        return chunk


def _copied(state: State) -> State:
    return {name: array.copy() for name, array in state.items()}


class _Synapses:
    """Weights and velocities of the recorded synapses, sent to the host before they change."""

    def __init__(self, parts: Assembly) -> None:
        self._parts = parts
        self._places = [
            tuple(to_device(index, parts.device) for index in synapses)
            for synapses in parts.recorded or ()
        ]
        shapes = {
            f"{k}/{name}": ((len(places[0]),), array.dtype)
            for k, places in enumerate(self._places)
            for name, array in parts.plastic(k).items()
        }
        self._pack = Pack(namespace(parts.states[0]["weights"]), shapes)

    def fetch(self) -> Callable[[], list[dict[str, np.ndarray]]]:
        """Have them sent; returns what waits for them, layer by layer."""
        for k, places in enumerate(self._places):
            for name, array in self._parts.plastic(k).items():
                self._pack.arrays[f"{k}/{name}"][...] = array[places]
        arrive = self._pack.fetch()

        def wait() -> list[dict[str, np.ndarray]]:
            found: list[dict[str, np.ndarray]] = [{} for _ in self._places]
            for path, values in arrive().items():
                k, _, name = path.partition("/")
                found[int(k)][name] = values.astype(np.float64)
            return found

        return wait
