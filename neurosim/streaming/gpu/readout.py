"""The kernel of the read-outs: one thread block walks one replica's through an inner chunk.

What `readout.ReadOut` does, with the algebra of the layers: drives are products with the weights at
the start, corrected by what was learned since. A team of threads looks after a class; each of its
lanes owns every so many of the presentations learned from.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from neurosim.backend import Array
from neurosim.streaming.gpu.device import kernel_of, team_sum, warp_sum
from neurosim.streaming.gpu.threads import WARP, Threads, share_out


class ReadForm(NamedTuple):
    """Everything that is a constant inside the kernel.

    dtype : name of the weights' type. momentum, decays : whether there are any.
    threads : teams of threads, as if a class were a group with a neuron for every lane.
    """

    dtype: str
    momentum: bool
    decays: bool
    threads: Threads


class Reading(NamedTuple):
    """Arrays of a read-out of C classes; the leading axis, left out below, is the replica.

    start, speed_start : (N, C) products of N inputs with the weights and the velocities; gram :
        (N, N) inputs times inputs.
    change, speed : (N, C) coefficients of the inputs in weights and velocities.
    keep_w, keep_v : (C,), fading : (1,) what is left of weights and velocities at the start.
    bias, bias_velocity : (C,) of the state.
    lessons, rates, predicted : (T,) of a chunk. settings : (2,) momentum and decay.
    """

    start: Array
    speed_start: Array
    gram: Array
    change: Array
    speed: Array
    keep_w: Array
    keep_v: Array
    fading: Array
    bias: Array
    bias_velocity: Array
    lessons: Array
    rates: Array
    predicted: Array
    settings: Array


def share_classes(classes: int, most: int) -> Threads:
    """Classes shared out among at most so many threads: up to a warp each."""
    return share_out(classes * WARP, classes, most)


@functools.lru_cache(maxsize=64)
def build_reading(form: ReadForm) -> Any:
    """Kernel of a form, to be launched with one block of ``form.threads.total`` threads a replica.

    Its arguments are `Reading`, the number of the inner chunk's first presentation in the chunk,
    and how many it has. Barriers: one a presentation.
    """
    kind = np.dtype(form.dtype).type
    momentum, decays, threads = form.momentum, form.decays, form.threads
    classes, lanes, teams, rounds = threads.groups, threads.lanes, threads.teams, threads.rounds
    warp, total = threads.warp, threads.total
    zero, one = kind(0), kind(1)
    over_team, over_warp, best_of = team_sum(threads), warp_sum(warp, warp), _warp_best(warp)

    @cuda.jit(device=True)
    def respond(data, t, keep_w, keep_v, drive):
        """Drive of every class: the product at the start, and what was learned since."""
        team, lane = cuda.threadIdx.x // lanes, cuda.threadIdx.x % lanes
        for j in range(rounds):
            c = team + j * teams
            looks = team < teams and c < classes
            learned = zero
            if looks:
                for s in range(lane, t, lanes):
                    learned += data.gram[t, s] * data.change[s, c]
            learned = over_team(learned, drive)  # inside a warp: needs no room of its own
            if looks and lane == 0:
                a = data.start[t, c]
                if decays:
                    a *= keep_w
                if momentum:
                    a += keep_v * data.speed_start[t, c]
                drive[c] = a + learned + data.bias[c]

    @cuda.jit(device=True)
    def learn(data, t, error, c, lane, keep, pace):
        """V <- momentum V + error (x) input, W <- keep W + V, on the coefficients."""
        for s in range(lane, t, lanes):
            if momentum:
                data.speed[s, c] *= pace
                data.change[s, c] = keep * data.change[s, c] + data.speed[s, c]
            elif decays:
                data.change[s, c] *= keep
        if lane == t % lanes:
            data.change[t, c] = error
            if momentum:
                data.speed[t, c] = error
        if lane == 0:
            if momentum:
                error += pace * data.bias_velocity[c]
                data.bias_velocity[c] = error
            data.bias[c] += error

    def walk(replicas, first, count):
        b, thread = cuda.blockIdx.x, cuda.threadIdx.x
        data = Reading(
            replicas.start[b], replicas.speed_start[b], replicas.gram[b], replicas.change[b],
            replicas.speed[b], replicas.keep_w[b], replicas.keep_v[b], replicas.fading[b],
            replicas.bias[b], replicas.bias_velocity[b], replicas.lessons[b, first:],
            replicas.rates[b, first:], replicas.predicted[b, first:], replicas.settings[b],
        )  # fmt: skip
        pace, decay = data.settings[0], data.settings[1]
        drives = cuda.shared.array((2, classes), kind)
        keep_w, keep_v, power = one, zero, 1.0
        for t in range(count):
            drive = drives[t % 2]  # whoever is behind still looks at the other one
            respond(data, t, keep_w, keep_v, drive)
            cuda.syncthreads()
            top, best = best_of(drive)
            scale = zero
            for c in range(thread % warp, classes, warp):
                scale += kind(math.exp(drive[c] - top))
            scale = over_warp(scale)
            if thread == 0:
                data.predicted[t] = best
            eta, lesson = data.rates[t], data.lessons[t]
            keep = one
            if lesson >= 0:
                keep = kind(1.0 - eta * decay)
                power *= pace
                keep_w *= keep
                keep_v = keep * keep_v + kind(power)
            for j in range(rounds):
                c = thread // lanes + j * teams
                if thread // lanes < teams and c < classes:
                    if lesson >= 0:
                        share = kind(math.exp(drive[c] - top)) / scale
                        error = kind(eta * ((1.0 if c == lesson else 0.0) - share))
                        learn(data, t, error, c, thread % lanes, keep, kind(pace))
                    elif thread % lanes == t % lanes:
                        data.change[t, c] = zero
                        if momentum:
                            data.speed[t, c] = zero
        for c in range(thread, classes, total):
            data.keep_w[c], data.keep_v[c] = keep_w, keep_v
        if thread == 0:
            data.fading[0] = power

    return kernel_of(walk, total)


@functools.lru_cache(maxsize=8)
def _warp_best(warp: int) -> Any:
    """Device function: the largest of some numbers and the first place it is at; by every warp."""
    present = (1 << warp) - 1

    @cuda.jit(device=True)
    def best_of(numbers):
        lane = cuda.threadIdx.x % warp
        best = lane if lane < numbers.size else 0
        top = numbers[best]
        for c in range(lane + warp, numbers.size, warp):
            if numbers[c] > top:
                top, best = numbers[c], c
        distance = 1
        while distance < warp:
            number = cuda.shfl_xor_sync(present, top, distance)
            place = cuda.shfl_xor_sync(present, best, distance)
            if number > top or (number == top and place < best):
                top, best = number, place
            distance *= 2
        return top, best

    return best_of
