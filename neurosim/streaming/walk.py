"""One chunk through one layer: blocks of presentations, and matrix products between them."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from neurosim.streaming import fused
from neurosim.streaming.compiled import FASTMATH, Sums


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH)
def _begin(base, history, length, total):
    """A block's own sums: a part of the chunk's, with what is already there put aside."""
    n_post, kind = total.change.shape[1], total.change.dtype
    window = min(history, len(total.speed))
    aside = Sums(
        total.change[base : base + history].copy(),
        total.speed[base : base + window].copy(),
        np.empty(0, kind),
        np.empty(0, kind),
    )
    total.change[base : base + history] = 0
    total.speed[base : base + window] = 0
    reach = 0 if len(total.speed) == 0 else length
    sums = Sums(
        total.change[base : base + length],
        total.speed[base : base + reach],
        np.ones(n_post, kind),
        np.zeros(n_post, kind),
    )
    return sums, aside


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH)
def _carry(constants, before, n, base, total, sums, aside):
    """What a block of n did to the weights joins what the ``before`` ahead of it did."""
    history = len(aside.change)
    if len(total.speed) > 0:
        kind = total.change.dtype.type
        power, earlier = kind(constants.momentum**n), kind(constants.momentum**before)
        for c in range(base + history):
            inside = c >= base
            change = aside.change[c - base] if inside else total.change[c]
            speed = aside.speed[c - base] if inside else total.speed[c]
            for m in range(sums.keep_w.size):
                change[m] = sums.keep_w[m] * change[m] + sums.keep_v[m] * speed[m]
                speed[m] *= power
        for m in range(sums.keep_w.size):
            total.keep_v[m] = sums.keep_w[m] * total.keep_v[m] + sums.keep_v[m] * earlier
            total.keep_w[m] *= sums.keep_w[m]
        total.speed[base : base + history] += aside.speed
    total.change[base : base + history] += aside.change


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH)
def _catch_up(constants, before, known, start, speed_start, gram, total, product):
    """Bring a block's products from the chunk's initial weights to those after ``before`` shown."""
    shared = np.ascontiguousarray(gram[:, :known])
    if len(total.speed) > 0:
        power = start.dtype.type(constants.momentum**before)
        for row in range(start.shape[0]):
            for m in range(start.shape[1]):
                start[row, m] *= total.keep_w[m]
        for row in range(speed_start.shape[0]):
            for m in range(start.shape[1]):
                start[row, m] += total.keep_v[m] * speed_start[row, m]
                speed_start[row, m] *= power
        if constants.momentum > 0:
            np.dot(shared, total.speed[:known], product)
            speed_start += product
    np.dot(shared, total.change[:known], product)
    start += product


def _walk(
    rule,
    plan,
    constants,
    numbers,
    block,
    start,
    speed_start,
    gram,
    traces,
    neurons,
    total,
    output,
    records,
):
    presentations, samples = plan.geometry.size, plan.at_rest.size
    window = plan.filter.shape[2]
    history = window - samples
    n_post, kind = start.shape[1], start.dtype.type
    direct = total.speed.shape[0] == 0
    scratch = fused.make_scratch(
        constants, plan, traces.signal.shape[1], start, neurons.memory[: n_post * constants.memory]
    )
    product = np.empty((block * samples, n_post), start.dtype)
    for t0 in range(0, presentations, block):
        n = min(block, presentations - t0)
        base = t0 * samples
        length = history + n * samples
        if t0 > 0:
            now = slice(base, base + n * samples)
            _catch_up(constants, t0, base + history, start[now], speed_start[now], gram[now], total,
                      product[: n * samples])  # fmt: skip
        sums, aside = _begin(base, history, length, total)
        for t in range(t0, t0 + n):
            u, first = plan.geometry[t], (t - t0) * samples
            known = history + first + samples
            # 1. respond to every trace  2. compare with what was before
            fused.respond(constants, plan, t, base, start, speed_start, gram, traces, neurons, sums,
                          scratch, output)  # fmt: skip
            fused.compare(constants, plan, t, traces, neurons, scratch, records.third[t])
            # 3. the rule's factors, trace by trace, go where the weights are kept track of
            if not direct:
                fused.forget(constants, known, sums)
            target = sums.change if direct else sums.speed
            eta = kind(plan.eta[t])
            scratch.decayed[:] = kind(plan.eta[t] * constants.decay)
            for r in range(0 if constants.compares < 2 else history, window):
                s = base + first + r
                weight = 0.0 if r < history else plan.trace_weight[u, r - history]
                pulse = 0.0
                if constants.compares < 2:
                    pulse = scratch.modulators[r]
                    fused.spread(constants, scratch.share[r], scratch.signal)
                rule(traces.rate[s], traces.gain[s], traces.normalized[s], neurons.mean_rate,
                     neurons.mean_square, scratch.signal, pulse, weight, numbers, scratch.post,
                     scratch.decay)  # fmt: skip
                coefficient = target[first + r]
                for m in range(n_post):
                    coefficient[m] += eta * scratch.post[m]
                if constants.decays:
                    for m in range(n_post):
                        scratch.decayed[m] += eta * scratch.decay[m]
                for k in range(records.chosen.size):
                    records.post[t, r, k] = eta * scratch.post[records.chosen[k]]
            # 4. W <- (1 - decay) W + V
            if not direct:
                fused.settle(constants, known, t - t0, scratch.decayed, sums)
            for k in range(records.chosen.size):
                records.decay[t, k] = scratch.decayed[records.chosen[k]]
            if constants.averages > 0:
                fused.average(constants, traces.rate[base + first + window - 1], neurons)
        _carry(constants, t0, n, base, total, sums, aside)


_COMPILED: dict[str, Any] = {}


def walk(rule: Any, *arguments: Any) -> None:
    """Walk a chunk; compiled once per float type, for any rule `compiled.compile_rule` made.

    Parameters
    ----------
    rule : compiled rule
    *arguments
        plan, constants, numbers, block, start, speed_start, gram, traces, neurons, total, output,
        records: see `fused` and `compiled`. Arrays are worked on in place.
    """
    kind = str(arguments[4].dtype)
    if kind not in _COMPILED:
        signature = nb.void(nb.typeof(rule), *map(nb.typeof, arguments))
        compiler = nb.njit(signature, nogil=True, cache=True, fastmath=FASTMATH)
        _COMPILED[kind] = compiler(_walk)
    _COMPILED[kind](rule, *arguments)
