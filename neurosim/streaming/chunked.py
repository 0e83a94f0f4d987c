"""The chunked exact engine: many presentations with two matrix products and a short walk.

A chunk is cut into blocks. ``start = X W^T`` and ``gram = X Q^T`` are matrix products over the
whole chunk. What the blocks before it did to the weights is added to a block's starting drives,
again as a matrix product; then it is walked presentation by presentation (`walk`). At the end the
weights are updated once, ``W += change^T Q``. The trajectory is that of `circuit.present`.

Source: shared algebra of all rules of the form postsynaptic (x) presynaptic; see docs/design.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from neurosim.dynamics.memory import remember_row, start_remembering
from neurosim.layers import Dense
from neurosim.ops.linalg import accumulate_outer
from neurosim.plasticity import Hebb
from neurosim.streaming.circuit import LayerCircuit, Shown, State
from neurosim.streaming.compiled import Constants, Neurons, Records, Sums, Traces, compile_rule
from neurosim.streaming.plan import Plan, Planner
from neurosim.streaming.presentations import Presentations
from neurosim.streaming.repeats import Repeats
from neurosim.streaming.timeline import TwoPoint
from neurosim.streaming.walk import walk

BLOCK_TRACES = 32
COMPARES = {"rate": 0, "group": 1, "nothing": 2}
WORTH_LOOKING = 2  # traces a presentation, beyond which some rows will repeat others
WINDOW = ("rate", "gain", "normalized", "signal")
NOW = ("rate", "gain", "normalized", "variance")


def constants_of(circuit: LayerCircuit) -> Constants:
    """The circuit's settings as the numbers of `fused`."""
    grouping, neurons = circuit.layer.grouping, circuit.neurons
    memory, pool = neurons.memory, neurons.normalization
    decays = circuit.weight_decay > 0 or circuit.rule.row_decay
    return Constants(
        code=circuit.layer.nonlinearity.code,
        slope=circuit.layer.nonlinearity.slope,
        groups=grouping.groups if grouping else 0,
        p=grouping.p if grouping else 0.0,
        delta=grouping.delta if grouping else 1.0,
        divisive=bool(grouping and grouping.divisive),
        compares=COMPARES[circuit.rule.compares],
        sigma=float(circuit.third_factor.sigma),
        gamma=float(circuit.third_factor.gamma),
        averages=float(circuit.rule.averages),
        momentum=float(circuit.momentum),
        decay=float(circuit.weight_decay),
        decays=decays,
        leaky=neurons.leaky.tau if neurons.leaky else 0.0,
        memory=memory is not None,
        memory_leak=memory.leak if memory else 0.0,
        memory_tau=memory.tau if memory else 1.0,
        memory_scale=memory.scale if memory else 1.0,
        measured=neurons.measured_background,
        recurrent=pool is not None,
        tau_mean=pool.tau_mean if pool else 1.0,
        tau_rate=pool.tau_rate if pool else 1.0,
        tau_pool=pool.tau_pool if pool else 1.0,
        pool_step=pool.coefficients()[-1] if pool else 1.0,
    )


class Room(dict[str, np.ndarray]):
    """Arrays by name that later chunks use again: memory that is new costs more than filling it."""

    def empty(self, name: str, rows: int, columns: int, dtype: np.dtype[Any]) -> np.ndarray:
        """A C-contiguous array with whatever was left in it; always of the same columns."""
        if name not in self or len(self[name]) < rows:
            self[name] = np.empty((rows, columns), dtype)
        return self[name][:rows]


class Engine:
    """A layer circuit, compiled: shows chunks of presentations to a state.

    Parameters
    ----------
    circuit : LayerCircuit
    keep : int
        What a chunk did stays valid until so many have been shown after it; 0: for ever.
    """

    def __init__(self, circuit: LayerCircuit, keep: int = 0) -> None:
        self._circuit = circuit
        self._rooms = [Room() for _ in range(keep + 1 if keep else 0)]
        self._turn = 0
        self._scratch = Room()
        self._dtype = circuit.layer.weights.dtype
        self._constants = constants_of(circuit)
        self._numbers = np.array(circuit.rule.constants(circuit.layer), np.float64)
        self._rule = compile_rule(type(circuit.rule), self._dtype.name)
        self._direct = circuit.momentum == 0 and not self._constants.decays

    def present(
        self, state: State, plan: Plan, inputs: np.ndarray, chosen: np.ndarray
    ) -> tuple[State, Shown]:
        """Show T presentations; arguments as in `circuit.present`, inputs (T * P, n_pre).

        The weights (and velocity) of ``state`` are updated in place; the rest is replaced.
        """
        n_post, samples, n = self._circuit.layer.n_post, len(plan.at_rest), len(inputs)
        room = self._next_room()
        state = dict(state)
        neurons = Neurons(*(state[name].copy() for name in Neurons._fields))
        state.update(neurons._asdict())
        pre = self._presynaptic(state, plan, inputs, room)
        history = len(pre) - n
        traces = self._traces(state, len(pre), room)
        start = room.empty("drive", n, n_post, self._dtype)
        sampled = samples > WORTH_LOOKING
        shown_once = Repeats.of(inputs) if sampled else None
        _product(inputs, state["weights"], shown_once, start)
        speed_start = start[:0]
        if self._circuit.momentum > 0:
            speed_start = np.empty_like(start)
            _product(inputs, state["velocity"], shown_once, speed_start)
        gram = self._gram(inputs, pre, history, shown_once)
        total = self._sums(len(pre))
        output = room.empty("output", n, n_post, self._dtype)
        n_shown = len(plan.geometry)
        records = Records(
            np.zeros((n_shown, plan.filter.shape[1], 4)),
            chosen,
            np.zeros((n_shown, plan.filter.shape[2], len(chosen)), self._dtype),
            np.zeros((n_shown, len(chosen)), self._dtype),
        )
        block = max(1, BLOCK_TRACES // samples)
        walk(
            self._rule, plan, self._constants, self._numbers, block, start, speed_start, gram,
            traces, neurons, total, output, records,
        )  # fmt: skip
        self._learn(state, total, pre, len(plan.geometry), Repeats.of(pre) if sampled else None)
        for name, array in zip(WINDOW, traces, strict=False):
            state[f"trace_{name}"] = array[n:].copy()
        state["trace_pre"] = pre[n:].copy()
        now = {name: getattr(traces, name)[history:] for name in NOW}
        shown = Shown(
            output=output, drive=start, **now, signal=traces.signal, pre=pre, third=records.third,
            post=records.post, decay=records.decay,
        )  # fmt: skip
        return state, shown

    def _next_room(self) -> Room:
        """Where this chunk's results go."""
        if not self._rooms:
            return Room()
        self._turn = (self._turn + 1) % len(self._rooms)
        return self._rooms[self._turn]

    def _gram(
        self, inputs: np.ndarray, pre: np.ndarray, history: int, repeats: Repeats | None
    ) -> np.ndarray:
        """Products of inputs and presynaptic traces, (n, H + n)."""
        gram = np.empty((len(inputs), len(pre)), self._dtype)
        if repeats is not None or self._constants.memory:
            _product(inputs, pre, repeats, gram)
        else:
            gram[:, :history] = inputs @ pre[:history].T
            gram[:, history:] = inputs @ inputs.T  # symmetric, and computed as such: half the work
        return gram

    def _sums(self, traces: int) -> Sums:
        n_post, kind = self._circuit.layer.n_post, self._dtype
        change = self._scratch.empty("change", traces, n_post, kind)
        speed = self._scratch.empty("speed", 0 if self._direct else traces, n_post, kind)
        change[:], speed[:] = 0, 0
        return Sums(change, speed, np.ones(n_post, kind), np.zeros(n_post, kind))

    def _traces(self, state: State, length: int, room: Room) -> Traces:
        """Room for the chunk's local variables, headed by the window carried from before."""
        named = {}
        for name in WINDOW:
            before = state[f"trace_{name}"]
            named[name] = room.empty(name, length, before.shape[1], self._dtype)
            named[name][: len(before)] = before
        variance = room.empty("variance", length, self._constants.groups, self._dtype)
        return Traces(**named, variance=variance)

    def _presynaptic(self, state: State, plan: Plan, inputs: np.ndarray, room: Room) -> np.ndarray:
        """Presynaptic traces of window and chunk: the inputs, or their memory."""
        before, memory = state["trace_pre"], self._circuit.neurons.memory
        pre = room.empty("pre", len(before) + len(inputs), inputs.shape[1], self._dtype)
        pre[: len(before)] = before
        if memory is None:
            pre[len(before) :] = inputs
        else:
            state["memory_pre"] = state["memory_pre"].copy()
            _remember(
                state["memory_pre"], inputs, plan.step[plan.geometry].ravel(),
                self._circuit.background, memory.leak, memory.tau, memory.scale,
                pre[len(before) :],
            )  # fmt: skip
        return pre

    def _learn(
        self, state: State, total: Sums, pre: np.ndarray, n: int, repeats: Repeats | None
    ) -> None:
        """Touch the weights, once a chunk."""
        weights, change, speed = state["weights"], total.change, total.speed
        if repeats is not None:
            pre, change = pre[repeats.first], repeats.sums(change)
            speed = repeats.sums(speed) if self._circuit.momentum > 0 else speed
        if not self._direct:
            weights *= total.keep_w[:, None]
        if self._circuit.momentum > 0:
            weights += total.keep_v[:, None] * state["velocity"]
            state["velocity"] *= self._dtype.type(self._circuit.momentum**n)
            accumulate_outer(state["velocity"], speed, pre)
        accumulate_outer(weights, change, pre)


def _product(rows: np.ndarray, other: np.ndarray, repeats: Repeats | None, out: np.ndarray) -> None:
    """out = rows other^T."""
    if repeats is None:
        np.matmul(rows, other.T, out=out)
    else:
        repeats.product(rows, other, out)


def warm_up(dtype: str) -> None:
    """Compile what every rule and network shares, once per float type and installation."""
    circuit = LayerCircuit(
        layer=Dense(np.zeros((2, 2), dtype)), rule=Hebb(), background=np.zeros(2, dtype)
    )
    timeline = TwoPoint()
    planner = Planner(timeline, circuit.third_factor.beta, 2)
    shown = Presentations(np.zeros((1, 2), dtype), np.zeros(1, np.int64), np.ones(1), np.zeros(1))
    plan, _ = planner.plan(planner.start(), shown, np.zeros(1))
    Engine(circuit).present(circuit.start(1), plan, shown.stimuli, np.zeros(0, np.int64))


@njit(cache=True, nogil=True)
def _remember(memory, inputs, steps, background, leak, tau, scale, remembered):
    """Presynaptic memory through the traces of a chunk; `MemoryTrace` with recall."""
    known = start_remembering(memory, scale)
    for row in range(len(inputs)):
        remember_row(
            memory, known, inputs[row], background, steps[row] / tau, leak, scale, remembered[row]
        )
