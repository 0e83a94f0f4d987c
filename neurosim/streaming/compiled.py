"""What the fused engine passes around: constants, arrays, and a plasticity rule compiled."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numba as nb
import numpy as np

from neurosim.dynamics.memory import Remembered
from neurosim.plasticity import Local, PlasticityRule, ThirdFactor

FASTMATH = {"reassoc", "contract", "arcp"}


class Constants(NamedTuple):
    """Numbers of a layer, its circuit and its neurons; -1 or 0 switches a part off."""

    code: int
    slope: float
    groups: int
    p: float
    delta: float
    divisive: bool
    compares: int  # 0 rate, 1 group, 2 nothing
    sigma: float
    gamma: float
    averages: float
    momentum: float
    decay: float
    decays: bool
    leaky: float
    memory: bool
    memory_leak: float
    memory_tau: float
    memory_scale: float
    measured: bool
    recurrent: bool
    tau_mean: float
    tau_rate: float
    tau_pool: float
    pool_step: float


class Traces(NamedTuple):
    """Local variables of the window and the block, (H + N, ...): see `Local`."""

    rate: np.ndarray
    gain: np.ndarray
    normalized: np.ndarray
    signal: np.ndarray
    variance: np.ndarray


class Neurons(NamedTuple):
    """Per-neuron state that is carried from presentation to presentation; updated in place."""

    hidden: np.ndarray
    memory: np.ndarray
    background: np.ndarray
    pool_mean: np.ndarray
    pool_rate: np.ndarray
    pool_power: np.ndarray
    mean_rate: np.ndarray
    mean_square: np.ndarray
    third_factor_mean: np.ndarray


class Sums(NamedTuple):
    """What the block has done to the weights; see the module's equation."""

    change: np.ndarray
    speed: np.ndarray
    keep_w: np.ndarray
    keep_v: np.ndarray


class Records(NamedTuple):
    """What is written down: third factors (T, I, 4), and factors of chosen neurons.

    post : (T, R, K), decay : (T, K).
    """

    third: np.ndarray
    chosen: np.ndarray
    post: np.ndarray
    decay: np.ndarray


class Scratch(NamedTuple):
    """Room for what one presentation computes and nobody keeps."""

    group_signal: np.ndarray
    change: np.ndarray
    share: np.ndarray
    modulators: np.ndarray
    signal: np.ndarray
    post: np.ndarray
    decay: np.ndarray
    decayed: np.ndarray
    remembered: Remembered


@functools.lru_cache(maxsize=64)
def compile_rule(rule: type[PlasticityRule], dtype: str) -> Any:
    """A rule's `factors`, compiled to run over one trace of a whole layer."""
    factors = nb.njit(rule.factors, inline="always")
    kind = nb.from_dtype(np.dtype(dtype))
    vector = nb.types.Array(kind, 1, "C")
    numbers = nb.types.Array(nb.float64, 1, "C")
    signature = nb.void(
        vector, vector, vector, vector, vector, vector, nb.float64, nb.float64, numbers,
        vector, vector,
    )  # fmt: skip

    @nb.cfunc(signature, fastmath=FASTMATH)  # passed in a tenth of a njit's time
    def row(rate, gain, normalized, mean_rate, mean_square, signal, modulator, weight, constants,
            post, decay):  # fmt: skip
        pulse = kind(modulator)
        share = kind(weight)
        for n in range(rate.size):
            local = Local(rate[n], gain[n], normalized[n], mean_rate[n], mean_square[n])
            answer = factors(local, ThirdFactor(signal[n], pulse, share), constants)
            post[n] = answer.post
            decay[n] = answer.decay

    return row
