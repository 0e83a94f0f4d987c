"""A chunk's way on a GPU: one stage queues all that is to be done, another waits for it.

While one chunk is waited for, the next is drawn and queued: the device has always something to do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neurosim.backend import namespace, to_device
from neurosim.checks import require
from neurosim.streaming.assembly import Assembly
from neurosim.streaming.chunk import Chunk, Signs
from neurosim.streaming.gpu.crowd import enter
from neurosim.streaming.gpu.member import require_alike
from neurosim.streaming.gpu.packing import Pack
from neurosim.streaming.gpu.stack import Columns, Member, Shows


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
        member = Member(parts.circuits, parts.states, parts.readout, parts.readouts, parts.sources)
        require_alike([member])
        self._seat = enter(member)
        self._synapses: _Synapses | None = None

    def prepare(self) -> None:
        """Tell the device which synapses are recorded; kernels are compiled when first needed."""
        self._synapses = _Synapses(self._parts) if self._parts.recorded else None

    def stages(self) -> list[Callable[[Chunk], Chunk]]:
        """What happens to a chunk, in order."""
        return [self._queue, self._wait]

    def _queue(self, chunk: Chunk) -> Chunk:
        """Ask for everything, wait for nothing."""
        before = self._synapses.fetch() if self._synapses and chunk.watched else list
        chosen = self._parts.chosen if chunk.watched else None
        columns = None if chunk.whole else [Columns(*places) for places in self._parts.columns]
        shows = Shows(chunk.plan, chunk.inputs, chunk.shown.lessons, chunk.rates, chosen, columns)
        answer = self._seat.present(shows)
        chunk.arriving = lambda: (answer(), before())
        return chunk

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
