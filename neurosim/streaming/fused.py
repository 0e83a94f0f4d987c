"""The sequential part of a chunk, fused: what happens in one presentation.

A block of presentations starts from the products of its inputs with the weights and velocities at
its own start. What the weights have changed since is known through coefficients of the presynaptic
traces,

    W = keep_w * W0 + keep_v * V0 + change^T Q,      V = momentum^k V0 + speed^T Q,

so that the drive of presentation t is ``keep_w * (W0 x) + keep_v * (V0 x) + gram[t] @ change``.
The meaning of every line is that of `circuit.present`, its reference.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from neurosim.dynamics.memory import remember_row, start_remembering
from neurosim.dynamics.normalization import relax_into
from neurosim.ops.grouping import groups_row
from neurosim.ops.nonlinearity import gain_row, rate_row
from neurosim.streaming.compiled import FASTMATH, Scratch


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH, forceinline=True)
def _drive(constants, row, base, drive, speed_start, gram, known, sums):
    """drive <- keep_w * drive + keep_v * speed_start + gram @ change, for one trace."""
    n_post = drive.size
    change = sums.change
    shared = gram[row, base : base + known]
    if constants.decays:
        for n in range(n_post):
            drive[n] *= sums.keep_w[n]
    if constants.momentum > 0:
        for n in range(n_post):
            drive[n] += sums.keep_v[n] * speed_start[row, n]
    c = 0
    while c + 4 <= known:  # four traces at a time: the drive is read and written once for all
        g0, g1, g2, g3 = shared[c], shared[c + 1], shared[c + 2], shared[c + 3]
        c0, c1, c2, c3 = change[c], change[c + 1], change[c + 2], change[c + 3]
        for n in range(n_post):
            drive[n] += (g0 * c0[n] + g1 * c1[n]) + (g2 * c2[n] + g3 * c3[n])
        c += 4
    while c < known:
        g0 = shared[c]
        c0 = change[c]
        for n in range(n_post):
            drive[n] += g0 * c0[n]
        c += 1


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH, forceinline=True)
def _respond(constants, neurons, step, at_rest, drive, traces, s, group_signal, remembered, output):
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
    passed_on = normalized if constants.groups > 0 and constants.divisive else rate
    for n in range(output.size):  # an assignment of whole arrays takes three times as long
        output[n] = passed_on[n]
    if constants.memory:
        if at_rest and step > 0 and constants.measured:
            neurons.background[:] = rate
        remember_row(
            neurons.memory, remembered, rate, neurons.background, step / constants.memory_tau,
            constants.memory_leak, constants.memory_scale, rate,
        )  # fmt: skip
        if constants.groups > 0:
            groups_row(constants.p, constants.delta, rate, variance, group_signal, normalized)
    gain_row(constants.code, constants.slope, rate, gain)
    if constants.groups == 0:
        normalized[:] = rate
    if constants.compares == 1:
        traces.signal[s, :] = group_signal
    else:
        traces.signal[s, :] = rate


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH, forceinline=True)
def _third_factor(constants, plan, t, signal, mean, change, share, modulators, third):
    """Third factor of presentation t: fills ``share`` (R, signals) and ``modulators`` (R,)."""
    u = plan.geometry[t]
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


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH)
def make_scratch(constants, plan, width, start, memory):
    """Room for what one presentation computes and nobody keeps."""
    n_post, kind = start.shape[1], start.dtype
    instants, window = plan.filter.shape[1], plan.filter.shape[2]
    return Scratch(
        np.empty(constants.groups, kind), np.empty((instants, width), kind),
        np.empty((window, width), kind), np.empty(window), np.zeros(n_post, kind),
        np.empty(n_post, kind), np.empty(n_post, kind), np.empty(n_post, kind),
        start_remembering(memory, constants.memory_scale),
    )  # fmt: skip


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH, forceinline=True)
def respond(constants, plan, t, base, start, speed_start, gram, traces, neurons, sums, scratch,
            output):  # fmt: skip
    """Show presentation t: drive, rates and local variables of each of its traces."""
    samples, u = plan.at_rest.size, plan.geometry[t]
    history = plan.filter.shape[2] - samples
    known = history + t * samples - base
    for p in range(samples):
        row = t * samples + p
        drive = start[row]
        _drive(constants, row, base, drive, speed_start, gram, known, sums)
        _respond(constants, neurons, plan.step[u, p], plan.at_rest[p], drive, traces,
                 history + row, scratch.group_signal, scratch.remembered, output[row])  # fmt: skip


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH, forceinline=True)
def compare(constants, plan, t, traces, neurons, scratch, third):
    """Third factor of presentation t, and each trace's share in it, for rules that have one."""
    if constants.compares < 2:
        first, window = t * plan.at_rest.size, plan.filter.shape[2]
        _third_factor(constants, plan, t, traces.signal[first : first + window],
                      neurons.third_factor_mean, scratch.change, scratch.share, scratch.modulators,
                      third)  # fmt: skip


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH, forceinline=True)
def spread(constants, share, signal):
    """A trace's third-factor signal for every neuron: its own, or its group's."""
    size = signal.size // share.size
    if size == 1:
        signal[:] = share
    else:
        for g in range(share.size):
            signal[g * size : (g + 1) * size] = share[g]


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH)
def forget(constants, known, sums):
    """V <- momentum V, before the presentation's own changes are added."""
    momentum = sums.speed.dtype.type(constants.momentum)
    for c in range(known):
        speed = sums.speed[c]
        for n in range(speed.size):
            speed[n] *= momentum


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH)
def settle(constants, known, n_before, decay, sums):
    """W <- (1 - decay) W + V, on the coefficients of the traces known so far."""
    kind = decay.dtype.type
    for c in range(known):
        change, speed = sums.change[c], sums.speed[c]
        for n in range(decay.size):
            change[n] = (kind(1) - decay[n]) * change[n] + speed[n]
    power = kind(constants.momentum ** (n_before + 1))
    for n in range(decay.size):
        sums.keep_w[n] *= kind(1) - decay[n]
        sums.keep_v[n] = (kind(1) - decay[n]) * sums.keep_v[n] + power


@nb.njit(nogil=True, cache=True, fastmath=FASTMATH)
def average(constants, rate, neurons):
    """Running averages of the rate and its square."""
    part = rate.dtype.type(1.0 / constants.averages)
    for n in range(rate.size):
        neurons.mean_rate[n] += part * (rate[n] - neurons.mean_rate[n])
        neurons.mean_square[n] += part * (rate[n] * rate[n] - neurons.mean_square[n])
