"""What a kernel is compiled for, and the arrays it works on."""

from __future__ import annotations

from typing import NamedTuple

from neurosim.backend import Array
from neurosim.plasticity import PlasticityRule
from neurosim.streaming.gpu.threads import Threads


class Form(NamedTuple):
    """Everything that is a constant inside a kernel; equal forms share one.

    rule : its `factors` become a device function.
    dtype : name of the weights' type.
    grouped, divisive : whether the layer has groups, and passes on what they normalize.
    code : `Nonlinearity.code`.
    compares : 0 rates, 1 group signals, 2 nothing.
    leaky, memory : whether neurons integrate their drive, and remember their rate.
    measured : whether the background of the memory is measured.
    averages, momentum, decays, records : whether there are any.
    samples, window, instants : traces a presentation (P), in the window (R), instants (I).
    threads : which thread owns which neurons.
    """

    rule: type[PlasticityRule]
    dtype: str
    grouped: bool
    divisive: bool
    code: int
    compares: int
    leaky: bool
    memory: bool
    measured: bool
    averages: bool
    momentum: bool
    decays: bool
    records: bool
    samples: int
    window: int
    instants: int
    threads: Threads

    @property
    def history(self) -> int:
        """Traces of the window that earlier presentations left, H."""
        return self.window - self.samples


class Settings(NamedTuple):
    """Numbers of `compiled.Constants`, in this order along the last axis of `Work.settings`."""

    slope: float
    p: float
    delta: float
    sigma: float
    gamma: float
    averages: float
    momentum: float
    decay: float
    leaky: float
    memory_leak: float
    memory_tau: float
    memory_scale: float


class Work(NamedTuple):
    """Arrays of one layer; the leading axis, left out below, is the replica.

    Of an inner chunk, with room for N traces and the H of the window before:

    start, speed_start : (N, n_post) products with the weights and the velocities at its start;
        ``start`` becomes the drive. gram : (N, H + N) inputs times presynaptic traces.
    output : (N, n_post) what the next layer sees, where neurons have a memory.
    rate, gain, normalized : (H + N, n_post); variance, power : (H + N, groups), u and u^(1-p),
        in the window before its deviation from the mean.
    change, speed, keep_w, keep_v : as in `compiled.Sums`. fading : (1,) what momentum leaves of
        the velocities.

    Of the state of a circuit, carried from one inner chunk to the next:

    trace_rate, trace_gain, trace_normalized, trace_signal : (H, n_post or groups).
    hidden, memory, background, mean_rate, mean_square, mean.

    Of a chunk of T presentations:

    third : (T, I, 4); post, decay : (T, R, K), (T, K).
    geometry, eta, teaching, gate : as in `Plan`, geometry into the matrices of all replicas.

    And what stays:

    settings, numbers : `Settings`; the rule's constants.
    place : (n_post,) index among the neurons whose factors are recorded, or -1.
    """

    start: Array
    speed_start: Array
    gram: Array
    output: Array
    rate: Array
    gain: Array
    normalized: Array
    variance: Array
    power: Array
    change: Array
    speed: Array
    keep_w: Array
    keep_v: Array
    fading: Array
    trace_rate: Array
    trace_gain: Array
    trace_normalized: Array
    trace_signal: Array
    hidden: Array
    memory: Array
    background: Array
    mean_rate: Array
    mean_square: Array
    mean: Array
    third: Array
    post: Array
    decay: Array
    geometry: Array
    eta: Array
    teaching: Array
    gate: Array
    settings: Array
    numbers: Array
    place: Array


class Times(NamedTuple):
    """The matrices of `Plan`, of all replicas one after the other, (U, ...).

    filter is of the weights' type, at_rest (U, P) bool, the others are float64.
    """

    filter: Array
    weight: Array
    mean_keep: Array
    mean_filter: Array
    trace_weight: Array
    step: Array
    at_rest: Array
