"""Networks at once: each does what it does alone, and only what fits goes together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import pytest
from numba import cuda

from neurosim.backend import namespace
from neurosim.checks import SettingError
from neurosim.dynamics import MemoryTrace, RecurrentNormalization, SmoothedDerivative
from neurosim.layers import Dense
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.plasticity import BCM, Factors, PlainGaussian, PlasticityRule
from neurosim.streaming.circuit import LayerCircuit, present
from neurosim.streaming.continuous import Continuous
from neurosim.streaming.gpu import GpuStack, Member, Shows, traits
from neurosim.streaming.gpu.form import Form
from neurosim.streaming.gpu.kernel import build
from neurosim.streaming.gpu.products import Multiplier
from neurosim.streaming.gpu.threads import share_out
from neurosim.streaming.gpu.told import extent_of
from neurosim.streaming.gpu.wavefront import Wavefront
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.plan import Plan, Planner
from neurosim.streaming.presentations import Presentations
from neurosim.streaming.readout import ReadOut
from neurosim.streaming.third_factor import ThirdFactorCircuit
from neurosim.streaming.timeline import TwoPoint
from neurosim.testing.pretend import PretendDevice

SIMULATED = bool(cuda.config.ENABLE_CUDASIM)
N_PRE, WIDTHS, LENGTH, CLASSES = 4, (6, 3), 5, 3
SOURCES = {"readout": (0, 1), "layer1": (0,)}
TIMELINES = {
    "two": TwoPoint(remembered=2),
    "smoothed": Continuous(
        derivative=SmoothedDerivative(c1=0.03, c2=300.0), duration=0.1, gaps=True, nodes=1
    ),
    "memory": Continuous(
        derivative=SmoothedDerivative(c1=0.03, c2=300.0), duration=0.1, nodes=1, sampled=True
    ),
}


@dataclass(frozen=True, kw_only=True)
class Sliding(PlasticityRule):
    """The third factor on top of BCM, with numbers of its own."""

    compares: ClassVar[Literal["rate", "group", "nothing"]] = "group"
    averages: float = 5.0
    strength: float = 0.3

    def constants(self, layer):
        return (self.strength,)

    @staticmethod
    def factors(local, third, constants):
        slid = third.weight * local.rate * (local.rate - local.mean_square)
        return Factors(third.signal * local.normalized + constants[0] * slid, 0.0 * local.rate)


class Part(NamedTuple):
    """Presentations of one network, and what its read-outs are told."""

    plan: Plan
    inputs: np.ndarray
    lessons: np.ndarray
    rates: np.ndarray


class One:
    """The k-th of networks that differ in every number, and what it is shown."""

    def __init__(
        self, k: int, level: str = "two", momentum: float = 0.3, length: int = LENGTH
    ) -> None:
        self.timeline, rng, self.length = TIMELINES[level], np.random.default_rng(k), length
        grouping = Grouping(groups=3, p=0.2 + 0.1 * k, delta=1.0 + k)
        memory = (
            MemoryTrace(tau=0.01 * (1 + k), scale=2.0, leak=0.01) if level == "memory" else None
        )
        background, self.circuits = np.full(N_PRE, 0.1 * k), list[LayerCircuit]()
        for n_post in WIDTHS:
            weights = Dense.draw(n_post, len(background), 2.0, rng, "float64")
            layer = Dense(
                weights, Nonlinearity(slope=0.1 * (k + 1)), grouping if n_post > 3 else None
            )
            self.circuits.append(LayerCircuit(
                layer=layer,
                rule=Sliding(averages=3.0 + k, strength=0.1 * (k + 1)),
                third_factor=ThirdFactorCircuit(sigma=1.0 + k, gamma=2.0 - 0.5 * k, beta=0.1),
                neurons=NeuronDynamics(memory=memory),
                momentum=momentum * (1 + 0.1 * k),
                weight_decay=0.1 * (k + 1),
                background=background,
            ))  # fmt: skip
            background = layer.respond(background, layer.drive(background)).output
        self.readout = ReadOut(
            n_classes=CLASSES, momentum=momentum / (k + 1), weight_decay=0.5 * momentum * (k + 1)
        )
        window = (self.timeline.n_window - 1) * self.timeline.n_traces
        self.states = [circuit.start(window) for circuit in self.circuits]
        self.readouts = {
            name: self.readout.start(sum(WIDTHS[j] for j in seen), np.dtype("float64"))
            for name, seen in SOURCES.items()
        }
        for state in self.readouts.values():
            state["weights"][:] = rng.normal(size=state["weights"].shape)
        gaps = rng.choice([0.0, 0.05, 2.0], length) if level == "smoothed" else np.zeros(length)
        self.shown = Presentations(
            rng.normal(size=(length, N_PRE)), rng.integers(0, CLASSES, length),
            np.full(length, 0.1), gaps,
        )  # fmt: skip
        self.lessons = np.where(np.arange(length) == k + 1, -1, self.shown.labels)
        self.rates = np.linspace(0.3, 0.1, length) * (k + 1)
        self.eta = np.full(length, 0.2 * (k + 1))
        self.planner = Planner(self.timeline, 0.1, CLASSES)
        self.before = self.planner.start()

    def parts(self, *cuts: int) -> list[Part]:
        """What is shown, cut into chunks."""
        found, first = [], 0
        for cut in cuts:
            rows = slice(first, first := first + cut)
            some = Presentations(*(None if a is None else a[rows] for a in self.shown))
            plan, self.before = self.planner.plan(self.before, some, self.eta[rows])
            rest, stimuli = self.circuits[0].background, some.stimuli[:, None, :]
            inputs = np.where(plan.at_rest[:, None], rest, stimuli).reshape(-1, N_PRE)
            found.append(Part(plan, inputs, self.lessons[rows], self.rates[rows]))
        return found

    def member(self, device) -> Member:
        states = [device.put(state) for state in self.states]
        return Member(self.circuits, states, self.readout, device.put(self.readouts), SOURCES)

    def alone(self, chosen: list[np.ndarray]):
        """State of layers and read-outs, what the layers did and predictions, by the reference."""
        states, readouts = list(self.states), self.readouts
        shown, predicted = [[] for _ in WIDTHS], {name: [] for name in SOURCES}
        for plan, inputs, lesson, rate in self.parts(*[1] * self.length):
            outputs = []
            for k, circuit in enumerate(self.circuits):
                states[k], did = present(circuit, states[k], plan, inputs, chosen[k])
                shown[k].append(did)
                inputs = did.output
                outputs.append(inputs[-1:])
            for name, seen in SOURCES.items():
                read = np.concatenate([outputs[k] for k in seen], axis=1)
                predicted[name] += self.readout.present(readouts[name], read, lesson, rate).tolist()
        return states, readouts, shown, predicted


def show(device, ones, cuts, chosen, **sizes):
    """Members after a stack was shown everything, and its answers by network and chunk."""
    members = [one.member(device) for one in ones]
    stack = GpuStack(members, **({"threads": 2, "inner": 2} | sizes))
    answers = [
        stack.present([
            Shows(*part, some) for part, some in zip(parts, chosen, strict=True)
        ]).wait()
        for parts in zip(*(one.parts(*cuts) for one in ones), strict=True)
    ]  # fmt: skip
    return members, list(zip(*answers, strict=True))


def arrays_of(device, member):
    """All arrays of a network, on the host."""
    states = {str(k): state for k, state in enumerate(member.states)} | member.readouts
    return {
        f"{part} {name}": array
        for part, state in states.items()
        for name, array in device.fetch(state).items()
    }


@pytest.mark.parametrize(
    ("level", "momentum", "cuts"),
    [("two", 0.3, (3, 2)), ("smoothed", 0.0, (1, 4)), ("memory", 0.3, (3,))],
)
def test_each_network_does_what_it_does_alone(device, level, momentum, cuts):
    chosen = [[np.array([5, 2, 5]), np.array([1])], None, [np.array([0]), np.array([2, 0])]]
    chosen = chosen[: 2 if level == "memory" else 3]
    ones = [One(k, level, momentum, sum(cuts)) for k in range(len(chosen))]
    members, answers = show(device, ones, cuts, chosen)
    for k, (member, answer, some) in enumerate(zip(members, answers, chosen, strict=True)):
        fresh = One(k, level, momentum, sum(cuts))
        initial = fresh.readouts["readout"]["weights"].copy()
        states, readouts, shown, predicted = fresh.alone(some or [np.zeros(0, int)] * 2)
        assert np.abs(states[1]["weights"] - fresh.circuits[1].layer.weights).max() > 1e-2
        assert np.abs(readouts["readout"]["weights"] - initial).max() > 1e-2
        reference = {str(j): state for j, state in enumerate(states)} | readouts
        pairs = {
            name: (array, reference[name.split()[0]][name.split()[1]])
            for name, array in arrays_of(device, member).items()
        }
        for name, expected in predicted.items():
            found = np.concatenate([part.predicted[name] for part in answer])
            np.testing.assert_array_equal(found, expected)
        for j, did in enumerate(shown):
            layers = [part.layers[j] for part in answer]
            drive, rate = (np.concatenate([getattr(d, n) for d in did]) for n in ("drive", "rate"))
            power = (drive**2).sum(axis=1) + (rate**2).sum(axis=1)
            ends = np.cumsum([len(layer.power) for layer in layers])[:-1]
            for layer, rates in zip(layers, np.split(rate, ends), strict=True):
                np.testing.assert_array_equal(layer.active, (rates > 0).any(axis=0))
            pairs |= {
                f"{j} power": (np.concatenate([layer.power for layer in layers]), power),
                f"{j} third": (
                    np.concatenate([layer.third for layer in layers]),
                    np.concatenate([d.third for d in did]),
                ),
            }
            assert all((layer.shown is None) == (some is None) for layer in layers)
            for name in ("output", "drive", "variance", "post", "decay") if some else ():
                pairs[f"{j} shown {name}"] = (
                    np.concatenate([getattr(layer.shown, name) for layer in layers]),
                    np.concatenate([getattr(d, name) for d in did]),
                )
        for name, (found, expected) in pairs.items():
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10, err_msg=name)


def test_a_network_that_diverged_leaves_the_others_alone(device):
    ones = [One(0), One(1)]
    ones[0].states[0]["weights"][1, 2] = np.nan
    members, answers = show(device, ones, (LENGTH,), [None, None])
    power = answers[0][0].layers[0].power
    assert not np.isfinite(power).any()
    expected, alone = show(device, [One(1)], (LENGTH,), [None])
    assert np.isfinite(alone[0][0].layers[1].power).all()
    found = arrays_of(device, members[1])
    for name, array in arrays_of(device, expected[0]).items():
        np.testing.assert_array_equal(found[name], array, name)


class AnyOrder(Wavefront):
    """Steps in some order that the events of a GPU would allow."""

    def pass_through(self):
        rng, done, number = np.random.default_rng(3), set(), len(self._items)
        waiting = [(k, c) for k in range(len(self._lanes)) for c in range(number)]
        while waiting:
            ready = [step for step in waiting if self._needs(*step) <= done]
            k, c = ready[rng.integers(len(ready))]
            self._lanes[k].step(self._items[c])
            done.add((k, c))
            waiting.remove((k, c))

    def _needs(self, k, c):
        ago = c - self._slots
        needs = {(k, c - 1)} | {(other, c) for other in self._lanes[k].sees}
        needs |= {(f, ago) for f, lane in enumerate(self._lanes) if k in lane.sees}
        return {(lane, item) for lane, item in needs if item >= 0}


def test_lanes_may_be_apart_as_far_as_they_wait_for_one_another(device, monkeypatch):
    chosen = [[np.array([1]), np.array([0])]]
    expected, told = show(device, [One(0)], (LENGTH,), chosen, inner=1)
    monkeypatch.setattr("neurosim.streaming.gpu.course.Wavefront", AnyOrder)
    members, answers = show(device, [One(0)], (LENGTH,), chosen, inner=1)
    found = arrays_of(device, members[0])
    for name, array in arrays_of(device, expected[0]).items():
        np.testing.assert_array_equal(found[name], array, name)
    for name, array in told[0][0].predicted.items():
        np.testing.assert_array_equal(answers[0][0].predicted[name], array)
    for one, other in zip(answers[0][0].layers, told[0][0].layers, strict=True):
        np.testing.assert_array_equal(one.power, other.power)
        np.testing.assert_array_equal(one.shown.output, other.shown.output)


@pytest.mark.skipif(SIMULATED, reason="the simulator has no graphs")
def test_a_graph_does_what_it_was_captured_from(device):
    cuts = (1,) * LENGTH  # queued, captured, and launched thrice
    launched, _ = show(device, [One(0), One(1)], cuts, [None, None], threads=64)
    queued, _ = show(device, [One(0), One(1)], cuts, [None, None], threads=64, graphs=False)
    for one, other in zip(launched, queued, strict=True):
        found = arrays_of(device, one)
        for name, array in arrays_of(device, other).items():
            np.testing.assert_array_equal(found[name], array, name)


@pytest.mark.skipif(not SIMULATED, reason="looks into pretend arrays")
def test_a_shape_that_comes_again_needs_no_memory_and_nobody_to_wait(device, monkeypatch):
    """What is captured must not allocate, and the host must not wait in between."""
    # without cuBLAS a product that is added needs room in between
    monkeypatch.setattr(Multiplier, "__call__", _multiply)
    one, made, traffic = One(0), [], namespace(device.put(np.zeros(1)))
    member = one.member(device)
    stack = GpuStack([member], threads=4, inner=2)
    places = {name: array._values.ctypes.data for name, array in member.states[0].items()}
    outside = PretendDevice.outside
    monkeypatch.setattr(
        PretendDevice, "outside", lambda self, value: made.append(value) or outside(self, value)
    )
    counts = []
    for part in one.parts(3, 1, 1):
        shows = Shows(part.plan, device.put(part.inputs), *part[2:], None)
        extent = extent_of([shows], 1)
        course = stack._course(extent, stack._matrices_for(extent, [shows]))
        course.run()
        made.clear()
        course.run()
        owned = [value for value in made if isinstance(value, np.ndarray) and value.flags.owndata]
        assert not owned
        before = traffic.sends
        pending = stack.present([shows])
        counts.append(traffic.sends - before)
        assert (traffic.fetches, traffic.synchronisations) == (0, 0)
    pending.wait()
    assert traffic.fetches == 1
    assert counts == [2, 2, 1], "orders are sent each time, matrices when they change"
    assert places == {name: array._values.ctypes.data for name, array in member.states[0].items()}


def _multiply(self, out, one, other, *, add=False):
    target, one, other = (array._values for array in (out, one, other))
    target[...] = one @ other + (target if add else 0)


def test_what_a_state_is_set_to_is_what_goes_on(device):
    """A checkpoint is restored into the views that a stack has made of a state."""
    one, chosen = One(0), [None]
    first, _ = show(device, [one], (LENGTH,), chosen)
    other = One(0).member(device)
    stack = GpuStack([other], threads=4, inner=2)
    fresh = One(0)
    parts = fresh.parts(2, 3)
    stack.present([Shows(*parts[0], None)])
    held = arrays_of(device, other)
    stack.present([Shows(*parts[1], None)])
    states = {str(k): state for k, state in enumerate(other.states)} | other.readouts
    for name, array in held.items():
        part, _, entry = name.partition(" ")
        states[part][entry][...] = device.put(array)
    stack.present([Shows(*parts[1], None)])
    found = arrays_of(device, other)
    for name, array in arrays_of(device, first[0]).items():
        np.testing.assert_allclose(found[name], array, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"rule": BCM()}, "agree in rule of layer 1; got Sliding and BCM"),
        ({"momentum": 0.0}, "agree in whether there is momentum of layer 1"),
        ({"rule": Sliding(averages=0.0)}, "agree in whether there are averages of layer 1"),
        (
            {"layer": replace(One(1).circuits[0].layer, grouping=None)},
            r"agree in groups of layer 1; got \(3, True\) and \(0, False\)",
        ),
        (
            {"layer": replace(One(1).circuits[0].layer, weights=np.zeros((9, N_PRE)))},
            r"agree in shape of the weights of layer 1; got \(6, 4\) and \(9, 4\)",
        ),
    ],
)
def test_networks_that_compute_different_things_are_refused(device, other, said):
    one, two = One(0).member(device), One(1).member(device)
    assert traits(one) == traits(two), "numbers are their own"
    two = two._replace(circuits=[replace(two.circuits[0], **other), two.circuits[1]])
    assert traits(one) != traits(two)
    with pytest.raises(SettingError, match=said):
        GpuStack([one, two])


def test_recurrent_normalization_is_refused(device):
    one = One(0).member(device)
    pool = RecurrentNormalization(group_size=2, p=0.2)
    circuit = replace(one.circuits[0], neurons=NeuronDynamics(normalization=pool))
    with pytest.raises(SettingError, match=r"be algebraic; got Recurrent.* on the CPU\."):
        GpuStack([one._replace(circuits=[circuit, one.circuits[1]])])


@pytest.mark.parametrize("threads", [0, 3, 2048])
def test_threads_are_a_power_of_two(device, threads):
    with pytest.raises(SettingError, match=rf"power of two in \[1, 1024\]; got {threads}"):
        GpuStack([One(0).member(device)], threads=threads)


def test_more_instants_than_fit_into_shared_memory_are_refused():
    form = Form(
        rule=PlainGaussian, dtype="float64", grouped=False, divisive=False, code=0, compares=0,
        leaky=False, memory=False, measured=False, averages=False, momentum=False, decays=False,
        records=False, samples=1, window=2, instants=96, threads=share_out(1024, 0, 1024),
    )  # fmt: skip
    with pytest.raises(SettingError, match=r"at most 95 instants a presentation .*; got 96"):
        build(form)
    assert build(form._replace(instants=95)) is not None


def test_no_networks_are_refused():
    with pytest.raises(SettingError, match="one or more; got 0"):
        GpuStack([])


def test_chunks_that_do_not_fit_together_are_refused(device):
    ones = [One(0), One(1)]
    stack = GpuStack([one.member(device) for one in ones], threads=4)
    shows = [Shows(*one.parts(cut)[0], None) for one, cut in zip(ones, (2, 3), strict=True)]
    with pytest.raises(SettingError, match="shows must have as many presentations"):
        stack.present(shows)
    with pytest.raises(SettingError, match="shows must be 2; got 1"):
        stack.present(shows[:1])


def test_arrays_that_are_not_on_the_gpu_are_refused():
    one = One(0)
    member = Member(one.circuits, one.states, one.readout, one.readouts, SOURCES)
    with pytest.raises(SettingError, match=r"be on the GPU; got 'numpy arrays'. Move the network"):
        GpuStack([member])
