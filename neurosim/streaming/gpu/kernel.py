"""The kernel: one thread block walks one replica of a layer through an inner chunk.

In the usual case (grouped rule, groups of up to 32 neurons, no momentum) a presentation costs one
barrier, 2 log2(group) + 2 log2(32) shuffles, and reads (traces so far) x n_post numbers of the
coefficients. Threads own their neurons: nothing but group powers and sums passes between them.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import cuda

from neurosim.checks import require
from neurosim.streaming.gpu.device import kernel_of, settings_of
from neurosim.streaming.gpu.form import Form, Work
from neurosim.streaming.gpu.learn import build_learn
from neurosim.streaming.gpu.respond import build_respond
from neurosim.streaming.gpu.third import build_third
from neurosim.streaming.gpu.window import build_window

SHARED = 48 * 1024
"""Bytes of shared memory that a block may have."""


@functools.lru_cache(maxsize=64)
def build(form: Form) -> Any:
    """Kernel of a form, to be launched with one block of ``form.threads.total`` threads a replica.

    Its arguments are `Work`, `Times`, the number of the inner chunk's first presentation in the
    chunk, and how many it has; arrays are worked on in place. Raises `SettingError` if there are
    more instants than sums of warps fit into shared memory.
    """
    kind = np.dtype(form.dtype).type
    samples, instants, compares, threads = form.samples, form.instants, form.compares, form.threads
    groups, size, lanes, teams = threads.groups, threads.size, threads.lanes, threads.teams
    slots, rounds, each, warps = threads.slots, threads.rounds, threads.each, threads.warps
    width = instants * (rounds if compares == 1 else slots)
    rooms = instants if compares == 0 and warps > 1 else 1
    limit = SHARED // (2 * warps * kind().nbytes) - 1
    rule = f"have at most {limit} instants a presentation where rates are compared"
    require(rooms <= limit, "GpuStack.plans", rule, rooms, "Use fewer nodes, or a longer dt.")
    respond, third, learn = build_respond(form), build_third(form), build_learn(form)
    take_up, hand_on = build_window(form)

    @cuda.jit(device=True)
    def settle_down(own):
        """Which neurons are this thread's: of its team's groups, every so many."""
        team, lane = cuda.threadIdx.x // lanes, cuda.threadIdx.x % lanes
        for j in range(rounds):
            for k in range(each):
                g, n = team + j * teams, lane + k * lanes
                own[j * each + k] = g * size + n if team < teams and g < groups and n < size else -1

    def walk(replicas, times, first, count):
        b = cuda.blockIdx.x
        work = Work(
            replicas.start[b], replicas.speed_start[b], replicas.gram[b], replicas.output[b],
            replicas.rate[b], replicas.gain[b], replicas.normalized[b], replicas.variance[b],
            replicas.power[b], replicas.change[b], replicas.speed[b], replicas.keep_w[b],
            replicas.keep_v[b], replicas.fading[b],
            replicas.trace_rate[b], replicas.trace_gain[b], replicas.trace_normalized[b],
            replicas.trace_signal[b], replicas.hidden[b], replicas.memory[b],
            replicas.background[b], replicas.mean_rate[b], replicas.mean_square[b],
            replicas.mean[b],
            replicas.third[b, first:], replicas.post[b, first:], replicas.decay[b, first:],
            replicas.geometry[b, first:], replicas.eta[b, first:], replicas.teaching[b, first:],
            replicas.gate[b, first:],
            replicas.settings[b], replicas.numbers[b], replicas.place[b],
        )  # fmt: skip
        settings = settings_of(work.settings)
        own = cuda.local.array(slots, np.int32)
        z = cuda.local.array(slots, kind)
        decayed = cuda.local.array(slots, kind)
        changes = cuda.local.array(width, kind)
        pulse = cuda.local.array(instants, np.float64)
        of_teams = cuda.shared.array((2, warps), kind)
        of_warps = cuda.shared.array((2, rooms, warps), kind)
        settle_down(own)
        take_up(work, count, own)
        mean, power = work.mean[0], 1.0
        for t in range(count):
            u = work.geometry[t]
            power *= settings.momentum
            for sample in range(samples):
                respond(work, times, settings, t, u, sample, own, z, of_teams)
            if compares < 2:
                mean = third(work, times, settings.sigma, settings.gamma, mean, t, u, own, changes,
                             pulse, of_warps)  # fmt: skip
            learn(work, times, work.numbers, settings, t, u, power, own, changes, pulse, decayed)
        hand_on(work, count, own)
        if cuda.threadIdx.x == 0:
            work.fading[0] = power
            if compares < 2:
                work.mean[0] = mean

    return kernel_of(walk, threads.total)
