"""Networks of Pogodin & Latham 2020, shown a stream: settings, and the simulator they describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurosim import Learning, Network, Seeds, Simulator
from neurosim.checks import require, require_one_of
from neurosim.data import Dataset
from neurosim.dynamics import (
    LeakyIntegrator,
    MemoryTrace,
    RecurrentNormalization,
    SmoothedDerivative,
)
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.optimizers import Schedule
from neurosim.plasticity import RULES
from neurosim.streaming.continuous import Continuous
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.third_factor import ThirdFactorCircuit
from neurosim.streaming.timeline import Timeline, TwoPoint

Level = Literal["two-point", "smoothed", "memory"]


@dataclass(frozen=True, kw_only=True)
class Streaming:
    """A dense network that learns from a stream.

    Parameters
    ----------
    rule : str
        grouped or plain (the paper's), oja, bcm or hebb.
    level : {"two-point", "smoothed", "memory"}
        Fidelity in time.
    widths : tuple of int
        Neurons of each layer.
    nonlinearity : str
        identity, relu, leaky_relu, selu, softplus or tanh.
    slope : float
        Slope of leaky_relu below zero.
    groups : int
        Groups of neurons; 0 for none (not for the grouped rule).
    p : float
        Exponent of the divisive normalization.
    delta : float
        Offset of the group variance.
    gain : float
        Initial weights are uniform in +-gain / sqrt(inputs).
    sigma : float
        Width of the Gaussian similarity.
    gamma : float
        Weight of the teaching signal.
    beta : float
        Share of the newest value in the third factor's running mean.
    remembered : int
        Earlier presentations each one is compared with (two-point level).
    rate : float
        Initial learning rate of the layers.
    final : float
        Last learning rate as a fraction of the first.
    momentum : float
        Momentum of the layers.
    weight_decay : float
        Weight decay of the layers.
    readout_rate : float
        Initial learning rate of the read-out; it falls like the layers'.
    readout_momentum : float
        Momentum of the read-out.
    readout_decay : float
        Weight decay of the read-out.
    reads : {"last", "all"}
        Whether the read-out sees the last layer or all of them.
    probes : bool
        Train a read-out on every layer, to follow what each has learned.
    same_class : float
        Probability that a presentation shows the class of the one before; negative: samples are
        shuffled instead.
    duration : float
        Seconds a sample is shown.
    gap : float
        Seconds of rest between presentations.
    jitter : float
        Relative spread of the gaps.
    drift : int
        Images are moved by up to so many pixels, anew at every presentation.
    delay : float
        Seconds from onset to the teaching signal.
    c1 : float
        Delay of the smoothed derivative's peak, seconds.
    c2 : float
        Sharpness of the smoothed derivative, 1 / seconds.
    nodes : int
        Quadrature nodes between two events.
    dt : float
        Clock-driven with this time step (seconds); 0 is event-driven.
    tau : float
        Time constant of leaky integration, seconds; 0: rates are instantaneous.
    recurrent : bool
        Divisive normalization as a recurrent circuit instead of algebraic.
    memory_tau : float
        Time constant of the memory, seconds.
    memory_scale : float
        Sensitivity of the memory; deviations well above 1 / scale are remembered.
    memory_leak : float
        Forgetting rate of the memory, in units of 1 / memory_tau.
    dtype : {"float32", "float64"}
        Precision.
    chunk : int
        Traces that pass a layer at once; 0: as many as suit the device. Affects speed, not results.
    threads : int
        Working threads; affect speed, not results.
    engine : {"chunked", "reference"}
        Fused, or sample by sample in NumPy.
    """

    rule: str = "grouped"
    level: Level = "two-point"
    widths: tuple[int, ...] = (1024, 1024, 1024)
    nonlinearity: str = "leaky_relu"
    slope: float = 0.01
    groups: int = 32
    p: float = 0.2
    delta: float = 1.0
    gain: float = 2.45
    sigma: float = 1.0
    gamma: float = 2.0
    beta: float = 0.01
    remembered: int = 1
    rate: float = 0.03
    final: float = 0.02
    momentum: float = 0.0
    weight_decay: float = 0.0
    readout_rate: float = 0.01
    readout_momentum: float = 0.0
    readout_decay: float = 0.0
    reads: Literal["last", "all"] = "last"
    probes: bool = True
    same_class: float = 0.5
    duration: float = 0.2
    gap: float = 0.0
    jitter: float = 0.0
    drift: int = 0
    delay: float = 0.0
    c1: float = 0.04
    c2: float = 200.0
    nodes: int = 4
    dt: float = 0.0
    tau: float = 0.0
    recurrent: bool = False
    memory_tau: float = 0.0005
    memory_scale: float = 5.0
    memory_leak: float = 0.0
    dtype: Literal["float32", "float64"] = "float32"
    chunk: int = 0
    threads: int = 2
    engine: Literal["chunked", "reference"] = "chunked"


def grouping(model: Streaming) -> Grouping | None:
    """Groups of every layer."""
    return Grouping(groups=model.groups, p=model.p, delta=model.delta) if model.groups else None


def neurons(model: Streaming, width: int) -> NeuronDynamics:
    """Dynamics of the neurons of a layer of ``width``."""
    groups = grouping(model)
    return NeuronDynamics(
        leaky=LeakyIntegrator(tau=model.tau) if model.tau else None,
        memory=MemoryTrace(leak=model.memory_leak, tau=model.memory_tau, scale=model.memory_scale)
        if model.level == "memory"
        else None,
        normalization=RecurrentNormalization(
            group_size=groups.size(width), p=model.p, delta=model.delta
        )
        if model.recurrent and groups
        else None,
    )


def timeline(model: Streaming, dynamics: NeuronDynamics) -> Timeline:
    """Where the network looks at time."""
    require_one_of("Streaming.level", model.level, ("two-point", "smoothed", "memory"))
    if model.level == "two-point":
        return TwoPoint(remembered=model.remembered)
    return Continuous(
        derivative=SmoothedDerivative(c1=model.c1, c2=model.c2),
        duration=model.duration,
        shortest=model.duration + model.gap * (1 - model.jitter),
        gaps=model.gap > 0,
        sampled=dynamics.sampled,
        delay=model.delay,
        nodes=model.nodes,
        dt=model.dt or None,
    )


def simulator(model: Streaming, data: Dataset, seeds: Seeds, device: str = "cpu") -> Simulator:
    """The simulator of a model for a data set and a device."""
    require_one_of("Streaming.rule", model.rule, RULES)
    require(len(model.widths) > 0, "Streaming.widths", "name at least one layer", model.widths)
    dynamics = neurons(model, model.widths[0])
    network = Network.dense(
        data.n_features,
        model.widths,
        data.n_classes,
        seeds,
        nonlinearity=Nonlinearity(name=model.nonlinearity, slope=model.slope),
        grouping=grouping(model),
        gain=model.gain,
        reads=model.reads,
        dtype=model.dtype,
    )
    learning = Learning(
        rule=RULES[model.rule](),
        timeline=timeline(model, dynamics),
        third_factor=ThirdFactorCircuit(sigma=model.sigma, gamma=model.gamma, beta=model.beta),
        neurons=dynamics,
        schedule=Schedule(rate=model.rate, final=model.final),
        momentum=model.momentum,
        weight_decay=model.weight_decay,
        readout=Schedule(rate=model.readout_rate, final=model.final),
        readout_momentum=model.readout_momentum,
        readout_decay=model.readout_decay,
        probes=model.probes,
    )
    return Simulator(
        network.to(device),
        learning,
        seeds,
        chunk=model.chunk,
        threads=model.threads,
        engine=model.engine,
    )
