"""First part of a presentation: from the products of its inputs to rates and group statistics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import cuda

from neurosim.streaming.gpu.device import nonlinearity, team_sum
from neurosim.streaming.gpu.form import Form
from neurosim.streaming.gpu.memory import memory_of


def build_respond(form: Form) -> Any:
    """Device function that shows one trace to the neurons a thread owns.

    Barriers: none if a team fits into a warp, else two a group. Bytes read: one row of ``change``
    and one number of ``gram`` for every trace of the inner chunk so far, both shared by
    the block's threads through the cache next to them.
    """
    kind = np.dtype(form.dtype).type
    momentum, decays, grouped = form.momentum, form.decays, form.grouped
    leaky, memory, measured, divisive = form.leaky, form.memory, form.measured, form.divisive
    samples, history, threads = form.samples, form.history, form.threads
    groups, size, lanes, teams = threads.groups, threads.size, threads.lanes, threads.teams
    slots, rounds, each = threads.slots, threads.rounds, threads.each
    zero, inverse = kind(0), kind(1.0 / size)
    rate_of, gain_of = nonlinearity(form.code, form.dtype)
    sum_of, remember = team_sum(threads), memory_of(form.dtype)

    @cuda.jit(device=True)
    def correct(work, row, known, own, a):
        """Drive: the product at the start, and what the weights have changed since."""
        for j in range(slots):
            n = own[j]
            a[j] = zero
            if n >= 0:
                a[j] = work.start[row, n]
                if decays:
                    a[j] *= work.keep_w[n]
                if momentum:
                    a[j] += work.keep_v[n] * work.speed_start[row, n]
        c = 0
        while c + 4 <= known:  # four traces at a time, so that eight loads are under way
            g0, g1 = work.gram[row, c], work.gram[row, c + 1]
            g2, g3 = work.gram[row, c + 2], work.gram[row, c + 3]
            for j in range(slots):
                n = own[j]
                if n >= 0:
                    first = g0 * work.change[c, n] + g1 * work.change[c + 1, n]
                    second = g2 * work.change[c + 2, n] + g3 * work.change[c + 3, n]
                    a[j] += first + second
            c += 4
        while c < known:
            g0 = work.gram[row, c]
            for j in range(slots):
                n = own[j]
                if n >= 0:
                    a[j] += g0 * work.change[c, n]
            c += 1

    @cuda.jit(device=True)
    def normalize(work, target, row, s, settings, own, z, room):
        """Group statistics of trace s, and normalized rates to a row; see `ops.grouping`."""
        thread = cuda.threadIdx.x
        for j in range(rounds):
            group = thread // lanes + j * teams
            total = zero
            for k in range(each):
                if own[j * each + k] >= 0:
                    total += z[j * each + k]
            mean = sum_of(total, room[0]) * inverse
            squares = zero
            for k in range(each):
                if own[j * each + k] >= 0:
                    centred = z[j * each + k] - mean
                    z[j * each + k] = centred
                    squares += centred * centred
            u = (sum_of(squares, room[1]) + kind(settings.delta)) * inverse
            divisor = u ** kind(settings.p)
            for k in range(each):
                if own[j * each + k] >= 0:
                    target[row, own[j * each + k]] = z[j * each + k] / divisor
            if thread % lanes == 0 and thread // lanes < teams and group < groups:
                work.variance[s, group] = u
                work.power[s, group] = u / divisor

    @cuda.jit(device=True)
    def respond(work, times, settings, t, u, sample, own, z, room):
        row, step = t * samples + sample, times.step[u, sample]
        s, slope = history + row, kind(settings.slope)
        correct(work, row, history + t * samples, own, z)
        for j in range(slots):
            n = own[j]
            if n >= 0:
                work.start[row, n] = z[j]
                if leaky:
                    keep = kind(math.exp(-step / settings.leaky))
                    work.hidden[n] = z[j] + (work.hidden[n] - z[j]) * keep
                    z[j] = work.hidden[n]
                z[j] = rate_of(z[j], slope)
                work.rate[s, n] = z[j]
        if memory:
            for j in range(slots):
                if own[j] >= 0:
                    work.output[row, own[j]] = z[j]
            if divisive:
                normalize(work, work.output, row, s, settings, own, z, room)
            rest = measured and times.at_rest[u, sample] and step > 0.0
            for j in range(slots):
                n = own[j]
                if n >= 0:
                    if rest:
                        work.background[n] = work.rate[s, n]
                    work.memory[n], z[j] = remember(
                        settings, work.memory[n], work.rate[s, n], work.background[n], step
                    )
                    work.rate[s, n] = z[j]
        for j in range(slots):
            if own[j] >= 0:
                work.gain[s, own[j]] = gain_of(z[j], slope)
        if grouped:
            normalize(work, work.normalized, s, s, settings, own, z, room)

    return respond
