"""A chunk's course through a stack: what the host sends, what is done, what is sent back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neurosim.backend import Array
from neurosim.streaming.circuit import Shown
from neurosim.streaming.gpu.form import Times
from neurosim.streaming.gpu.layers import Layer, LayerLane, Size, Span
from neurosim.streaming.gpu.packing import Arrival, Pack
from neurosim.streaming.gpu.reader import Reader, ReaderLane
from neurosim.streaming.gpu.told import Answer, Columns, Extent, Shows, Told
from neurosim.streaming.gpu.wavefront import Lane, Streams, Wavefront

Shapes = dict[str, tuple[tuple[int, ...], Any]]
Wanted = tuple[Sequence[np.ndarray] | None, Sequence[Columns] | None]
"""What is recorded of a network: neurons whose factors are, and columns of the rest."""


class Course:
    """The course of all chunks of one shape; everything is at fixed places.

    Parameters
    ----------
    layers : sequence of Layer
    readers : dict of str to Reader
    sources : dict of str to tuple of int
        Layers that each read-out sees.
    extent : Extent
        Shape of the chunks.
    times : Times
    inner : int
        Traces of an inner chunk, at most, unless a presentation has more.
    streams : Streams
    graphs : bool
        See `Wavefront`.

    Attributes
    ----------
    run : callable
        Queues everything that is done with a chunk.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        readers: dict[str, Reader],
        sources: dict[str, tuple[int, ...]],
        extent: Extent,
        times: Times,
        inner: int,
        streams: Streams,
        graphs: bool,
    ) -> None:
        self._extent, self._layers, self._readers = extent, layers, readers
        xp, weights = layers[0].xp, layers[0].state["weights"]
        self._replicas, _, n_inputs = weights.shape
        self._inputs: Array = xp.zeros(
            (self._replicas, extent.shown * extent.samples, n_inputs), weights.dtype
        )
        shown = max(1, inner // extent.samples)
        size = Size(extent.samples, extent.window, extent.instants, shown)
        spans = [
            Span(number, first, min(shown, extent.shown - first))
            for number, first in enumerate(range(0, extent.shown, shown))
        ]
        self._orders, self._answers = Pack(xp, self._ordered()), Pack(xp, self._answered())
        shared = self._orders.arrays
        looks = [_cut(self._inputs, extent.samples)]
        lanes: list[Lane[Span]] = []
        for k, layer in enumerate(layers):
            lane = LayerLane(layer, size, looks[k], times, shared | self._of(f"{k}/"))
            looks.append(lane.output)
            lanes.append(Lane(lane.step, (k - 1,) if k else ()))
        for name, reader in readers.items():
            told = shared | {"predicted": self._answers.arrays[f"predicted/{name}"]}
            seen = [looks[k + 1] for k in sources[name]]
            lanes.append(Lane(ReaderLane(reader, size, seen, told).step, sources[name]))
        self.run = Wavefront(streams, lanes, spans, layers[0].slots, graphs=graphs).pass_through

    def _ordered(self) -> Shapes:
        """What the host sends."""
        extent, n = self._extent, self._replicas
        single, instants = (n, extent.shown), (n, extent.shown, extent.instants)
        shapes: Shapes = {"geometry": (single, np.int64), "lessons": (single, np.int64)}
        shapes |= {"eta": (single, float), "rates": (single, float)}
        shapes |= {"teaching": (instants, float), "gate": (instants, float)}
        for k, layer in enumerate(self._layers):
            n_post = layer.form.threads.n_post if extent.chosen else 0
            shapes[f"{k}/place"] = ((n, n_post), np.int32)
            if extent.columns is not None:
                for name, width in zip(Columns._fields, extent.columns[k], strict=True):
                    shapes[f"{k}/{name}"] = ((n, width), np.int32)
        return shapes

    def _answered(self) -> Shapes:
        """What is sent back."""
        extent, n = self._extent, self._replicas
        traces = extent.shown * extent.samples
        shapes: Shapes = {}
        for k, layer in enumerate(self._layers):
            n_post, chosen = layer.form.threads.n_post, 0 if not extent.chosen else extent.chosen[k]
            found: Shapes = {
                "third": ((n, extent.shown, extent.instants, 4), float),
                "post": ((n, extent.shown, extent.window, chosen), float),
                "decay": ((n, extent.shown, chosen), float),
                "squares": ((n, traces), float),
                "active": ((n, n_post), np.uint8),
            }
            if extent.chosen is not None:
                length, kind = extent.window - extent.samples + traces, layer.form.dtype
                neurons, terminals = n_post, layer.state["trace_pre"].shape[2]
                if extent.columns is not None:
                    neurons, terminals = extent.columns[k]
                names = ("output", "drive", "rate", "gain", "normalized")
                found |= dict.fromkeys(names, ((n, traces, neurons), kind))
                groups = layer.form.threads.groups if layer.form.grouped else 0
                signals = groups if layer.form.compares == 1 else neurons
                found["variance"] = (n, traces, groups), kind
                found["signal"] = (n, length, signals), kind
                found["pre"] = (n, length, terminals), kind
            shapes |= {f"{k}/{name}": shape for name, shape in found.items()}
        shapes |= {f"predicted/{name}": ((n, extent.shown), np.int64) for name in self._readers}
        return shapes

    def _of(self, prefix: str) -> dict[str, Array]:
        """Arrays of one layer."""
        both = self._orders.arrays | self._answers.arrays
        return {
            name.removeprefix(prefix): array
            for name, array in both.items()
            if name.startswith(prefix)
        }

    def send(self, shows: Sequence[Shows]) -> np.ndarray:
        """Send a chunk; returns memory of the host that must stay until the device has it."""
        for row, show in enumerate(shows):
            self._inputs[row] = self._layers[0].xp.asarray(show.inputs)

        def fill(arrays: dict[str, np.ndarray]) -> None:
            offset = 0
            for row, (plan, _, lessons, rates, chosen, columns) in enumerate(shows):
                arrays["geometry"][row] = plan.geometry + offset
                offset += len(plan.filter)
                for name in ("eta", "teaching", "gate"):
                    arrays[name][row] = getattr(plan, name)
                arrays["lessons"][row], arrays["rates"][row] = lessons, rates
                for k in range(len(self._layers)):
                    place = arrays[f"{k}/place"][row]
                    place[:] = -1
                    if chosen is not None:
                        known = np.unique(chosen[k])
                        place[known] = np.arange(len(known))
                    for name in Columns._fields if self._extent.columns else ():
                        places = arrays[f"{k}/{name}"][row]
                        places[:] = 0  # where others record more, whatever is there
                        if columns is not None:
                            wanted = getattr(columns[k], name)
                            places[: len(wanted)] = wanted

        return self._orders.send(fill)

    def fetch(self) -> Arrival:
        """Have the answers sent back."""
        return self._answers.fetch()

    def read(self, wanted: Sequence[Wanted], arrays: dict[str, Any]) -> list[Answer]:
        """Answers of the networks, given what each wanted to be recorded."""
        return [
            Answer(
                [self._told(k, row, some, arrays) for k in range(len(self._layers))],
                {name: arrays[f"predicted/{name}"][row] for name in self._readers},
            )
            for row, some in enumerate(wanted)
        ]

    def _told(self, k: int, row: int, wanted: Wanted, arrays: dict[str, Any]) -> Told:
        shown, (chosen, columns) = None, wanted
        if chosen is not None:
            found = {name: arrays[f"{k}/{name}"][row] for name in Shown._fields}
            grouped = self._layers[k].form.compares == 1
            if grouped:
                found["signal"] -= found["signal"].mean(axis=-1, keepdims=True)
            if columns is not None:
                self._narrow(found, columns[k], grouped)
            back = np.unique(chosen[k], return_inverse=True)[1]
            found["post"], found["decay"] = found["post"][..., back], found["decay"][..., back]
            shown = Shown(**found)
        third, active = arrays[f"{k}/third"][row], arrays[f"{k}/active"][row]
        return Told(third, active.astype(bool), arrays[f"{k}/squares"][row], shown)

    def _narrow(self, found: dict[str, Any], columns: Columns, grouped: bool) -> None:
        """Leave the columns that were wanted; the first ones, unless all had to be sent."""
        sent = self._extent.columns is not None
        neurons, terminals = (slice(len(some)) if sent else some for some in columns)
        names = ("output", "drive", "rate", "gain", "normalized", "signal")
        for name in names[: len(names) - grouped]:
            found[name] = found[name][:, neurons]
        found["pre"] = found["pre"][:, terminals]


def _cut(inputs: Array, samples: int) -> Callable[[Span], Array]:
    """What an inner chunk shows of a chunk."""

    def look(span: Span) -> Array:
        return inputs[:, span.first * samples : (span.first + span.shown) * samples]

    return look
