"""Where an inner chunk begins and ends: the window that is carried, and sums that begin at 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from neurosim.streaming.gpu.device import warp_sum
from neurosim.streaming.gpu.form import Form


def build_window(form: Form) -> tuple[Any, Any]:
    """Two device functions: one takes the window up at the beginning, one hands it on at the end.

    Without barriers: what others have written was behind one when it was compared.
    """
    kind = np.dtype(form.dtype).type
    grouped, by_group = form.grouped, form.compares == 1
    direct = not (form.momentum or form.decays)
    samples, history, threads = form.samples, form.history, form.threads
    groups, lanes, teams, rounds = threads.groups, threads.lanes, threads.teams, threads.rounds
    slots, warp = threads.slots, threads.warp
    parts = -(-groups // warp)
    zero, one, inverse = kind(0), kind(1), kind(1.0 / groups)
    sum_of = warp_sum(warp, warp)

    @cuda.jit(device=True)
    def take_up(work, count, own):
        for j in range(slots):
            n = own[j]
            if n >= 0:
                for h in range(history):
                    work.rate[h, n] = work.trace_rate[h, n]
                    work.gain[h, n] = work.trace_gain[h, n]
                    if grouped:
                        work.normalized[h, n] = work.trace_normalized[h, n]
                for c in range(history + count * samples):
                    work.change[c, n] = zero
                    if not direct:
                        work.speed[c, n] = zero
                work.keep_w[n], work.keep_v[n] = one, zero
        thread = cuda.threadIdx.x
        if by_group and thread % lanes == 0 and thread // lanes < teams:
            for j in range(rounds):
                g = thread // lanes + j * teams
                if g < groups:
                    for h in range(history):
                        work.power[h, g] = work.trace_signal[h, g]

    @cuda.jit(device=True)
    def hand_on(work, count, own):
        last, thread = count * samples, cuda.threadIdx.x
        for j in range(slots):
            n = own[j]
            if n >= 0:
                for h in range(history):
                    work.trace_rate[h, n] = work.rate[last + h, n]
                    work.trace_gain[h, n] = work.gain[last + h, n]
                    work.trace_normalized[h, n] = work.normalized[last + h, n]
                    if not by_group:
                        work.trace_signal[h, n] = work.rate[last + h, n]
        if by_group:
            for h in range(history):
                total = zero
                for k in range(parts):
                    g = thread % warp + k * warp
                    if g < groups:
                        total += work.power[last + h, g]
                mean = sum_of(total) * inverse
                for j in range(rounds):
                    g = thread // lanes + j * teams
                    if thread % lanes == 0 and thread // lanes < teams and g < groups:
                        work.trace_signal[h, g] = work.power[last + h, g] - mean

    return take_up, hand_on
