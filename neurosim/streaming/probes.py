"""Which traces of a run are written down, and how they are read off a chunk.

A weight that changes inside a chunk is never looked up in a weight matrix: it is its value before
the chunk plus the running sum of its postsynaptic times presynaptic factors.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from neurosim.recording import Recorder, RecordSettings
from neurosim.seeds import Seeds
from neurosim.streaming.assembly import Assembly, Chunk
from neurosim.streaming.circuit import LayerCircuit

Layout = tuple[tuple[int, ...], tuple[str, ...], dict[str, np.ndarray]]
SCALARS = {"b1": "1", "b2": "1", "b3": "1", "third_factor": "1"}
NEURONS = ("drive", "rate", "gain", "output")


def accuracy_name(readout: str) -> str:
    """Column of a read-out's accuracy in the history."""
    return "accuracy" if readout == "readout" else f"accuracy_{readout}"


class Probes:
    """Chooses neurons and synapses, declares their traces and writes them.

    Parameters
    ----------
    parts : Assembly
    settings : RecordSettings
    seeds : Seeds
        Synapses are drawn from ``recording/<layer>``.
    """

    def __init__(self, parts: Assembly, settings: RecordSettings, seeds: Seeds) -> None:
        self._parts, self._settings = parts, settings
        self._samples = parts.learning.timeline.n_traces
        self._synapses = [
            self._choose(circuit, seeds.child("recording").generator(name))
            for circuit, name in zip(parts.circuits, parts.network.names, strict=True)
        ]
        self._neurons = [
            np.unique(np.linspace(0, c.layer.n_post - 1, settings.neurons).astype(np.int64))
            for c in parts.circuits
        ]
        if settings.every or settings.instants:
            parts.recorded = self._synapses
            parts.chosen = [np.unique(post) for post, _ in self._synapses]

    def _choose(
        self, circuit: LayerCircuit, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Postsynaptic and presynaptic indices of the recorded synapses."""
        shape = circuit.layer.weights.shape
        n = min(self._settings.synapses, circuit.layer.weights.size)
        post, pre = np.unravel_index(
            rng.choice(circuit.layer.weights.size, n, replace=False), shape
        )
        return post, pre

    def declare(self, recorder: Recorder, total: int | None) -> None:
        """Announce everything `write` will append, and the history's columns."""
        names = self._parts.network.names
        vitals = ("similarity", "underflow", "modulator", "distance", "active", "growth")
        accuracies = [accuracy_name(name) for name in self._parts.sources]
        columns = ["accuracy_online", *accuracies, *(f"{n}_{v}" for n in names for v in vitals)]
        recorder.declare_history(
            {"presentations": "1", "seconds": "s", "elapsed": "s"} | dict.fromkeys(columns, "1")
        )
        if self._settings.every:
            rows = None if total is None else -(-total // self._settings.every)
            self._declare(recorder, "presentation", rows, "")
        if self._settings.instants:
            first, stop = self._settings.instants
            shown = max(0, min(stop, stop if total is None else total) - first)
            self._declare(recorder, "instant", shown, "instants/")

    def _declare(self, recorder: Recorder, axis: str, rows: int | None, folder: str) -> None:
        if not folder:
            for name, unit in (("onset", "s"), ("offset", "s")):
                recorder.declare(
                    f"events/{name}", shape=(), dtype=float, unit=unit, axes=(axis,), rows=rows
                )
            for name in ("presentation", "label"):
                recorder.declare(
                    f"events/{name}", shape=(), dtype=np.int64, unit="1", axes=(axis,), rows=rows
                )
        for k, (circuit, layer) in enumerate(
            zip(self._parts.circuits, self._parts.network.names, strict=True)
        ):
            for name, (shape, axes, coordinates) in self._series(k, circuit, folder).items():
                recorder.declare(
                    f"layers/{layer}/{folder}{name}", shape=shape, dtype=np.float32,
                    unit="s" if name == "time" else "1", axes=("presentation", *axes), rows=rows,
                    coordinates=coordinates,
                )  # fmt: skip

    def _series(self, k: int, circuit: LayerCircuit, folder: str) -> dict[str, Layout]:
        """Shape, axes and coordinates of each trace of one layer."""
        instants = self._instants() if folder else 1
        scalar: tuple[tuple[int, ...], tuple[str, ...]] = ((), ())
        traces: tuple[tuple[int, ...], tuple[str, ...]] = ((), ())
        if folder:
            scalar, traces = ((instants,), ("instant",)), ((self._samples,), ("trace",))
        found: dict[str, Layout] = {}
        if circuit.rule.compares != "nothing":
            found |= {name: (*scalar, {}) for name in SCALARS}
        neurons = self._neurons[k]
        for name in self._neuron_traces(circuit):
            shape, axes = (*traces[0], len(neurons)), (*traces[1], "neuron")
            found[name] = (shape, axes, {"neuron": neurons})
        if circuit.layer.grouping is not None:
            groups = circuit.layer.grouping.groups
            found["u"] = ((*traces[0], groups), (*traces[1], "group"), {})
            if circuit.rule.compares == "group":
                found["v"] = found["u"]
                found["derivative"] = ((*scalar[0], groups), (*scalar[1], "group"), {})
        if circuit.rule.compares == "rate":
            axes = (*scalar[1], "neuron")
            found["derivative"] = ((*scalar[0], len(neurons)), axes, {"neuron": neurons})
        if not folder and len(self._synapses[k][0]):
            post, pre = self._synapses[k]
            for name in ("weight", "postsynaptic_factor", "presynaptic_factor"):
                found[name] = (
                    (len(post),),
                    ("synapse",),
                    {"synapse": np.stack([post, pre], axis=1)},
                )
        return found

    def _instants(self) -> int:
        timeline = self._parts.learning.timeline
        n = timeline.n_window
        duration = getattr(timeline, "duration", 1.0)
        gap = 1.0 if getattr(timeline, "gaps", False) else 0.0
        return len(timeline.geometry(np.full(n, duration), np.full(n, gap), 0.01).weight)

    def _neuron_traces(self, circuit: LayerCircuit) -> tuple[str, ...]:
        """With a memory, learning sees the remembered rate: recorded as ``memory``."""
        if circuit.neurons.memory is None:
            return ("drive", "rate", "gain", "output")
        return ("drive", "memory", "gain", "output")

    def write(self, recorder: Recorder, chunk: Chunk, seconds: float) -> None:
        """Append the chunk's share of every declared series; ``seconds`` is the time at its end."""
        numbers = chunk.first + np.arange(len(chunk.shown.labels))
        if self._settings.every:
            rows = np.flatnonzero(numbers % self._settings.every == 0)
            if len(rows):
                self._events(recorder, chunk, numbers, rows, seconds)
                self._layers(recorder, chunk, rows, "")
        if self._settings.instants:
            first, stop = self._settings.instants
            rows = np.flatnonzero((numbers >= first) & (numbers < stop))
            if len(rows):
                self._layers(recorder, chunk, rows, "instants/")

    def _events(
        self, recorder: Recorder, chunk: Chunk, numbers: np.ndarray, rows: np.ndarray, end: float
    ) -> None:
        lasted = chunk.shown.durations + chunk.shown.gaps
        offset = end - lasted.sum() + np.cumsum(lasted)
        recorder.append("events/presentation", numbers[rows])
        recorder.append("events/label", chunk.shown.labels[rows])
        recorder.append("events/onset", (offset - chunk.shown.durations)[rows])
        recorder.append("events/offset", offset[rows])

    def _layers(self, recorder: Recorder, chunk: Chunk, rows: np.ndarray, folder: str) -> None:
        for k, layer in enumerate(self._parts.network.names):
            series = self._series(k, self._parts.circuits[k], folder)
            for name, values in self._read(chunk, k, rows, folder).items():
                if name in series:
                    recorder.append(f"layers/{layer}/{folder}{name}", values.astype(np.float32))

    def _read(self, chunk: Chunk, k: int, rows: np.ndarray, folder: str) -> dict[str, np.ndarray]:
        shown, samples, neurons = chunk.layers[k], self._samples, self._neurons[k]
        third = shown.third[rows]
        derivative = self._derivative(chunk, k, rows)
        if not folder:  # where the change is largest while there is a teaching signal
            gate = chunk.plan.gate[rows]
            open_ = (gate > 0) | ~gate.any(axis=1, keepdims=True)
            peak = np.arange(len(rows)), np.where(open_, third[..., 0], -1).argmax(axis=1)
            third, derivative = third[peak], derivative[peak]

        def at(array: np.ndarray) -> np.ndarray:
            by_presentation = array.reshape(len(array) // samples, samples, array.shape[1])[rows]
            return by_presentation if folder else by_presentation[:, -1]

        history = len(shown.signal) - len(shown.rate)
        found = dict(zip(SCALARS, np.moveaxis(third, -1, 0), strict=True))
        found |= {name: at(getattr(shown, name)[:, neurons]) for name in NEURONS}
        found |= {"memory": found["rate"], "u": at(shown.variance), "derivative": derivative}
        found["v"] = at(shown.signal[history:])
        if not folder and len(self._synapses[k][0]):
            found |= {name: a[rows] for name, a in self._synapse_traces(chunk, k).items()}
        return found

    def _derivative(self, chunk: Chunk, k: int, rows: np.ndarray) -> np.ndarray:
        """Derivative signal of groups, or of the recorded neurons, at every instant."""
        shown = chunk.layers[k]
        by_group = self._parts.circuits[k].rule.compares == "group"
        signal = shown.signal if by_group else shown.signal[:, self._neurons[k]]
        window = chunk.plan.filter.shape[2]
        seen = signal[rows[:, None] * self._samples + np.arange(window)]
        return np.einsum("tir,trs->tis", chunk.plan.filter[chunk.plan.geometry[rows]], seen)

    def _synapse_traces(self, chunk: Chunk, k: int) -> dict[str, np.ndarray]:
        shown, circuit = chunk.layers[k], self._parts.circuits[k]
        post, pre = self._synapses[k]
        slot = np.searchsorted(self._parts.chosen[k], post)
        current = chunk.before[k]["weights"].copy()
        speed = chunk.before[k].get("velocity", np.zeros_like(current)).copy()
        shape = (len(shown.post), len(post))
        weight, here, there = (np.empty(shape, np.float32) for _ in range(3))
        _follow(
            shown.post, shown.decay, slot, shown.pre, pre, self._samples, circuit.momentum,
            current, speed, weight, here, there,
        )  # fmt: skip
        return {"weight": weight, "postsynaptic_factor": here, "presynaptic_factor": there}


@njit(cache=True, nogil=True)
def _follow(post, decay, slot, pre, index, samples, momentum, current, speed, weight, here, there):
    """Weights of chosen synapses after every presentation of a chunk, and their last factors."""
    n, window = post.shape[0], post.shape[1]
    for t in range(n):
        first = t * samples
        for k in range(slot.size):
            step = 0.0
            for r in range(window):
                step += post[t, r, slot[k]] * pre[first + r, index[k]]
            speed[k] = momentum * speed[k] + step
            current[k] = (1.0 - decay[t, slot[k]]) * current[k] + speed[k]
            weight[t, k] = current[k]
            here[t, k] = post[t, window - 1, slot[k]]
            there[t, k] = pre[first + window - 1, index[k]]
