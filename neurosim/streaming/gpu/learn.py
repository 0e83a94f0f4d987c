"""Third part: the rule's factors of every trace, added to what the chunk does to the weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from neurosim.plasticity import Local, ThirdFactor
from neurosim.streaming.gpu.form import Form
from neurosim.streaming.gpu.rules import device_rule


def build_learn(form: Form) -> Any:
    """Device function that changes the coefficients of the neurons a thread owns. No barriers."""
    kind = np.dtype(form.dtype).type
    factors = device_rule(form.rule)
    momentum, decays, direct = form.momentum, form.decays, not (form.momentum or form.decays)
    averages, records, taught = form.averages, form.records, form.compares < 2
    samples, history, window, instants = form.samples, form.history, form.window, form.instants
    first = 0 if taught else history
    slots, rounds, each = form.threads.slots, form.threads.rounds, form.threads.each
    # a neuron hears of its own change, or of its group's
    heard, shared = (rounds, each) if form.compares == 1 else (slots, 1)
    zero, one = kind(0), kind(1)

    @cuda.jit(device=True)
    def told(times, u, r, changes, pulse, slot):
        """Third factor times change, with the share of trace r in it."""
        signal = zero
        for i in range(instants):
            part = kind(pulse[i]) * times.filter[u, i, r]
            signal += part * changes[i * heard + slot // shared]
        return signal

    @cuda.jit(device=True)
    def add(work, s, n, step, speed):
        """One more term of the coefficient of trace s."""
        if direct:
            work.change[s, n] += step
        elif momentum:
            work.speed[s, n] = speed * work.speed[s, n] + step
        else:
            work.speed[s, n] = step

    @cuda.jit(device=True)
    def settle(work, t, power, speed, own, decayed):
        """W <- (1 - decay) W + V, on the coefficients of the traces known so far."""
        for c in range(history + (t + 1) * samples):
            touched = c >= t * samples + first
            for j in range(slots):
                n = own[j]
                if n >= 0:
                    step = zero
                    if touched:
                        step = work.speed[c, n]
                    elif momentum:
                        step = speed * work.speed[c, n]
                        work.speed[c, n] = step
                    work.change[c, n] = (one - decayed[j]) * work.change[c, n] + step
        for j in range(slots):
            n = own[j]
            if n >= 0:
                keep = one - decayed[j]
                work.keep_w[n] *= keep
                work.keep_v[n] = keep * work.keep_v[n] + kind(power)

    @cuda.jit(device=True)
    def learn(work, times, constants, settings, t, u, power, own, changes, pulse, decayed):
        eta, speed = kind(work.eta[t]), kind(settings.momentum)
        for j in range(slots):
            decayed[j] = kind(work.eta[t] * settings.decay)
        for r in range(first, window):
            s = t * samples + r
            weight = 0.0
            if r >= history:
                weight = times.trace_weight[u, r - history]
            modulator = zero
            if taught:
                for i in range(instants):
                    modulator += kind(pulse[i]) * times.filter[u, i, r]
            for j in range(slots):
                n = own[j]
                if n >= 0:
                    signal = zero
                    if taught:
                        signal = told(times, u, r, changes, pulse, j)
                    local = Local(
                        work.rate[s, n], work.gain[s, n], work.normalized[s, n],
                        work.mean_rate[n], work.mean_square[n],
                    )  # fmt: skip
                    answer = factors(local, ThirdFactor(signal, modulator, kind(weight)), constants)
                    step = eta * kind(answer.post)
                    add(work, s, n, step, speed)
                    if decays:
                        decayed[j] += eta * kind(answer.decay)
                    if records and work.place[n] >= 0:
                        work.post[t, r, work.place[n]] = step
        if not direct:
            settle(work, t, power, speed, own, decayed)
        for j in range(slots):
            n = own[j]
            if n >= 0:
                if records and work.place[n] >= 0:
                    work.decay[t, work.place[n]] = decayed[j]
                if averages:
                    part = kind(1.0 / settings.averages)
                    rate = work.rate[t * samples + window - 1, n]
                    work.mean_rate[n] += part * (rate - work.mean_rate[n])
                    work.mean_square[n] += part * (rate * rate - work.mean_square[n])

    return learn
