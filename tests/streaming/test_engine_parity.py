"""The chunked engine does what the reference does: every rule, level, chunk size and cut."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.dynamics import (
    LeakyIntegrator,
    MemoryTrace,
    RecurrentNormalization,
    SmoothedDerivative,
)
from neurosim.layers import Dense
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.plasticity import RULES
from neurosim.streaming.circuit import LayerCircuit
from neurosim.streaming.continuous import Continuous
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.presentations import UNLABELLED, Presentations
from neurosim.streaming.third_factor import ThirdFactorCircuit
from neurosim.streaming.timeline import TwoPoint
from tests.streaming.users import Users

N_PRE, N_POST, GROUPS, LENGTH = 7, 12, 3, 70
CUTS = (1, 2, 7, 32, 33, 128)  # a block holds 32 traces; none of them but 1, 2 and 7 divides LENGTH
DURATION = 0.1
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is shown to which layer."""

    rule: str = "grouped"
    level: str = "two-point"
    gaps: str = "none"
    momentum: float = 0.0
    decay: float = 0.0
    nonlinearity: str = "leaky_relu"
    grouping: Grouping | None = Grouping(groups=GROUPS)
    dtype: str = "float64"

    def __str__(self) -> str:
        parts = (self.rule, self.level, f"{self.gaps} gaps", self.nonlinearity, self.dtype)
        return f"{' '.join(parts)} momentum {self.momentum} decay {self.decay}"

    @functools.cached_property
    def neurons(self) -> NeuronDynamics:
        pool = RecurrentNormalization(group_size=N_POST // GROUPS, step=0.2)
        parts = {
            "memory": {"memory": MemoryTrace(tau=0.01, scale=2.0, leak=0.01)},
            "forgetful": {"memory": MemoryTrace(tau=0.02), "measured_background": False},
            "leaky": {"leaky": LeakyIntegrator(tau=0.01)},
            "recurrent": {"normalization": pool},
            "everything": {
                "leaky": LeakyIntegrator(tau=0.01),
                "memory": MemoryTrace(tau=0.01, scale=2.0),
                "normalization": pool,
            },
        }
        return NeuronDynamics(**parts.get(self.level, {}))

    @functools.cached_property
    def timeline(self):
        if self.level.startswith("two-point"):
            return TwoPoint(remembered=3 if self.level == "two-point of 3" else 1)
        return Continuous(
            derivative=SmoothedDerivative(c1=0.03, c2=300.0),
            duration=DURATION,
            shortest=DURATION * 0.8,
            gaps=self.gaps != "none",
            sampled=self.neurons.sampled,
            nodes=3,
            delay=0.02 if self.level == "delayed" else 0.0,
            dt=0.02 if self.level == "clock-driven" else None,
        )

    @functools.cached_property
    def circuit(self) -> LayerCircuit:
        rule = Users() if self.rule == "user's" else RULES[self.rule]()
        weights = Dense.draw(N_POST, N_PRE, 2.0, np.random.default_rng(1), self.dtype)
        return LayerCircuit(
            layer=Dense(weights, Nonlinearity(name=self.nonlinearity, slope=0.1), self.grouping),
            rule=rule,
            third_factor=ThirdFactorCircuit(sigma=1.5, beta=0.05),
            neurons=self.neurons,
            momentum=self.momentum,
            weight_decay=self.decay,
            background=np.full(N_PRE, 0.2, self.dtype),
        )

    @functools.cached_property
    def shown(self) -> Presentations:
        rng = np.random.default_rng(2)
        labels = rng.integers(0, 3, LENGTH)
        labels[::11] = UNLABELLED
        gaps = {
            "none": np.zeros(LENGTH),
            "fixed": np.full(LENGTH, 0.05),
            "random": rng.choice([0.0, 0.01, 0.05, 2.0], LENGTH),
        }[self.gaps]
        durations = np.full(LENGTH, DURATION)
        if self.gaps == "random":
            durations *= rng.choice([0.8, 1.0, 1.7], LENGTH)
        stimuli = rng.normal(size=(LENGTH, N_PRE)).astype(self.dtype)
        return Presentations(stimuli, labels, durations, gaps, rng.random(LENGTH) < 0.9)

    @functools.cached_property
    def eta(self) -> np.ndarray:
        """A rate that falls, and that makes every rule change the weights a good deal."""
        rate = {"bcm": 0.02, "oja": 0.02, "hebb": 0.01}.get(self.rule, 0.2)
        if RULES.get(self.rule, Users).compares != "nothing" and "two" not in self.level:
            rate *= 4  # a transient is shorter than a presentation
        return rate * (1 - self.momentum) * np.linspace(1, 0.5, LENGTH)


def pairs(*cases):
    return [pytest.param(case, id=str(case)) for case in cases]


CASES = [
    # every rule, with every way to apply it
    *(
        Case(rule=rule, momentum=momentum, decay=decay)
        for rule in (*RULES, "user's")
        for momentum, decay in ((0.0, 0.0), (0.9, 0.0), (0.0, 0.3), (0.5, 0.3))
    ),
    # every level, with every kind of gap; rules and ways to apply them in turn
    Case(level="two-point of 3"),
    Case(level="two-point of 3", rule="plain", momentum=0.9, decay=0.3),
    Case(level="two-point of 3", rule="user's", momentum=0.9),
    Case(level="smoothed"),
    Case(level="smoothed", rule="plain", gaps="fixed", momentum=0.9, decay=0.3),
    Case(level="smoothed", rule="user's", gaps="random", decay=0.3),
    Case(level="smoothed", rule="oja", gaps="random", momentum=0.9),
    Case(level="delayed", gaps="random"),
    Case(level="clock-driven", rule="plain", gaps="fixed"),
    Case(level="memory"),
    Case(level="memory", rule="plain", gaps="random", momentum=0.5),
    Case(level="memory", rule="user's", gaps="fixed", momentum=0.5, decay=0.3),
    Case(level="forgetful", rule="hebb", gaps="random"),
    Case(level="leaky"),
    Case(level="leaky", rule="plain", gaps="random", decay=0.3),
    Case(level="recurrent", momentum=0.9),
    Case(level="recurrent", rule="bcm", gaps="fixed"),
    Case(level="everything", gaps="random", momentum=0.5, decay=0.3),
    # every nonlinearity; groups that do not normalize; no groups
    *(
        Case(nonlinearity=name, rule=rule)
        for name in ("identity", "relu", "selu", "softplus", "tanh")
        for rule in ("grouped", "plain")
    ),
    Case(grouping=Grouping(groups=2, p=0.5, delta=0.3, divisive=False)),
    Case(grouping=None, rule="plain", momentum=0.9),
    Case(grouping=None, rule="plain", level="memory", gaps="fixed"),
    # single precision
    Case(dtype="float32", momentum=0.5, decay=0.3),
    Case(dtype="float32", level="memory", gaps="random", rule="plain"),
]


def differences(found, expected):
    """Largest difference in every array of state and record, relative to the array's size."""
    arrays = {f"state {name}": (found[0][name], array) for name, array in expected[0].items()}
    arrays |= {name: (getattr(found[1], name), array) for name, array in
               expected[1]._asdict().items()}  # fmt: skip
    return {
        name: float(np.abs(one - other).max() / (1 + np.abs(other).max()))
        for name, (one, other) in arrays.items()
        if other.size
    }


@pytest.mark.parametrize("case", pairs(*CASES))
def test_chunks_of_any_size_give_what_the_reference_gives(show, case):
    arguments = (case.circuit, case.timeline, case.shown, case.eta)
    expected = show(*arguments, chosen=(0, 4, 11))
    before = case.circuit.layer.weights
    moved = np.linalg.norm(expected[0]["weights"] - before) / np.linalg.norm(before)
    assert 0.02 < moved < 50, "weights that stay, or explode, would compare nothing"
    for size in CUTS:
        found = show(*arguments, cuts=(size,), chosen=(0, 4, 11))
        worst = differences(found, expected)
        assert max(worst.values()) < TOLERANCE[case.dtype], (size, worst)


HYPOTHESIS_CASES = (
    Case(),
    Case(rule="user's", momentum=0.9, decay=0.3),
    Case(level="two-point of 3", rule="plain", momentum=0.5),
    Case(level="smoothed", gaps="fixed"),
)


@functools.cache
def reference(show, case):
    return show(case.circuit, case.timeline, case.shown, case.eta)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(
    case=st.sampled_from(HYPOTHESIS_CASES),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=8),
)
def test_chunks_can_be_cut_anywhere(show, case, cuts):
    found = show(case.circuit, case.timeline, case.shown, case.eta, cuts=cuts)
    expected = reference(show, case)
    assert max(differences(found, expected).values()) < TOLERANCE[case.dtype]


@settings(deadline=None, max_examples=15, derandomize=True)
@given(block=st.integers(1, 50), case=st.sampled_from(HYPOTHESIS_CASES))
def test_the_size_of_a_block_does_not_matter(show, case, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("neurosim.streaming.chunked.BLOCK_TRACES", block)
        found = show(case.circuit, case.timeline, case.shown, case.eta, cuts=(53,))
    assert max(differences(found, reference(show, case)).values()) < 1e-10


def test_a_wrong_engine_would_be_noticed(show):
    """The tolerance tells circuits apart that differ in the fourth digit of one setting."""
    case = Case()
    other = replace(case.circuit, third_factor=ThirdFactorCircuit(sigma=1.5, beta=0.0501))
    expected = show(case.circuit, case.timeline, case.shown, case.eta)
    found = show(other, case.timeline, case.shown, case.eta, cuts=(33,))
    assert differences(found, expected)["state weights"] > 1e3 * TOLERANCE["float64"]
