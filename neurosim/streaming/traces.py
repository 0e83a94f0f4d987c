"""What can be recorded of a layer, and how it is read off a chunk: what was asked for, no more.

A weight that changes inside a chunk is never looked up in a weight matrix: it is its value before
the chunk plus the running sum of its postsynaptic times presynaptic factors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from neurosim.streaming.chunk import Chunk
from neurosim.streaming.circuit import LayerCircuit
from neurosim.streaming.plan import Plan

SCALARS = ("b1", "b2", "b3", "third_factor")
SYNAPSES = ("weight", "postsynaptic_factor", "presynaptic_factor")


class Layout(NamedTuple):
    """A trace's shape, axes and coordinates, the presentations left out."""

    shape: tuple[int, ...]
    axes: tuple[str, ...]
    coordinates: dict[str, np.ndarray]


class LayerTraces:
    """The traces of one layer, of chosen neurons and synapses.

    Each presentation has one value, where the change of activity is largest while there is a
    teaching signal; or one for every instant (third factor, derivative) and trace (the others).

    Parameters
    ----------
    circuit : LayerCircuit
    number : int
        The layer's place in the network.
    samples : int
        Traces of a presentation.
    neurons : ndarray of int, shape (N,)
    synapses : ndarray of int, shape (K, 2)
        Postsynaptic and presynaptic neuron of each.
    """

    def __init__(
        self,
        circuit: LayerCircuit,
        number: int,
        samples: int,
        neurons: np.ndarray,
        synapses: np.ndarray,
    ) -> None:
        self._circuit, self._k, self._samples = circuit, number, samples
        self._neurons, self._synapses = neurons, synapses
        self.chosen, slot = np.unique(synapses[:, 0], return_inverse=True)
        self.columns = neurons, synapses[:, 1]  # of neurons and presynaptic terminals
        # unsigned, so that the compiled loop need not look for negative ones
        self._slot, self._pre = slot.astype(np.uintp), synapses[:, 1].astype(np.uintp)
        self._compares = circuit.rule.compares
        self._decays = circuit.weight_decay > 0 or circuit.rule.row_decay
        # with a memory, learning sees the remembered rate
        rate = "rate" if circuit.neurons.memory is None else "memory"
        self._fields = {"drive": "drive", rate: "rate", "gain": "gain", "output": "output"}

    def layout(self, instants: int = 0) -> dict[str, Layout]:
        """What `read` returns; ``instants`` of each presentation, or 0 for one value."""
        scalar = Layout((instants,), ("instant",), {}) if instants else Layout((), (), {})
        trace = Layout((self._samples,), ("trace",), {}) if instants else scalar
        found: dict[str, Layout] = {}
        if self._compares != "nothing":
            found |= dict.fromkeys(SCALARS, scalar)
        if len(self._neurons):
            found |= dict.fromkeys(self._fields, _along(trace, "neuron", self._neurons))
            if self._compares == "rate":
                found["derivative"] = _along(scalar, "neuron", self._neurons)
        grouping = self._circuit.layer.grouping
        if grouping is not None:
            found["u"] = _along(trace, "group", grouping.groups)
            if self._compares == "group":
                found["v"] = found["u"]
                found["derivative"] = _along(scalar, "group", grouping.groups)
        if len(self._synapses) and not instants:
            found |= dict.fromkeys(SYNAPSES, _along(scalar, "synapse", self._synapses))
        return found

    def read(self, chunk: Chunk, rows: slice, *, instants: bool) -> dict[str, np.ndarray]:
        """The traces of some of a chunk's presentations, by name."""
        shown, plan = chunk.layers[self._k], chunk.plan
        neurons = self._neurons if chunk.whole else slice(None)
        found: dict[str, np.ndarray] = {}
        if self._compares != "nothing":
            third, filters = shown.third[rows], plan.filter[plan.geometry[rows]]
            if not instants:
                moment = _moment(third, plan, rows)
                third, filters = third[moment], filters[moment]
            found |= {name: third[..., i] for i, name in enumerate(SCALARS)}
            if self._compares == "group":
                found["derivative"] = self._derivative(filters, shown.signal, rows)
                found["v"] = self._now(shown.signal[-len(shown.rate) :], rows, instants)
            elif len(self._neurons):
                signal = shown.signal[:, neurons]
                found["derivative"] = self._derivative(filters, signal, rows)
        if len(self._neurons):
            for name, field in self._fields.items():
                now = self._now(getattr(shown, field), rows, instants)
                found[name] = now[..., neurons]
        if self._circuit.layer.grouping is not None:
            found["u"] = self._now(shown.variance, rows, instants)
        if len(self._synapses) and not instants:
            found |= zip(SYNAPSES, self._follow(chunk, rows), strict=True)
        return found

    def _now(self, array: np.ndarray, rows: slice, instants: bool) -> np.ndarray:
        """Values of the traces of each presentation, or at its offset only; a view."""
        if instants:
            return array.reshape(-1, self._samples, array.shape[1])[rows]
        return array[self._samples - 1 :: self._samples][rows]

    def _derivative(self, filters: np.ndarray, signal: np.ndarray, rows: slice) -> np.ndarray:
        """Derivative signals, from the filters (n, ..., R) of each presentation's instants."""
        window, found = filters.shape[-1], np.zeros(1)
        for r in range(window):  # faster than a product of so many small matrices
            seen = signal[r : len(signal) - window + r + 1 : self._samples][rows]
            found = found + filters[..., r, None] * (seen if filters.ndim == 2 else seen[:, None])
        return found

    def _follow(self, chunk: Chunk, rows: slice) -> list[np.ndarray]:
        """Weights of the synapses after each presentation, and their last factors."""
        shown, before, momentum = chunk.layers[self._k], chunk.before[self._k], 0.0
        current = before["weights"].copy()
        speed = np.zeros_like(current)
        if "velocity" in before:
            speed, momentum = before["velocity"].copy(), self._circuit.momentum
        first, stop, step = rows.indices(len(shown.post))
        shape = (len(range(first, stop, step)), len(current))
        found = [np.empty(shape, np.float32) for _ in SYNAPSES]
        traces = shown.pre.take(self._pre, axis=1) if chunk.whole else shown.pre
        _follow(
            shown.post, self._decays, shown.decay, self._slot, traces, self._samples, momentum,
            current, speed, first, step, *found,
        )  # fmt: skip
        return found


def _along(layout: Layout, axis: str, places: np.ndarray | int) -> Layout:
    """One more axis: with coordinates, or numbered."""
    if isinstance(places, int):
        return Layout((*layout.shape, places), (*layout.axes, axis), {})
    return Layout((*layout.shape, len(places)), (*layout.axes, axis), {axis: places})


def _moment(third: np.ndarray, plan: Plan, rows: slice) -> tuple[slice | np.ndarray, Any]:
    """Index of the instant of each presentation that stands for it."""
    if third.shape[1] == 1:
        return slice(None), 0
    gate = plan.gate[rows]
    open_ = (gate > 0) | ~gate.any(axis=1, keepdims=True)
    return np.arange(len(third)), np.where(open_, third[..., 0], -1).argmax(axis=1)


@njit(cache=True, nogil=True)
def _follow(
    post, decays, decay, slot, pre, samples, momentum, current, speed, first, step,
    weight, here, there,
):  # fmt: skip
    """Weights of synapses through a chunk; every ``step``-th is kept, with its last factors."""
    window, n = post.shape[1], slot.size
    change, last = np.empty(n), np.empty(n)
    row = 0
    for t in range(post.shape[0]):
        change[:] = 0.0
        # one array written in each loop: only such loops are turned into vector instructions
        for r in range(window):
            factors, trace = post[t, r], pre[t * samples + r]
            for k in range(n):
                last[k] = factors[slot[k]]
            for k in range(n):
                change[k] += last[k] * trace[k]
        for k in range(n):
            speed[k] = momentum * speed[k] + change[k]
        if decays:
            for k in range(n):
                current[k] *= 1.0 - decay[t, slot[k]]
        for k in range(n):
            current[k] += speed[k]
        if t >= first and (t - first) % step == 0:
            weight[row] = current
            here[row] = last
            there[row] = pre[t * samples + window - 1]
            row += 1
