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

    With T presentations, N = T * P traces and the H of the window before:

    start, speed_start : (N, n_post) products with the weights and the velocities at the chunk's
        start; ``start`` becomes the drive. gram : (N, H + N) inputs times presynaptic traces.
    output : (N, n_post) what the next layer sees, where neurons have a memory.
    rate, gain, normalized : (H + N, n_post); variance, power : (H + N, groups), u and u^(1-p),
        in the window before its deviation from the mean.
    change, speed, keep_w, keep_v : as in `compiled.Sums`.
    hidden, memory, background, mean_rate, mean_square, mean : as in the state of a circuit.
    third : (T, I, 4); post, decay : (T, R, K), (T, K).
    settings, numbers : `Settings`; the rule's constants.
    geometry, eta, teaching, gate : as in `Plan`, geometry into the matrices of all replicas.
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
    hidden: Array
    memory: Array
    background: Array
    mean_rate: Array
    mean_square: Array
    mean: Array
    third: Array
    post: Array
    decay: Array
    settings: Array
    numbers: Array
    geometry: Array
    eta: Array
    teaching: Array
    gate: Array


class Times(NamedTuple):
    """What all replicas share: the matrices of `Plan`, and where chosen neurons are recorded.

    filter is of the weights' type, at_rest bool, the others are float64; place : (n_post,) index
    among the chosen neurons, or -1.
    """

    filter: Array
    weight: Array
    mean_keep: Array
    mean_filter: Array
    trace_weight: Array
    step: Array
    at_rest: Array
    place: Array
