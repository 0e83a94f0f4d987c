"""A chunk's way on the CPU: layer after layer, then the read-outs.

Each stage takes the chunk from the one before and leaves its results in it, and may work on another
chunk meanwhile; nothing flows back.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neurosim.checks import require_one_of
from neurosim.streaming.assembly import Assembly
from neurosim.streaming.chunk import DIVERGED, Chunk, Signs
from neurosim.streaming.chunked import Engine, warm_up
from neurosim.streaming.circuit import Shown, State
from neurosim.streaming.circuit import present as present_one
from neurosim.streaming.plan import Plan


def power(activity: np.ndarray) -> float:
    """Sum of squares of all values; NaN if one is."""
    flat = activity.reshape(-1)
    return float(np.dot(flat, flat))


class OnCpu:
    """Stages of a chunk on the CPU.

    Parameters
    ----------
    parts : Assembly
        Of a network on the CPU.
    engine : {"chunked", "reference"}
    keep : int
        See `Engine`.
    """

    def __init__(self, parts: Assembly, engine: str, keep: int) -> None:
        require_one_of("Simulator.engine", engine, ("chunked", "reference"))
        self._parts = parts
        chunked = engine == "chunked"
        self._engines = [Engine(circuit, keep) for circuit in parts.circuits if chunked]

    def prepare(self) -> None:
        """Compile everything before the clock starts."""
        dtype, readout = self._parts.network.dtype, self._parts.readout
        warm_up(dtype.name)
        readout.present(
            readout.start(1, dtype), np.zeros((1, 1), dtype), np.zeros(1, np.int64), np.ones(1)
        )

    def stages(self) -> list[Callable[[Chunk], Chunk]]:
        """What happens to a chunk, in order."""
        layers = range(len(self._parts.circuits))
        return [*(lambda chunk, k=k: self._layer(chunk, k) for k in layers), self._read]

    def _layer(self, chunk: Chunk, k: int) -> Chunk:
        """A layer responds and learns."""
        with np.errstate(over="ignore", invalid="ignore"):  # told below, in words
            return self._respond(chunk, k)

    def _respond(self, chunk: Chunk, k: int) -> Chunk:
        parts = self._parts
        inputs = chunk.layers[-1].output if k else chunk.inputs
        if parts.recorded is not None:
            chunk.before.append({
                name: array[parts.recorded[k]].astype(np.float64)
                for name, array in parts.plastic(k).items()
            })  # fmt: skip
        if self._engines:
            present = self._engines[k].present
            parts.states[k], shown = present(parts.states[k], chunk.plan, inputs, parts.chosen[k])
        else:
            parts.states[k], shown = self._reference(k, parts.states[k], chunk.plan, inputs)
        if not max(power(shown.drive), power(shown.rate)) < DIVERGED**2:  # true for NaN as well
            squares = shown.drive.astype(float) ** 2 + shown.rate.astype(float) ** 2
            chunk.require_sane(parts.network.names[k], squares.sum(axis=1))
        chunk.layers.append(shown)
        active: np.ndarray = np.any(shown.rate > 0, axis=0)
        chunk.signs.append(Signs(shown.third, active))
        return chunk

    def _reference(
        self, k: int, state: State, plan: Plan, inputs: np.ndarray
    ) -> tuple[State, Shown]:
        """Presentation by presentation, in plain NumPy."""
        circuit, chosen = self._parts.circuits[k], self._parts.chosen[k]
        samples = len(plan.at_rest)
        found: list[Shown] = []
        before = len(state["trace_pre"])
        for t in range(len(plan.geometry)):
            rows = inputs[t * samples : (t + 1) * samples]
            state, shown = present_one(circuit, state, plan.part(t, t + 1), rows, chosen)
            found.append(shown)
        parts = {name: np.concatenate([getattr(s, name) for s in found]) for name in Shown._fields}
        for name in ("signal", "pre"):  # headed by the window once, not once a presentation
            present = [getattr(s, name)[before:] for s in found]
            parts[name] = np.concatenate([getattr(found[0], name)[:before], *present])
        return state, Shown(**parts)

    def _read(self, chunk: Chunk) -> Chunk:
        """The read-outs predict what is on at the offset, then learn."""
        parts, samples = self._parts, len(chunk.plan.at_rest)
        outputs = [shown.output[samples - 1 :: samples] for shown in chunk.layers]
        for name, source in parts.sources.items():
            read = outputs[source[0]]
            if len(source) > 1:
                read = np.concatenate([outputs[k] for k in source], axis=1)
            chunk.predicted[name] = parts.readout.present(
                parts.readouts[name], read, chunk.shown.lessons, chunk.rates
            )
        return chunk
