"""The sequential part of a chunk, fused: one walk over the presentations of a block.

The products of the block's inputs with the weights and velocities *at the block's start* are given.
What the weights have changed since is known through coefficients of the presynaptic traces,

    W = keep_w * W0 + keep_v * V0 + change^T Q,      V = momentum^k V0 + speed^T Q,

so that the drive of presentation t is ``keep_w * (W0 x) + keep_v * (V0 x) + gram[t] @ change``.
The meaning of every line is that of `circuit.present`, its reference.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numba as nb
import numpy as np

from neurosim.dynamics.memory import recall_memory, relax_memory
from neurosim.dynamics.normalization import relax_into
from neurosim.ops.grouping import groups_row
from neurosim.ops.nonlinearity import gain_row, rate_row
from neurosim.plasticity import Factors, Local, PlasticityRule, ThirdFactor

FASTMATH = {"reassoc", "contract", "arcp"}


class Constants(NamedTuple):
    """Numbers of a layer, its circuit and its neurons; -1 or 0 switches a part off."""

    code: int
    slope: float
    groups: int
    p: float
    delta: float
    divisive: bool
    compares: int  # 0 rate, 1 group, 2 nothing
    sigma: float
    gamma: float
    averages: float
    momentum: float
    decay: float
    decays: bool
    leaky: float
    memory: bool
    memory_leak: float
    memory_tau: float
    memory_scale: float
    measured: bool
    recurrent: bool
    tau_mean: float
    tau_rate: float
    tau_pool: float
    pool_step: float


class Traces(NamedTuple):
    """Local variables of the window and the block, (H + N, ...): see `Local`."""

    rate: np.ndarray
    gain: np.ndarray
    normalized: np.ndarray
    signal: np.ndarray
    variance: np.ndarray


class Neurons(NamedTuple):
    """Per-neuron state that is carried from presentation to presentation; updated in place."""

    hidden: np.ndarray
    memory: np.ndarray
    background: np.ndarray
    pool_mean: np.ndarray
    pool_rate: np.ndarray
    pool_power: np.ndarray
    mean_rate: np.ndarray
    mean_square: np.ndarray
    third_factor_mean: np.ndarray


class Sums(NamedTuple):
    """What the block has done to the weights; see the module's equation."""

    change: np.ndarray
    speed: np.ndarray
    keep_w: np.ndarray
    keep_v: np.ndarray


class Records(NamedTuple):
    """What is written down: third factors (T, I, 4), and factors of chosen neurons.

    post : (T, R, K), decay : (T, K).
    """

    third: np.ndarray
    chosen: np.ndarray
    post: np.ndarray
    decay: np.ndarray


@functools.lru_cache(maxsize=64)
def compile_rule(rule: type[PlasticityRule], dtype: str) -> Any:
    """A rule's `factors`, compiled to run over one trace of a whole layer."""
    factors = nb.njit(rule.factors, inline="always")
    kind = nb.from_dtype(np.dtype(dtype))
    vector = nb.types.Array(kind, 1, "C")
    numbers = nb.types.Array(nb.float64, 1, "C")
    signature = nb.void(
        vector, vector, vector, vector, vector, vector, nb.float64, nb.float64, numbers,
        vector, vector,
    )  # fmt: skip

    @nb.njit(signature, nogil=True, fastmath=FASTMATH)
    def row(rate, gain, normalized, mean_rate, mean_square, signal, modulator, weight, constants,
            post, decay):  # type: ignore[no-untyped-def] # fmt: skip
        pulse = kind(modulator)
        share = kind(weight)
        for n in range(rate.size):
            local = Local(rate[n], gain[n], normalized[n], mean_rate[n], mean_square[n])
            answer = factors(local, ThirdFactor(signal[n], pulse, share), constants)
            post[n] = answer.post
            decay[n] = answer.decay

    return row


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH)
def _drive(constants, row, start, speed_start, gram, known, sums, drive):  # type: ignore[no-untyped-def]
    """drive = keep_w * start + keep_v * speed_start + gram @ change, for one trace."""
    n_post = drive.size
    change = sums.change
    if constants.decays:
        for n in range(n_post):
            drive[n] = sums.keep_w[n] * start[row, n]
    else:
        for n in range(n_post):
            drive[n] = start[row, n]
    if constants.momentum > 0:
        for n in range(n_post):
            drive[n] += sums.keep_v[n] * speed_start[row, n]
    c = 0
    while c + 4 <= known:  # four traces at a time: the drive is read and written once for all
        g0, g1, g2, g3 = gram[row, c], gram[row, c + 1], gram[row, c + 2], gram[row, c + 3]
        c0, c1, c2, c3 = change[c], change[c + 1], change[c + 2], change[c + 3]
        for n in range(n_post):
            drive[n] += (g0 * c0[n] + g1 * c1[n]) + (g2 * c2[n] + g3 * c3[n])
        c += 4
    while c < known:
        g0 = gram[row, c]
        c0 = change[c]
        for n in range(n_post):
            drive[n] += g0 * c0[n]
        c += 1


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH)
def _respond(constants, neurons, step, at_rest, drive, traces, s, group_signal, output):  # type: ignore[no-untyped-def]
    """From drive to rate, output and the local variables of trace ``s``."""
    kind = drive.dtype.type
    rate, gain = traces.rate[s], traces.gain[s]
    normalized, variance = traces.normalized[s], traces.variance[s]
    if constants.leaky > 0:
        keep = kind(np.exp(-step / constants.leaky))
        for n in range(drive.size):
            neurons.hidden[n] = drive[n] + (neurons.hidden[n] - drive[n]) * keep
        rate_row(constants.code, constants.slope, neurons.hidden, rate)
    else:
        rate_row(constants.code, constants.slope, drive, rate)
    if constants.groups > 0:
        groups_row(constants.p, constants.delta, rate, variance, group_signal, normalized)
        if constants.recurrent:
            size = rate.size // constants.groups
            relax_into(
                neurons.pool_mean, neurons.pool_rate.reshape((constants.groups, size)),
                neurons.pool_power, rate.reshape((constants.groups, size)), step,
                constants.p, constants.delta, constants.tau_mean, constants.tau_rate,
                constants.tau_pool, constants.pool_step,
            )  # fmt: skip
            normalized[:] = neurons.pool_rate
            mean_power = 0.0
            for g in range(constants.groups):
                variance[g] = neurons.pool_power[g]
                power = float(variance[g]) ** (1 - constants.p)
                group_signal[g] = power
                mean_power += power / constants.groups
            for g in range(constants.groups):
                group_signal[g] -= kind(mean_power)
    if constants.groups > 0 and constants.divisive:
        output[:] = normalized
    else:
        output[:] = rate
    if constants.memory:
        if at_rest and step > 0 and constants.measured:
            neurons.background[:] = rate
        scale = constants.memory_scale
        for n in range(rate.size):
            deviation = scale * float(rate[n] - neurons.background[n])
            held = relax_memory(
                float(neurons.memory[n]), deviation, step / constants.memory_tau,
                constants.memory_leak,
            )  # fmt: skip
            neurons.memory[n] = held
            rate[n] = neurons.background[n] + recall_memory(held) / scale
        if constants.groups > 0:
            groups_row(constants.p, constants.delta, rate, variance, group_signal, normalized)
    gain_row(constants.code, constants.slope, rate, gain)
    if constants.groups == 0:
        normalized[:] = rate
    if constants.compares == 1:
        traces.signal[s, :] = group_signal
    else:
        traces.signal[s, :] = rate


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH)
def _third_factor(constants, plan, t, signal, mean, change, share, modulators, third):  # type: ignore[no-untyped-def]
    """Third factor of presentation t: fills ``share`` (R, signals) and ``modulators`` (R,)."""
    u = plan.index[t]
    instants, window = plan.filter.shape[1], plan.filter.shape[2]
    width = signal.shape[1]
    kind = signal.dtype.type
    before = mean[0]
    similarity = np.empty(instants)
    b2 = np.empty(instants)
    for i in range(instants):
        change[i, :] = kind(0)
        for r in range(window):
            if plan.filter[u, i, r] != 0.0:
                d = kind(plan.filter[u, i, r])
                for n in range(width):
                    change[i, n] += d * signal[r, n]
        b1 = kind(0)
        for n in range(width):
            b1 += change[i, n] * change[i, n]
        similarity[i] = np.exp(-float(b1) / (2 * constants.sigma**2))
        b2[i] = before
        if plan.gate[t, i] > 0:
            b2[i] = constants.gamma * plan.teaching[t, i] - 2 * similarity[i]
        third[i, 0] = b1
        third[i, 1] = b2[i]
    share[:] = kind(0)
    modulators[:] = 0.0
    for i in range(instants + 1):
        b3 = plan.mean_keep[u, i] * before
        for j in range(instants):
            b3 += plan.mean_filter[u, i, j] * b2[j]
        if i == instants:
            mean[0] = b3
            break
        m = -plan.gate[t, i] * (b2[i] - b3) * similarity[i] / constants.sigma**2
        third[i, 2] = b3
        third[i, 3] = m
        for r in range(window):
            w = plan.weight[u, i] * m * plan.filter[u, i, r]
            if w != 0.0:
                modulators[r] += w
                for n in range(width):
                    share[r, n] += kind(w) * change[i, n]


@nb.njit(nogil=True, fastmath=FASTMATH)
def _walk(rule, plan, constants, numbers, start, speed_start, gram, traces, neurons, sums, output,
          records):  # type: ignore[no-untyped-def] # fmt: skip
    presentations = plan.index.size
    samples = plan.at_rest.size
    window = plan.filter.shape[2]
    instants = plan.filter.shape[1]
    history = window - samples
    n_post = start.shape[1]
    kind = start.dtype.type
    width = traces.signal.shape[1]
    size = n_post // width
    direct = constants.momentum == 0 and not constants.decays
    change = np.empty((instants, width), start.dtype)
    share = np.empty((window, width), start.dtype)
    modulators = np.empty(window)
    signal = np.zeros(n_post, start.dtype)
    post = np.empty(n_post, start.dtype)
    decay = np.empty(n_post, start.dtype)
    decayed = np.empty(n_post, start.dtype)
    drive = np.empty(n_post, start.dtype)
    group_signal = np.empty(traces.variance.shape[1], start.dtype)
    for t in range(presentations):
        u = plan.index[t]
        first = t * samples
        for p in range(samples):
            _drive(constants, first + p, start, speed_start, gram, history + first, sums, drive)
            start[first + p] = drive
            _respond(constants, neurons, plan.step[u, p], plan.at_rest[p], drive, traces,
                     history + first + p, group_signal, output[first + p])  # fmt: skip
        seen = slice(first, first + window)
        if constants.compares < 2:
            _third_factor(constants, plan, t, traces.signal[seen], neurons.third_factor_mean,
                          change, share, modulators, records.third[t])  # fmt: skip
        # W <- (1 - decay) W + V,  V <- momentum V + dW; without either, dW goes straight to W
        known = history + first + samples
        target = sums.change if direct else sums.speed
        if not direct:
            for c in range(known):
                for n in range(n_post):
                    sums.speed[c, n] *= kind(constants.momentum)
        eta = kind(plan.eta[t])
        decayed[:] = kind(plan.eta[t] * constants.decay)
        for r in range(0 if constants.compares < 2 else history, window):
            s = first + r
            weight = 0.0 if r < history else plan.trace_weight[u, r - history]
            pulse = 0.0
            if constants.compares < 2:
                pulse = modulators[r]
                if size == 1:
                    signal[:] = share[r]
                else:
                    for g in range(width):
                        signal[g * size : (g + 1) * size] = share[r, g]
            rule(traces.rate[s], traces.gain[s], traces.normalized[s], neurons.mean_rate,
                 neurons.mean_square, signal, pulse, weight, numbers, post, decay)  # fmt: skip
            for n in range(n_post):
                target[s, n] += eta * post[n]
            if constants.decays:
                for n in range(n_post):
                    decayed[n] += eta * decay[n]
            for k in range(records.chosen.size):
                records.post[t, r, k] = eta * post[records.chosen[k]]
        if not direct:
            for c in range(known):
                for n in range(n_post):
                    sums.change[c, n] = (kind(1) - decayed[n]) * sums.change[c, n] + sums.speed[
                        c, n
                    ]
            power = kind(constants.momentum ** (t + 1))
            for n in range(n_post):
                sums.keep_w[n] *= kind(1) - decayed[n]
                sums.keep_v[n] = (kind(1) - decayed[n]) * sums.keep_v[n] + power
        for k in range(records.chosen.size):
            records.decay[t, k] = decayed[records.chosen[k]]
        if constants.averages > 0:
            rate = traces.rate[first + window - 1]
            part = kind(1.0 / constants.averages)
            for n in range(n_post):
                neurons.mean_rate[n] += part * (rate[n] - neurons.mean_rate[n])
                neurons.mean_square[n] += part * (rate[n] * rate[n] - neurons.mean_square[n])


_COMPILED: dict[str, Any] = {}


def walk(rule: Any, *arguments: Any) -> None:
    """Present a block; see `_walk`, which is compiled once per float type, for any rule."""
    kind = str(arguments[3].dtype)
    if kind not in _COMPILED:
        function = nb.types.FunctionType(rule.nopython_signatures[0])
        signature = nb.void(function, *(nb.typeof(a) for a in arguments))
        _COMPILED[kind] = nb.njit(signature, nogil=True, cache=True, fastmath=FASTMATH)(
            _walk.py_func
        )
    _COMPILED[kind](rule, *arguments)
