"""The chunked exact engine: many presentations with two matrix products and a short walk.

A chunk is cut into blocks. ``start = X W^T`` and ``gram = X Q^T`` are matrix products over the
whole chunk. What the blocks before it did to the weights is added to a block's starting drives,
again as a matrix product; then it is walked presentation by presentation (`walk`). At the end the
weights are updated once, ``W += change^T Q``. The trajectory is that of `circuit.present`.

Source: shared algebra of all rules of the form postsynaptic (x) presynaptic; see docs/design.md.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from neurosim.dynamics.memory import recall_memory, relax_memory
from neurosim.layers import Dense
from neurosim.ops.linalg import accumulate_outer
from neurosim.plasticity import Hebb
from neurosim.streaming.circuit import LayerCircuit, Shown, State
from neurosim.streaming.compiled import Constants, Neurons, Records, Sums, Traces, compile_rule
from neurosim.streaming.plan import Plan, Planner
from neurosim.streaming.presentations import Presentations
from neurosim.streaming.timeline import TwoPoint
from neurosim.streaming.walk import walk

BLOCK_TRACES = 32
COMPARES = {"rate": 0, "group": 1, "nothing": 2}
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


class Engine:
    """A layer circuit, compiled: shows chunks of presentations to a state.

    Parameters
    ----------
    circuit : LayerCircuit
    """

    def __init__(self, circuit: LayerCircuit) -> None:
        self._circuit = circuit
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
        n_post, samples = self._circuit.layer.n_post, len(plan.at_rest)
        n = len(inputs)
        state = dict(state)
        neurons = Neurons(*(state[name].copy() for name in Neurons._fields))
        state.update(neurons._asdict())
        pre = self._presynaptic(state, plan, inputs)
        history = len(pre) - n
        traces = self._traces(state, len(pre))
        start = inputs @ state["weights"].T
        speed_start = start[:0] if self._circuit.momentum == 0 else inputs @ state["velocity"].T
        gram = inputs @ pre.T
        total = self._sums(len(pre))
        output = np.empty((n, n_post), self._dtype)
        n_shown = len(plan.geometry)
        records = Records(
            np.zeros((n_shown, plan.filter.shape[1], 4)),
            chosen,
            np.zeros((n_shown, plan.filter.shape[2], len(chosen))),
            np.zeros((n_shown, len(chosen))),
        )
        block = max(1, BLOCK_TRACES // samples)
        walk(
            self._rule, plan, self._constants, self._numbers, block, start, speed_start, gram,
            traces, neurons, total, output, records,
        )  # fmt: skip
        self._learn(state, total, pre, len(plan.geometry))
        for name, array in zip(WINDOW, traces, strict=False):
            state[f"trace_{name}"] = array[n:].copy()
        state["trace_pre"] = pre[n:].copy()
        now = {name: getattr(traces, name)[history:] for name in NOW}
        shown = Shown(
            output=output, drive=start, **now, signal=traces.signal, pre=pre, third=records.third,
            post=records.post, decay=records.decay,
        )  # fmt: skip
        return state, shown

    def _sums(self, traces: int) -> Sums:
        n_post = self._circuit.layer.n_post
        return Sums(
            np.zeros((traces, n_post), self._dtype),
            np.zeros((0 if self._direct else traces, n_post), self._dtype),
            np.ones(n_post, self._dtype),
            np.zeros(n_post, self._dtype),
        )

    def _traces(self, state: State, length: int) -> Traces:
        """Room for the chunk's local variables, headed by the window carried from before."""
        carried = [state[f"trace_{name}"] for name in WINDOW]
        arrays = [np.empty((length, a.shape[1]), self._dtype) for a in carried]
        for array, before in zip(arrays, carried, strict=True):
            array[: len(before)] = before
        named = dict(zip(WINDOW, arrays, strict=True))
        return Traces(**named, variance=np.empty((length, self._constants.groups), self._dtype))

    def _presynaptic(self, state: State, plan: Plan, inputs: np.ndarray) -> np.ndarray:
        """Presynaptic traces of window and chunk: the inputs, or their memory."""
        memory = self._circuit.neurons.memory
        now = inputs
        if memory is not None:
            now = np.empty_like(inputs)
            state["memory_pre"] = state["memory_pre"].copy()
            _remember(
                state["memory_pre"], inputs, plan.step[plan.geometry].ravel(),
                self._circuit.background, memory.leak, memory.tau, memory.scale, now,
            )  # fmt: skip
        return np.concatenate([state["trace_pre"], now])

    def _learn(self, state: State, total: Sums, pre: np.ndarray, n: int) -> None:
        """Touch the weights, once a chunk."""
        weights = state["weights"]
        if not self._direct:
            weights *= total.keep_w[:, None]
        if self._circuit.momentum > 0:
            weights += total.keep_v[:, None] * state["velocity"]
            state["velocity"] *= self._dtype.type(self._circuit.momentum**n)
            accumulate_outer(state["velocity"], total.speed, pre)
        accumulate_outer(weights, total.change, pre)


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
    for row in range(len(inputs)):
        for m in range(memory.size):
            deviation = scale * float(inputs[row, m] - background[m])
            held = relax_memory(float(memory[m]), deviation, steps[row] / tau, leak)
            memory[m] = held
            remembered[row, m] = background[m] + recall_memory(held) / scale
