"""The simulator: layers in a row, streams of all kinds, and what it does with bad ones."""

from __future__ import annotations

from itertools import count, cycle

import numpy as np
import pytest

from neurosim import (
    IterableStream,
    Learning,
    Network,
    Presentation,
    Recorder,
    RecordSettings,
    Run,
    Seeds,
    Simulator,
)
from neurosim.checks import DivergenceError, SettingError
from neurosim.dynamics import LeakyIntegrator, MemoryTrace, SmoothedDerivative
from neurosim.ops.grouping import Grouping
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.optimizers import Schedule
from neurosim.plasticity import GroupedGaussian, Hebb, PlainGaussian
from neurosim.streaming.continuous import Continuous
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.third_factor import ThirdFactorCircuit

N_INPUTS, N_CLASSES = 6, 3
LEVELS = {
    "two-point": {"momentum": 0.5, "weight_decay": 0.01},
    "memory": {
        "neurons": NeuronDynamics(memory=MemoryTrace(tau=0.002, scale=3.0)),
        "timeline": Continuous(
            derivative=SmoothedDerivative(c1=0.03, c2=300.0),
            duration=0.1,
            gaps=True,
            sampled=True,
            nodes=2,
        ),
    },
}


def build(level="two-point", widths=(12, 12, 9), reads="last", course="exponential", **options):
    network = Network.dense(
        N_INPUTS,
        widths,
        N_CLASSES,
        Seeds(0),
        grouping=Grouping(groups=3),
        gain=2.5,
        reads=reads,
        dtype="float64",
    )
    learning = Learning(
        rule=GroupedGaussian(),
        third_factor=ThirdFactorCircuit(sigma=1.0, beta=0.05),
        schedule=Schedule(rate=0.1, course=course),
        readout=Schedule(rate=0.05, course=course),
        readout_momentum=0.3,
        readout_decay=0.01,
        probes=True,
        **LEVELS[level],
    )
    return Simulator(network, learning, Seeds(0), **options)


def samples(n=90, gap=0.0):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, N_CLASSES, n)
    stimuli = 2 * np.eye(N_CLASSES, N_INPUTS)[labels] + rng.normal(size=(n, N_INPUTS))
    rests = gap * rng.choice([0.5, 1.0, 2.0], n)
    return [Presentation(x, int(y), 0.1, float(g))
            for x, y, g in zip(stimuli, labels, rests, strict=True)]  # fmt: skip


def parameters(simulator):
    """All weights, those of the read-outs on every layer included."""
    probes = {
        f"{name}/{key}": array
        for name, state in simulator._parts.readouts.items()
        for key, array in state.items()
    }
    return dict(simulator.network.parameters()) | probes


def assert_same(one, other, tolerance=0.0):
    assert one.keys() == other.keys()
    for name, array in one.items():
        assert np.abs(array - other[name]).max() <= tolerance * (1 + np.abs(array).max()), name


@pytest.fixture(params=LEVELS)
def level(request):
    return request.param


def run(level, **options):
    simulator = build(level, **options)
    few = level == "memory"  # which costs more: every presentation is 21 traces
    simulator.run(IterableStream(samples(40, gap=0.05) if few else samples()))
    return simulator


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_a_bit(level, threads):
    one = run(level, chunk=20, threads=1)
    other = run(level, chunk=20, threads=threads)
    assert_same(parameters(other), parameters(one))
    assert one.seconds == other.seconds


@pytest.mark.parametrize("reads", ["last", "all"])
def test_layers_in_chunks_are_layers_sample_by_sample(level, reads):
    expected = parameters(run(level, engine="reference", chunk=1, threads=1, reads=reads))
    start = build(level, reads=reads).network.parameters()
    assert all(np.abs(start[name] - expected[name]).max() > 1e-3 for name in start)
    for chunk in (1, 17, 1000):
        assert_same(parameters(run(level, chunk=chunk, reads=reads)), expected, 1e-10)


def test_one_presentation_after_the_other_is_a_run(level):
    shown = samples(20, gap=0.05 if level == "memory" else 0.0)
    one, other = (build(level, chunk=1, course="constant") for _ in range(2))
    responses = [one.present(presentation) for presentation in shown]
    other.run(IterableStream(shown))
    assert_same(parameters(one), parameters(other))
    assert one.presentations == 20
    assert one.seconds == pytest.approx(other.seconds)
    assert [output.shape for output in responses[0].outputs] == [(12,), (12,), (9,)]


def test_a_closed_loop_sees_what_the_network_has_just_learned():
    """The next stimulus depends on the response: a sample is shown until it is recognised."""
    simulator = build(widths=(12,))
    needed = []
    for target in samples(3):
        for attempt in count(1):
            if simulator.present(target).predicted == target.label or attempt == 50:
                break
        needed.append(attempt)
    assert max(needed) < 50
    assert sum(needed) == simulator.presentations > 3


def test_the_rate_falls_over_the_stream():
    """With weights and inputs that keep the rate at zero, weights are the sum of learning rates."""
    network = Network.dense(
        1, (2,), 2, Seeds(0), nonlinearity=Nonlinearity(name="identity"), dtype="float64"
    ).with_parameters(
        {
            "layer1": np.zeros((2, 1)),
            "readout/weights": np.zeros((2, 2)),
            "readout/bias": np.zeros(2),
        }
    )
    schedule = Schedule(rate=1e-9, course="exponential", final=0.1)
    learning = Learning(rule=Hebb(threshold=-1.0), schedule=schedule)
    simulator = Simulator(network, learning, Seeds(0), chunk=7)
    simulator.run(IterableStream([Presentation(np.ones(1), 0)] * 50))
    expected = (1e-9 * 0.1 ** (np.arange(50) / 50)).sum()
    np.testing.assert_allclose(simulator.network.layers[0].weights, expected, rtol=1e-6)


def test_evaluation_comes_at_the_end_of_the_chunk_that_reaches_it_and_at_the_end(tmp_path):
    seen = []

    def evaluate(now):
        seen.append(now.presentations)
        return {"accuracy": now.presentations / 100}

    recorder = Recorder.create(tmp_path / "a.h5", protocol="test", settings={}, seed=0)
    with recorder:
        simulator = build(chunk=8)
        stream = IterableStream(samples(90))
        simulator.run(stream, recorder=recorder, evaluate=evaluate, evaluate_every=30)
        recorder.finish({"presentations": 90}, simulator.network.parameters())
    assert seen == [32, 64, 90]
    with Run(tmp_path / "a.h5") as stored:
        assert list(stored.history["presentations"]) == seen
        np.testing.assert_allclose(stored.history["accuracy"], [0.32, 0.64, 0.9])
        np.testing.assert_array_equal(
            stored.weights("layer2"), simulator.network.parameters()["layer2"]
        )


def test_a_generator_without_an_end_runs_to_its_length():
    simulator, listed = build(chunk=16), build(chunk=16)
    simulator.run(IterableStream(cycle(samples(50)), length=70))
    listed.run(IterableStream((2 * samples(50))[:70]))
    assert simulator.presentations == 70
    assert_same(parameters(simulator), parameters(listed))
    with pytest.raises(SettingError, match=r"Schedule\.course must be constant.*Give the stream"):
        build().run(IterableStream(cycle(samples(50))))


def test_an_empty_stream_changes_nothing():
    simulator = build()
    simulator.run(IterableStream([]))
    assert simulator.presentations == 0
    assert_same(dict(simulator.network.parameters()), dict(build().network.parameters()))


def spoil(**changes):
    """Presentations of which number 40 is bad."""
    shown = samples(60)
    shown[40] = shown[40]._replace(**changes)
    return shown


NAN = np.where(np.arange(N_INPUTS) == 2, np.nan, 1.0)
BAD = {
    "NaN": ({"stimulus": NAN}, "Presentation.stimulus must be finite.*presentation 40"),
    "infinity": ({"stimulus": NAN * 0 + np.inf}, "Presentation.stimulus must be finite"),
    "too long": ({"stimulus": np.ones(7)}, "Presentation.stimulus must"),
    "an image": ({"stimulus": np.ones((2, 3))}, "Presentation.stimulus must be a vector"),
    "label 3": ({"label": 3}, r"Presentation.label must be in \[0, 3\)"),
    "label -2": ({"label": -2}, r"Presentation.label must be in \[0, 3\)"),
    "duration 0": ({"duration": 0.0}, "Presentation.duration must be"),
    "duration NaN": ({"duration": np.nan}, "Presentation.duration must be"),
    "negative gap": ({"gap": -0.1}, "Presentation.gap must"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_bad_presentation_is_named_and_what_came_before_is_kept(tmp_path, bad, threads):
    changes, words = BAD[bad]
    record = RecordSettings(every=1)
    recorder = Recorder.create(
        tmp_path / "a.h5", protocol="test", settings={}, seed=0, record=record
    )
    simulator = build(chunk=8, threads=threads)
    with recorder, pytest.raises(SettingError, match=words) as caught:
        simulator.run(IterableStream(spoil(**changes)), recorder=recorder)
    assert "\n" not in str(caught.value)
    with Run(tmp_path / "a.h5.partial") as stored:
        kept = stored.events["presentation"]
        np.testing.assert_array_equal(kept, np.arange(len(kept)))
        assert len(kept) == simulator.presentations
        assert len(kept) == 40 if threads == 1 else len(kept) <= 40


def test_all_stimuli_of_the_wrong_size_are_refused():
    wide = [p._replace(stimulus=np.ones(9)) for p in samples(4)]
    with pytest.raises(SettingError, match=r"have 6 values, one for each input.*got 9"):
        build().run(IterableStream(wide))
    with pytest.raises(SettingError, match="have 6 values"):
        build().present(wide[0])


@pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("engine", ["chunked", "reference"])
def test_divergence_is_stopped_with_its_place_and_the_file_is_readable(tmp_path, threads, engine):
    network = Network.dense(N_INPUTS, (8, 8), N_CLASSES, Seeds(0), dtype="float64", gain=2.0)
    learning = Learning(rule=Hebb(), schedule=Schedule(rate=0.1, course="constant"))
    simulator = Simulator(network, learning, Seeds(0), chunk=4, threads=threads, engine=engine)
    recorder = Recorder.create(tmp_path / "a.h5", protocol="test", settings={}, seed=0)
    with (
        recorder,
        pytest.raises(DivergenceError, match=r"layer2 diverged at presentation \d+; the last fin"),
    ):
        simulator.run(IterableStream(samples(400)), recorder=recorder, evaluate_every=8)
    shown = simulator.presentations
    assert 8 <= shown < 400
    with Run(tmp_path / "a.h5.partial") as stored:
        assert stored.status == "partial"
        assert list(stored.history["presentations"]) == list(range(8, shown + 1, 8))
        assert (np.diff(stored.history["layer2_growth"][:3]) > 0).all()
        assert stored.checkpoint.position["presentations"] == shown // 8 * 8


def test_parts_that_do_not_fit_are_refused():
    network = Network.dense(N_INPUTS, (8,), N_CLASSES, Seeds(0))
    learning = Learning(rule=PlainGaussian())
    for options, words in (
        ({"chunk": -1}, "Simulator.chunk must not be negative"),
        ({"threads": 0}, "Simulator.threads must be at least 1"),
        ({"engine": "fast"}, "Simulator.engine must be one of chunked, reference; got 'fast'"),
        ({"background": np.zeros(5)}, r"Simulator.background must be of shape \(6,\)"),
    ):
        with pytest.raises(SettingError, match=words):
            Simulator(network, learning, Seeds(0), **options)
    with pytest.raises(SettingError, match="GroupedGaussian needs a layer with groups"):
        Simulator(network, Learning(rule=GroupedGaussian()), Seeds(0))
    leaky = NeuronDynamics(leaky=LeakyIntegrator(tau=0.01))
    with pytest.raises(SettingError, match=r"Learning.timeline must be Continuous"):
        Learning(rule=PlainGaussian(), neurons=leaky)
    timeline = Continuous(derivative=SmoothedDerivative(c1=0.03, c2=300.0))
    with pytest.raises(SettingError, match=r"Continuous.sampled must be true"):
        Learning(rule=PlainGaussian(), neurons=leaky, timeline=timeline)
    simulator = Simulator(network, learning, Seeds(0))
    with pytest.raises(SettingError, match="evaluate_every"):
        simulator.run(IterableStream(samples(3)), evaluate_every=-1)
    with pytest.raises(SettingError, match="not be empty"):
        simulator.accuracy(np.zeros((0, N_INPUTS)), np.zeros(0, np.int64))
