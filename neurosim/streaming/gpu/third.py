"""Second part: the change of the compared activity, and the third factor at every instant."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import cuda

from neurosim.streaming.gpu.device import warp_sum
from neurosim.streaming.gpu.form import Form


def build_third(form: Form) -> Any:
    """Device function that returns b3 after the presentation, or of None if nothing is compared.

    It fills ``changes``, the derivative signal of every group (or neuron) a thread looks after at
    every instant, and ``pulse``, the weight of the instant times M. Every thread computes the same
    scalars, in float64 where they are running means: cheaper than to wait for one that does.
    Barriers: one a presentation (none for rates inside a single warp).
    """
    kind = np.dtype(form.dtype).type
    by_group, instants, window = form.compares == 1, form.instants, form.window
    samples, threads = form.samples, form.threads
    groups, lanes, teams, rounds = threads.groups, threads.lanes, threads.teams, threads.rounds
    slots, warp, warps = threads.slots, threads.warp, threads.warps
    parts = -(-groups // warp)
    zero, inverse = kind(0), kind(1.0 / groups)
    sum_of = warp_sum(warp, warp)

    @cuda.jit(device=True)
    def seen(times, u, i, values, first, n):
        """Derivative signal at instant i of what a group or neuron did."""
        change = zero
        for r in range(window):
            change += times.filter[u, i, r] * values[first + r, n]
        return change

    @cuda.jit(device=True)
    def of_groups(work, times, t, u, changes, b1):
        """Change of the group signals; every warp sums over all groups on its own."""
        thread = cuda.threadIdx.x
        change = cuda.local.array(parts, kind)
        cuda.syncthreads()  # the groups of this presentation have been written
        for i in range(instants):
            total = zero
            for k in range(parts):
                g = thread % warp + k * warp
                if g < groups:
                    change[k] = seen(times, u, i, work.power, t * samples, g)
                    total += change[k]
            mean = sum_of(total) * inverse  # v is centred over groups, and so is its change
            squares = zero
            for k in range(parts):
                if thread % warp + k * warp < groups:
                    squares += (change[k] - mean) * (change[k] - mean)
            b1[i] = sum_of(squares)
            for j in range(rounds):
                g = thread // lanes + j * teams
                if thread // lanes < teams and g < groups:
                    own = seen(times, u, i, work.power, t * samples, g)
                    changes[i * rounds + j] = own - mean

    @cuda.jit(device=True)
    def of_rates(work, times, t, u, own, changes, b1, room):
        """Change of the rates; warps leave their sums for one another."""
        thread = cuda.threadIdx.x
        for i in range(instants):
            squares = zero
            for j in range(slots):
                if own[j] >= 0:
                    change = seen(times, u, i, work.rate, t * samples, own[j])
                    changes[i * slots + j] = change
                    squares += change * change
            b1[i] = sum_of(squares)
            if warps > 1 and thread % warp == 0:
                room[t % 2, i, thread // warp] = b1[i]
        if warps > 1:
            cuda.syncthreads()
            for i in range(instants):
                part = zero
                if thread % warp < warps:
                    part = room[t % 2, i, thread % warp]
                b1[i] = sum_of(part)

    @cuda.jit(device=True)
    def third(work, times, sigma, gamma, before, t, u, own, changes, pulse, room):
        b1 = cuda.local.array(instants, kind)
        similarity = cuda.local.array(instants, kind)
        b2 = cuda.local.array(instants, np.float64)
        if by_group:
            of_groups(work, times, t, u, changes, b1)
        else:
            of_rates(work, times, t, u, own, changes, b1, room)
        width = 1.0 / (sigma * sigma)
        for i in range(instants):
            similarity[i] = math.exp(b1[i] * kind(-0.5 * width))
            b2[i] = before
            if work.gate[t, i] > 0:
                b2[i] = gamma * work.teaching[t, i] - 2.0 * similarity[i]
        after = before
        for i in range(instants + 1):
            b3 = times.mean_keep[u, i] * before
            for k in range(instants):
                b3 += times.mean_filter[u, i, k] * b2[k]
            if i == instants:
                after = b3
            else:
                m = -work.gate[t, i] * (b2[i] - b3) * similarity[i] * width
                pulse[i] = times.weight[u, i] * m
                if cuda.threadIdx.x == 0:
                    work.third[t, i, 0] = b1[i]
                    work.third[t, i, 1] = b2[i]
                    work.third[t, i, 2] = b3
                    work.third[t, i, 3] = m
        return after

    return third
