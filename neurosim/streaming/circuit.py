"""A streaming layer, and the reference account of one presentation in it.

`present` is the specification: plain NumPy, one presentation, in the order things happen. The
engine in `chunked` does the same for many presentations at matrix-product speed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from neurosim.checks import require
from neurosim.layers import Dense
from neurosim.plasticity import Local, PlasticityRule, ThirdFactor
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.plan import Plan
from neurosim.streaming.third_factor import ThirdFactorCircuit, evaluate

State = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class LayerCircuit:
    """A dense layer with neuron dynamics, a third-factor circuit and a plasticity rule.

    Parameters
    ----------
    layer : Dense
        Its weights are the initial ones; the running ones are in the state.
    rule : PlasticityRule
    third_factor : ThirdFactorCircuit
    neurons : NeuronDynamics
    momentum : float
        V <- momentum V + dW, W <- W + V; in [0, 1).
    weight_decay : float
        W <- (1 - eta weight_decay) W at every presentation.
    background : ndarray, shape (n_pre,)
        Presynaptic output at rest.
    """

    layer: Dense
    rule: PlasticityRule
    third_factor: ThirdFactorCircuit = ThirdFactorCircuit()
    neurons: NeuronDynamics = NeuronDynamics()
    momentum: float = 0.0
    weight_decay: float = 0.0
    background: np.ndarray = field(repr=False)

    def __post_init__(self) -> None:
        require(0 <= self.momentum < 1, "LayerCircuit.momentum", "be in [0, 1)", self.momentum)
        require(
            self.weight_decay >= 0,
            "LayerCircuit.weight_decay",
            "not be negative",
            self.weight_decay,
        )
        require(
            self.layer.batch_norm is None,
            "LayerCircuit.layer.batch_norm",
            "be None in streaming",
            "batch norm",
            "It needs batches: use neurosim.batched.",
        )
        self.rule.constants(self.layer)
        grouping = self.layer.grouping
        circuit = self.neurons.normalization
        if circuit is not None:
            fits = grouping is not None and (circuit.group_size, circuit.p, circuit.delta) == (
                grouping.size(self.layer.n_post), grouping.p, grouping.delta,
            )  # fmt: skip
            rule = "settle on the layer's own Grouping (group size, p, delta)"
            require(fits, "NeuronDynamics.normalization", rule, circuit)

    @property
    def n_signals(self) -> int:
        """Components of the compared activity: neurons or groups."""
        grouping = self.layer.grouping
        by_group = self.rule.compares == "group" and grouping is not None
        return grouping.groups if by_group and grouping is not None else self.layer.n_post

    def start(self, window: int) -> State:
        """State before the first presentation, at rest for as long as ``window`` traces last."""
        n, dtype = self.layer.n_post, self.layer.weights.dtype
        rest = self.layer.respond(self.background, self.layer.drive(self.background))
        local = _local(self, rest.rate)
        groups = self.layer.grouping.groups if self.layer.grouping else 0
        pool = _pool(self, rest.rate)
        state = {
            "weights": self.layer.weights.copy(),
            "third_factor_mean": np.zeros(1),
            "trace_pre": np.tile(self.background, (window, 1)),
            "trace_rate": np.tile(local.rate, (window, 1)),
            "trace_gain": np.tile(local.gain, (window, 1)),
            "trace_normalized": np.tile(local.normalized, (window, 1)),
            "trace_signal": np.tile(local.signal, (window, 1)),
            "hidden": rest.drive.copy(),
            "memory": np.zeros(n, dtype),
            "memory_pre": np.zeros(self.layer.n_pre, dtype),
            "background": rest.rate.copy()
            if self.neurons.measured_background
            else np.zeros(n, dtype),
            "pool_mean": pool.get("mean", np.zeros(groups, dtype)),
            "pool_rate": pool.get("rate", np.zeros(n, dtype)),
            "pool_power": pool.get("pool", np.zeros(groups, dtype)),
            "mean_rate": np.zeros(n, dtype),
            "mean_square": np.zeros(n, dtype),
        }
        if self.momentum > 0:
            state["velocity"] = np.zeros_like(self.layer.weights)
        return state


class _Window(NamedTuple):
    rate: np.ndarray
    gain: np.ndarray
    normalized: np.ndarray
    signal: np.ndarray


class Shown(NamedTuple):
    """What a layer did during some presentations; leading axes T (presentations), P or R (traces).

    output : (T * P, n_post) what the next layer sees.
    drive, rate, gain, normalized : (T * P, n_post) of this presentation's traces.
    variance : (T * P, n_groups).
    signal, pre : (H + T * P, n_signals or n_pre) compared activity and presynaptic traces, headed
        by the H of the window before.
    third : (T, I, 4) b1, b2, b3, M.
    post, decay : (T, R, K), (T, K) factors times the learning rate, of the chosen neurons.
    """

    output: np.ndarray
    drive: np.ndarray
    rate: np.ndarray
    gain: np.ndarray
    normalized: np.ndarray
    variance: np.ndarray
    signal: np.ndarray
    pre: np.ndarray
    third: np.ndarray
    post: np.ndarray
    decay: np.ndarray


def _pool(circuit: LayerCircuit, rate: np.ndarray) -> State:
    normalization = circuit.neurons.normalization
    return {} if normalization is None else normalization.fixed_point(rate)


def _local(circuit: LayerCircuit, rate: np.ndarray, pool: State | None = None) -> _Window:
    """Local variables and compared signal of one trace."""
    grouping = circuit.layer.grouping
    normalized, signal = rate, rate
    if grouping is not None:
        groups = grouping.evaluate(rate)
        normalized, signal = groups.normalized, groups.signal
        if pool:
            power = pool["pool"] ** (1 - grouping.p)
            normalized, signal = pool["rate"], power - power.mean()
    if circuit.rule.compares != "group":
        signal = rate
    return _Window(rate, circuit.layer.nonlinearity.gain(rate), normalized, signal)


def present(
    circuit: LayerCircuit, state: State, plan: Plan, inputs: np.ndarray, chosen: np.ndarray
) -> tuple[State, Shown]:
    """Show one presentation to a layer: respond, compare, learn.

    Parameters
    ----------
    circuit : LayerCircuit
    state : dict
        As returned by `LayerCircuit.start` or the previous call; left untouched.
    plan : Plan
        Of one presentation.
    inputs : ndarray, shape (P, n_pre)
        Presynaptic output at each trace.
    chosen : ndarray of int, shape (K,)
        Neurons whose factors are returned.
    """
    state = {name: array.copy() for name, array in state.items()}
    layer, rule, u = circuit.layer, circuit.rule, plan.geometry[0]
    grouping, leaky = layer.grouping, circuit.neurons.leaky
    memory, normalization = circuit.neurons.memory, circuit.neurons.normalization
    rows: list[_Window] = []
    outputs, drives, variances, pres = [], [], [], []

    # 1. respond, trace by trace
    for p, x in enumerate(inputs):
        step = float(plan.step[u, p])
        drive = state["weights"] @ x
        if leaky is not None:
            state["hidden"] = leaky.relax({"potential": state["hidden"]}, drive, step)["potential"]
        rate = layer.nonlinearity.rate(drive if leaky is None else state["hidden"])
        pool: State = {}
        if normalization is not None:
            names = {"mean": "pool_mean", "rate": "pool_rate", "pool": "pool_power"}
            pool = normalization.relax({k: state[v] for k, v in names.items()}, rate, step)
            state.update({names[k]: array for k, array in pool.items()})
        local = _local(circuit, rate, pool)
        divisive = grouping is not None and grouping.divisive
        output = local.normalized if divisive else rate
        pre = x
        if memory is not None:
            if plan.at_rest[p] and step > 0 and circuit.neurons.measured_background:
                state["background"] = rate
            held = memory.relax({"memory": state["memory"]}, rate - state["background"], step)
            state["memory"] = held["memory"]
            local = _local(circuit, state["background"] + memory.recall(held))
            kept = memory.relax({"memory": state["memory_pre"]}, x - circuit.background, step)
            state["memory_pre"] = kept["memory"]
            pre = circuit.background + memory.recall(kept)
        rows.append(local)
        outputs.append(output)
        drives.append(drive)
        pres.append(pre)
        if grouping is not None:
            variances.append(
                pool["pool"] if pool and memory is None else grouping.evaluate(local.rate).variance
            )

    # 2. the window: traces of earlier presentations, then the present ones
    window = _Window(*(
        np.concatenate([state[f"trace_{name}"], np.stack([getattr(row, name) for row in rows])])
        for name in _Window._fields
    ))  # fmt: skip
    trace_pre = np.concatenate([state["trace_pre"], np.stack(pres)])
    n_window, n_instants = len(trace_pre), plan.filter.shape[1]
    history = n_window - len(inputs)

    # 3. the third factor, and each trace's share in it
    signal = np.zeros((n_window, layer.n_post))
    modulator = np.zeros(n_window)
    third = np.zeros((n_instants, 4))
    if rule.compares != "nothing":
        change = plan.filter[u] @ window.signal
        trace, mean = evaluate(
            circuit.third_factor, change, plan.teaching[0], plan.gate[0],
            float(state["third_factor_mean"][0]), plan.mean_keep[u], plan.mean_filter[u],
        )  # fmt: skip
        state["third_factor_mean"] = np.array([mean])
        third = np.stack(trace, axis=1)
        share = (plan.weight[u] * trace.modulator)[:, None] * plan.filter[u]
        signal = np.repeat(share.T @ change, layer.n_post // circuit.n_signals, axis=1)
        modulator = share.sum(axis=0)

    # 4. the rule: postsynaptic factors of every trace
    weight = np.concatenate([np.zeros(history), plan.trace_weight[u]])
    posts, decay = [], np.full(layer.n_post, plan.eta[0] * circuit.weight_decay)
    for r in range(0 if rule.compares != "nothing" else history, n_window):
        averages = state["mean_rate"], state["mean_square"]
        local_r = Local(window.rate[r], window.gain[r], window.normalized[r], *averages)
        third_r = ThirdFactor(signal[r], modulator[r], weight[r])
        factors = rule.factors(local_r, third_r, rule.constants(layer))
        posts.append(plan.eta[0] * factors.post)
        decay = decay + plan.eta[0] * factors.decay
    post = np.stack([np.zeros(layer.n_post)] * (n_window - len(posts)) + posts)

    # 5. the weights
    step_of_weights = post.T @ trace_pre
    if circuit.momentum > 0:
        state["velocity"] = circuit.momentum * state["velocity"] + step_of_weights
        step_of_weights = state["velocity"]
    state["weights"] = (1 - decay)[:, None] * state["weights"] + step_of_weights

    # 6. what is carried to the next presentation
    if rule.averages > 0:
        now = window.rate[-1]
        state["mean_rate"] += (now - state["mean_rate"]) / rule.averages
        state["mean_square"] += (now**2 - state["mean_square"]) / rule.averages
    for name in _Window._fields:
        state[f"trace_{name}"] = getattr(window, name)[n_window - history :]
    state["trace_pre"] = trace_pre[n_window - history :]
    for name, array in state.items():
        if name != "third_factor_mean":
            state[name] = array.astype(layer.weights.dtype, copy=False)
    groups = grouping.groups if grouping is not None else 0
    shown = Shown(
        output=np.stack(outputs), drive=np.stack(drives), rate=window.rate[history:],
        gain=window.gain[history:], normalized=window.normalized[history:],
        variance=np.stack(variances) if variances else np.zeros((len(inputs), groups)),
        signal=window.signal, pre=trace_pre, third=third[None], post=post[None][:, :, chosen],
        decay=decay[None, chosen],
    )  # fmt: skip
    return state, shown
