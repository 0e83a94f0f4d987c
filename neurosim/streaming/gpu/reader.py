"""A read-out of the stack: arrays that stay where they are, and what is done for an inner chunk."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from neurosim.backend import Array
from neurosim.streaming.circuit import State
from neurosim.streaming.gpu.launch import launch, module_of
from neurosim.streaming.gpu.layers import Size, Span
from neurosim.streaming.gpu.products import Multiplier, turned
from neurosim.streaming.gpu.readout import ReadForm, Reading, build_reading, share_classes
from neurosim.streaming.gpu.updating import update
from neurosim.streaming.readout import ReadOut


class Reader:
    """Replicas of a read-out.

    Parameters
    ----------
    settings : sequence of ReadOut
        One a replica.
    state : dict
        Of all of them, stacked; updated in place for ever.
    threads : int
        Threads a block may have; a power of two, at most 1024.
    """

    def __init__(self, settings: Sequence[ReadOut], state: State, threads: int) -> None:
        self.xp, self.state, first = module_of(*state.values()), state, settings[0]
        self.multiply = Multiplier(self.xp)
        self.form = ReadForm(
            state["weights"].dtype.name, first.momentum > 0, first.weight_decay > 0,
            share_classes(first.n_classes, threads),
        )  # fmt: skip
        numbers = np.array([[one.momentum, one.weight_decay] for one in settings])
        self.settings = self.xp.asarray(numbers)
        self._rooms: dict[int, dict[str, Array]] = {}

    def room(self, size: Size) -> dict[str, Array]:
        """Arrays of an inner chunk, the same ones for all of a size."""
        if size.shown not in self._rooms:
            n, (replicas, classes, n_pre) = size.shown, self.state["weights"].shape
            moves = n if self.form.momentum else 0
            shapes = {
                "inputs": (n, n_pre), "start": (n, classes), "speed_start": (moves, classes),
                "gram": (n, n), "change": (n, classes), "speed": (moves, classes),
                "keep_w": (classes,), "keep_v": (classes,), "fading": (1,),
            }  # fmt: skip
            self._rooms[size.shown] = {
                name: self.xp.zeros((replicas, *shape), self.form.dtype)
                for name, shape in shapes.items()
            }
        return self._rooms[size.shown]


class ReaderLane:
    """What a read-out does with the inner chunks of a chunk, one after the other.

    Parameters
    ----------
    reader : Reader
    size : Size
    inputs : sequence of callable
        Of a `Span`; outputs of the layers it sees, (replicas, traces, n_post).
    told : dict of str to array
        Arrays of the chunk, shared with the host: ``lessons`` and ``rates`` come from there,
        ``predicted`` goes there; (replicas, T).
    """

    def __init__(
        self,
        reader: Reader,
        size: Size,
        inputs: Sequence[Callable[[Span], Array]],
        told: dict[str, Array],
    ) -> None:
        self._reader, self._inputs, self._samples = reader, inputs, size.samples
        self._room = reader.room(size)
        given = reader.state | told | self._room | {"settings": reader.settings}
        self._reading = Reading(**{name: given[name] for name in Reading._fields})
        self._walk = build_reading(reader.form)

    def step(self, span: Span) -> None:
        """Predict and learn from what is on at the offsets of an inner chunk's presentations."""
        reader, form, data, n = self._reader, self._reader.form, self._reading, span.shown
        state, now, left = reader.state, self._room["inputs"][:, :n], 0
        for look in self._inputs:
            seen = look(span)[:, self._samples - 1 :: self._samples]
            right = left + seen.shape[2]
            now[:, :, left:right] = seen
            left = right
        reader.multiply(data.start[:, :n], now, turned(state["weights"]))
        if form.momentum:
            reader.multiply(data.speed_start[:, :n], now, turned(state["velocity"]))
        reader.multiply(data.gram[:, :n, :n], now, turned(now))
        launch(reader.xp, self._walk, len(now), form.threads.total, data, span.first, n)
        update(reader.multiply, form, state, data, now, form.threads.total)
