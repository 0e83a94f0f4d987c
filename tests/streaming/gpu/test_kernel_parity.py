"""The GPU's engine does what the reference does: every rule, level, sharing out and cut."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
import pytest

from neurosim.dynamics import LeakyIntegrator, MemoryTrace, SmoothedDerivative
from neurosim.layers import Dense
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import CODES, Nonlinearity
from neurosim.plasticity import RULES
from neurosim.streaming.circuit import LayerCircuit
from neurosim.streaming.continuous import Continuous
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.presentations import UNLABELLED, Presentations
from neurosim.streaming.third_factor import ThirdFactorCircuit
from neurosim.streaming.timeline import TwoPoint
from tests.streaming.users import Users

N_PRE, DURATION = 5, 0.1
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is shown to which layer, and by how many threads."""

    rule: str = "grouped"
    level: str = "two-point"
    momentum: float = 0.0
    decay: float = 0.0
    nonlinearity: str = "leaky_relu"
    n_post: int = 10
    grouping: Grouping | None = Grouping(groups=2)
    dtype: str = "float64"
    sigma: float = 1.5
    length: int = 6
    threads: int = 2
    cuts: tuple[int, ...] = (4, 2)

    def __str__(self) -> str:
        groups = f"{self.grouping.groups if self.grouping else 'no'} groups"
        parts = (self.rule, self.level, self.nonlinearity, groups, f"{self.threads} threads")
        ways = f"momentum {self.momentum} decay {self.decay} cuts {self.cuts}"
        return f"{' '.join(parts)} {ways} {self.n_post} {self.dtype}"

    @property
    def neurons(self) -> NeuronDynamics:
        memory = MemoryTrace(tau=0.01, scale=2.0, leak=0.01)
        return NeuronDynamics(
            leaky=LeakyIntegrator(tau=0.01) if "leaky" in self.level else None,
            memory=memory if "memory" in self.level else None,
            measured_background="forgetful" not in self.level,
        )

    @property
    def timeline(self):
        if self.level.startswith("two-point"):
            return TwoPoint(remembered=3 if self.level == "two-point of 3" else 1)
        return Continuous(
            derivative=SmoothedDerivative(c1=0.03, c2=300.0),
            duration=DURATION,
            shortest=DURATION * 0.8,
            gaps="gaps" in self.level,
            nodes=1 if self.neurons.sampled else 2,
            sampled=self.neurons.sampled,
            delay=0.02 if "delayed" in self.level else 0.0,
        )

    @property
    def circuit(self) -> LayerCircuit:
        rule = Users() if self.rule == "user's" else RULES[self.rule]()
        weights = Dense.draw(self.n_post, N_PRE, 2.0, np.random.default_rng(1), self.dtype)
        return LayerCircuit(
            layer=Dense(weights, Nonlinearity(name=self.nonlinearity, slope=0.1), self.grouping),
            rule=rule,
            third_factor=ThirdFactorCircuit(sigma=self.sigma, beta=0.05),
            neurons=self.neurons,
            momentum=self.momentum,
            weight_decay=self.decay,
            background=np.full(N_PRE, 0.2, self.dtype),
        )

    @property
    def shown(self) -> Presentations:
        rng = np.random.default_rng(2)
        labels = rng.integers(0, 3, self.length)
        labels[4:5] = UNLABELLED
        durations, gaps = np.full(self.length, DURATION), np.zeros(self.length)
        if "gaps" in self.level:
            durations *= rng.choice([0.8, 1.0, 1.7], self.length)
            gaps = rng.choice([0.0, 0.01, 0.05, 2.0], self.length)
        stimuli = rng.normal(size=(self.length, N_PRE)).astype(self.dtype)
        return Presentations(stimuli, labels, durations, gaps, rng.random(self.length) < 0.8)

    @property
    def eta(self) -> np.ndarray:
        rate = {"bcm": 0.05, "oja": 0.05, "hebb": 0.05, "grouped": 4.0}.get(self.rule, 0.5)
        rate *= 1 if "two" in self.level else 4  # a transient is shorter than a presentation
        return rate * (1 - self.momentum) * np.linspace(1, 0.5, self.length)


CASES = (
    # every rule, with every way to apply it
    *(Case(rule=rule) for rule in (*RULES, "user's")),
    *(Case(rule=rule, momentum=0.5, decay=0.3) for rule in ("grouped", "bcm", "user's")),
    *(Case(rule=rule, momentum=0.9) for rule in ("plain", "oja")),
    *(Case(rule=rule, decay=0.3) for rule in ("grouped", "hebb")),
    # every nonlinearity; groups that do not normalize; no groups
    *(Case(nonlinearity=name, n_post=4, rule="bcm") for name in CODES),
    Case(grouping=Grouping(groups=2, p=0.5, delta=0.3, divisive=False)),
    Case(grouping=None, rule="plain", momentum=0.9),
    Case(grouping=None, rule="hebb"),
    Case(grouping=None, rule="user's"),
    # every level
    Case(level="two-point of 3"),
    Case(level="two-point of 3", rule="plain", momentum=0.9, decay=0.3),
    Case(level="smoothed", cuts=(3, 1)),
    Case(level="smoothed with gaps", rule="user's", momentum=0.5, cuts=(5,)),
    Case(level="smoothed with gaps, delayed", rule="plain", decay=0.3),
    Case(level="leaky", length=4),
    Case(level="memory with gaps", length=4, cuts=(2,)),
    Case(level="forgetful memory", rule="plain", grouping=None, length=4, momentum=0.5),
    Case(
        level="leaky memory with gaps",
        rule="oja",
        length=4,
        grouping=Grouping(divisive=False, groups=2),
    ),
    # every way to share neurons out: few threads, idle ones, uneven groups, several warps
    *(Case(threads=threads, n_post=12, grouping=Grouping(groups=3)) for threads in (1, 4, 16)),
    Case(threads=16, n_post=14, grouping=Grouping(groups=7)),
    Case(threads=32, n_post=80, grouping=Grouping(groups=40), length=4),
    *(
        Case(threads=64, n_post=80, rule=rule, grouping=grouping, sigma=9.0, length=3)
        for rule, grouping in (
            ("plain", Grouping(groups=20)),
            ("grouped", Grouping(groups=20)),
            ("hebb", Grouping(groups=1)),
        )
    ),
    # cuts
    Case(cuts=(1,), rule="user's"),
    Case(cuts=(9,), momentum=0.5, decay=0.3),
    # single precision
    Case(dtype="float32", momentum=0.5, decay=0.3),
)
CHOSEN = (3, 0, 2, 3)


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case)) for case in CASES])
def test_the_kernel_gives_what_the_reference_gives(show, device, differences, case):
    circuit = case.circuit
    arguments = (circuit, case.timeline, case.shown, case.eta)
    expected = show(*arguments, chosen=CHOSEN)
    before = circuit.layer.weights
    moved = np.linalg.norm(expected[0]["weights"] - before) / np.linalg.norm(before)
    assert 0.005 < moved < 50, "weights that stay, or explode, would compare nothing"
    found = show(*arguments, cuts=case.cuts, chosen=CHOSEN, make=device.engine(case.threads))
    worst = differences(found, expected)
    assert max(worst.values()) < TOLERANCE[case.dtype], worst


def test_a_wrong_kernel_would_be_noticed(show, device, differences):
    """The tolerance tells circuits apart that differ in the fourth digit of one setting."""
    case = Case(length=6)
    other = replace(case.circuit, third_factor=ThirdFactorCircuit(sigma=1.5, beta=0.0501))
    expected = show(case.circuit, case.timeline, case.shown, case.eta)
    found = show(other, case.timeline, case.shown, case.eta, cuts=(3,), make=device.engine(2))
    assert differences(found, expected)["state weights"] > 1e3 * TOLERANCE["float64"]


def test_runs_repeat_bit_for_bit(show, device):
    case = Case(length=4)
    run = functools.partial(
        show, case.circuit, case.timeline, case.shown, case.eta, cuts=(9,),
        make=device.engine(case.threads),
    )  # fmt: skip
    one, other = run(), run()
    for name, array in one[0].items():
        np.testing.assert_array_equal(array, other[0][name])
