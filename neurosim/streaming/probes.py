"""Which traces of a run are written down: chosen, declared, and appended chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neurosim.recording import Recorder, RecordSettings
from neurosim.seeds import Seeds
from neurosim.streaming.assembly import Assembly
from neurosim.streaming.chunk import Chunk
from neurosim.streaming.circuit import LayerCircuit
from neurosim.streaming.traces import LayerTraces

INSTANTS = "instants/"


def accuracy_name(readout: str) -> str:
    """Column of a read-out's accuracy in the history."""
    return "accuracy" if readout == "readout" else f"accuracy_{readout}"


class Probes:
    """Chooses neurons and synapses, declares their traces and writes them.

    Parameters
    ----------
    parts : Assembly
        Told which presentations, neurons and synapses to watch.
    settings : RecordSettings
    seeds : Seeds
        Synapses are drawn from ``recording/<layer>``.
    """

    def __init__(self, parts: Assembly, settings: RecordSettings, seeds: Seeds) -> None:
        self._parts, self._settings = parts, settings
        self._layers: dict[str, LayerTraces] = {}
        synapses = []
        for k, (name, circuit) in enumerate(zip(parts.network.names, parts.circuits, strict=True)):
            neurons = np.linspace(0, circuit.layer.n_post - 1, settings.neurons).astype(np.int64)
            synapses.append(self._choose(circuit, seeds.child("recording").generator(name)))
            self._layers[name] = LayerTraces(
                circuit, k, parts.learning.timeline.n_traces, np.unique(neurons),
                np.stack(synapses[k], axis=1),
            )  # fmt: skip
        parts.recorded = synapses if settings.every and settings.synapses else None
        parts.chosen = [layer.chosen for layer in self._layers.values()]
        watching = settings.every or settings.instants
        parts.columns = [layer.columns for layer in self._layers.values()] if watching else []
        parts.watched = self._watched

    def _choose(
        self, circuit: LayerCircuit, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Postsynaptic and presynaptic indices of the recorded synapses."""
        shape, size = circuit.layer.weights.shape, circuit.layer.weights.size
        n = min(self._settings.synapses, size) if self._settings.every else 0
        post, pre = np.unravel_index(rng.choice(size, n, replace=False), shape)
        return post, pre

    def declare(self, recorder: Recorder, total: int | None) -> None:
        """Announce everything that will be appended, and the history's columns."""
        names = self._parts.network.names
        vitals = ("similarity", "underflow", "modulator", "distance", "active", "growth")
        accuracies = [accuracy_name(name) for name in self._parts.sources]
        columns = ["accuracy_online", *accuracies, *(f"{n}_{v}" for n in names for v in vitals)]
        recorder.declare_history(
            {"presentations": "1", "seconds": "s", "elapsed": "s"} | dict.fromkeys(columns, "1")
        )
        if self._settings.every:
            rows = None if total is None else -(-total // self._settings.every)
            for name, unit, dtype in (
                ("onset", "s", float),
                ("offset", "s", float),
                ("presentation", "1", np.int64),
                ("label", "1", np.int64),
            ):
                recorder.declare(
                    f"events/{name}", shape=(), dtype=dtype, unit=unit, axes=("presentation",),
                    rows=rows,
                )  # fmt: skip
            self._declare(recorder, rows, "", 0)
        if self._settings.instants:
            first, stop = self._settings.instants
            rows = max(0, min(stop, stop if total is None else total) - first)
            self._declare(recorder, rows, INSTANTS, self._instants())

    def _declare(self, recorder: Recorder, rows: int | None, folder: str, instants: int) -> None:
        for layer, traces in self._layers.items():
            for name, (shape, axes, coordinates) in traces.layout(instants).items():
                recorder.declare(
                    f"layers/{layer}/{folder}{name}", shape=shape, dtype=np.float32, unit="1",
                    axes=("presentation", *axes), rows=rows, coordinates=coordinates,
                )  # fmt: skip

    def _instants(self) -> int:
        timeline, (duration, gap) = self._parts.learning.timeline, self._parts.nominal()
        n = timeline.n_window
        return len(timeline.geometry(np.full(n, duration), np.full(n, gap), 0.01).weight)

    def stage(self, recorder: Recorder, seconds: float) -> Callable[[Chunk], Chunk]:
        """The last stage of a chunk's way: its share of every series goes to the recorder.

        Parameters
        ----------
        recorder : Recorder
            Begun.
        seconds : float
            Simulated time before the first chunk.
        """

        def write(chunk: Chunk) -> Chunk:
            nonlocal seconds
            seconds += float(chunk.shown.durations.sum() + chunk.shown.gaps.sum())
            rows = self._rows(chunk, seconds)
            if rows:
                recorder.append_many(rows)
            return chunk

        return write

    def _watched(self, first: int, stop: int) -> bool:
        """Whether anything is to be written of presentations from ``first`` to ``stop``."""
        single, window = self._parts_of(first, stop)
        return single is not None or window is not None

    def _parts_of(self, first: int, stop: int) -> tuple[slice | None, slice | None]:
        """Which of some presentations are kept, one value each and at every instant."""
        single, window, n = None, None, stop - first
        if self._settings.every and -first % self._settings.every < n:
            single = slice(-first % self._settings.every, n, self._settings.every)
        if self._settings.instants:
            begin, end = (min(max(at - first, 0), n) for at in self._settings.instants)
            window = slice(begin, end) if begin < end else None
        return single, window

    def _rows(self, chunk: Chunk, seconds: float) -> dict[str, np.ndarray]:
        """What is to be written of a chunk that ended at ``seconds``."""
        single, window = self._parts_of(chunk.first, chunk.first + len(chunk.shown.labels))
        found = dict[str, np.ndarray]()
        if single is not None:
            found |= self._events(chunk, single, seconds) | self._traces(chunk, single, "")
        if window is not None:
            found |= self._traces(chunk, window, INSTANTS)
        return found

    def _events(self, chunk: Chunk, rows: slice, seconds: float) -> dict[str, np.ndarray]:
        shown = chunk.shown
        lasted = shown.durations + shown.gaps
        offset = seconds - lasted.sum() + np.cumsum(lasted)
        return {
            "events/presentation": (chunk.first + np.arange(len(shown.labels)))[rows],
            "events/label": shown.labels[rows],
            "events/onset": (offset - shown.durations)[rows],
            "events/offset": offset[rows],
        }

    def _traces(self, chunk: Chunk, rows: slice, folder: str) -> dict[str, np.ndarray]:
        return {
            f"layers/{layer}/{folder}{name}": values
            for layer, traces in self._layers.items()
            for name, values in traces.read(chunk, rows, instants=bool(folder)).items()
        }
