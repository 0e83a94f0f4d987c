"""Whole simulations on a device: the same as on the CPU, waiting for it only where they have to."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from neurosim import (
    DatasetStream,
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
from neurosim.backend import cupy_or_none, device_of, to_device
from neurosim.checks import DivergenceError, SettingError
from neurosim.cli import main
from neurosim.dynamics import RecurrentNormalization, SmoothedDerivative
from neurosim.ops.grouping import Grouping
from neurosim.optimizers import Schedule
from neurosim.plasticity import GroupedGaussian, Hebb
from neurosim.streaming import ongpu
from neurosim.streaming.continuous import Continuous
from neurosim.streaming.gpu import kernel, layers, meeting
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.presentations import gather
from neurosim.streaming.rehearsal import rehearse
from neurosim.streaming.third_factor import ThirdFactorCircuit

N_INPUTS, N_CLASSES, N = 4, 3, 8
RNG = np.random.default_rng(3)
LABELS = RNG.integers(0, N_CLASSES, N)
STIMULI = 2 * np.eye(N_CLASSES, N_INPUTS)[LABELS] + RNG.normal(size=(N, N_INPUTS))
SMOOTHED = Continuous(
    derivative=SmoothedDerivative(c1=0.03, c2=300.0), duration=0.1, gaps=True, nodes=1
)
LEVELS = {
    "two-point": {"momentum": 0.5, "weight_decay": 0.01, "probes": True},
    "smoothed": {"timeline": SMOOTHED, "schedule": Schedule(rate=20.0)},
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Few threads, because the simulator's are slow, and chunks that are cut into inner ones."""
    small = functools.partial(meeting.GpuStack, inner=3, threads=2)
    monkeypatch.setattr(meeting, "GpuStack", small)


def build(place, level="two-point", widths=(4, 4), reads="all", course="exponential", **options):
    network = Network.dense(
        N_INPUTS, widths, N_CLASSES, Seeds(0), grouping=Grouping(groups=2), gain=2.5,
        reads=reads, dtype="float64",
    )  # fmt: skip
    learning = Learning(
        rule=GroupedGaussian(),
        third_factor=ThirdFactorCircuit(sigma=1.0, beta=0.05),
        readout=Schedule(rate=0.05, course=course),
        readout_momentum=0.3,
        readout_decay=0.01,
        **{"schedule": Schedule(rate=0.1, course=course)} | LEVELS[level],
    )
    options = {"chunk": 8 if level == "smoothed" else 4, "threads": 2} | options
    return Simulator(network.to(place), learning, Seeds(0), **options)


def stream(level="two-point", **options):
    gap = {"gap": 0.05, "jitter": 0.5} if level == "smoothed" else {}
    rng = np.random.default_rng(1)
    return DatasetStream(STIMULI, LABELS, epochs=1, rng=rng, duration=0.1, **gap, **options)


def learned(simulator):
    """Everything that a checkpoint holds, on the host."""
    from neurosim.streaming.snapshot import pack

    return pack(simulator._parts, simulator._health)


def assert_close(one, other, tolerance=1e-9):
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], rtol=tolerance, atol=tolerance, err_msg=name)


def record(path, simulator, shown, **settings):
    """A finished run, opened for reading."""
    record = RecordSettings(every=1, synapses=5, neurons=2, instants=(2, 4), **settings)
    recorder = Recorder.create(path, protocol="test", settings={}, seed=0, record=record)

    def evaluate(now):
        return now.accuracy(STIMULI, LABELS)

    with recorder:
        simulator.run(shown, recorder=recorder, evaluate=evaluate, evaluate_every=4)
        recorder.finish({}, simulator.network.to("cpu").parameters())
    return Run(path)


@pytest.mark.parametrize("level", LEVELS)
def test_a_run_on_the_device_is_the_run_on_the_cpu(device, tmp_path, level):
    here, there = build("cpu", level), build("gpu", level)
    with (
        record(tmp_path / "here.h5", here, stream(level)) as expected,
        record(tmp_path / "there.h5", there, stream(level)) as found,
    ):
        assert found.layers == expected.layers
        for layer in expected.layers:
            assert found.traces(layer) == expected.traces(layer)
            for name in expected.traces(layer):
                one, other = (run.trace(layer, name).values for run in (found, expected))
                np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6, err_msg=name)
        assert_close(found.events, expected.events)
        histories = [dict(run.history) for run in (found, expected)]
        for history in histories:
            del history["elapsed"]
        assert_close(*histories)
    assert there.findings == here.findings
    assert there.seconds == pytest.approx(here.seconds)
    assert_close(learned(there), learned(here))
    start = build("cpu", level).network.parameters()
    for name, array in there.network.to("cpu").parameters().items():
        assert np.abs(array - start[name]).max() > 1e-3, name


def test_nobody_waits_but_for_what_a_chunk_did(device):
    simulator, module = build("gpu"), cupy_or_none()
    if not hasattr(module, "fetches"):
        pytest.skip("only the pretend device counts")
    data = STIMULI, LABELS
    expected = simulator.accuracy(*data)
    assert expected == simulator.accuracy(*(to_device(array, "gpu") for array in data))
    assert expected == build("cpu").accuracy(*data)
    simulator.run(stream())  # after it all is where it stays
    module.sends = module.fetches = module.synchronisations = 0
    simulator.run(stream())
    chunks, layers, readouts = 2, 2, 3
    assert module.fetches == chunks
    assert module.synchronisations == layers  # norms of the weights, at the end
    assert module.sends == chunks + 1  # plans, and which samples are shown
    module.sends = module.synchronisations = 0
    simulator.accuracy(*data)
    assert (module.sends, module.synchronisations) == (0, readouts)


def test_an_interrupted_run_ends_like_one_that_was_not(device, tmp_path):
    whole = build("gpu")
    record(tmp_path / "whole.h5", whole, stream(), checkpoint_every=4).close()
    cut = build("gpu")
    settings = RecordSettings(every=1, synapses=5, neurons=2, instants=(2, 4), checkpoint_every=4)
    recorder = Recorder.create(
        tmp_path / "cut.h5", protocol="test", settings={}, seed=0, record=settings
    )

    def evaluate(now):
        if now.presentations == 8:
            raise KeyboardInterrupt
        return now.accuracy(STIMULI, LABELS)

    with recorder, pytest.raises(KeyboardInterrupt):
        cut.run(stream(), recorder=recorder, evaluate=evaluate, evaluate_every=4)
    again = build("gpu")
    with Recorder.resume(tmp_path / "cut.h5") as recorder:
        assert recorder.checkpoint.position["presentations"] == 4
        again.run(
            stream(), recorder=recorder, evaluate=lambda now: now.accuracy(STIMULI, LABELS),
            evaluate_every=4,
        )  # fmt: skip
        recorder.finish({}, again.network.to("cpu").parameters())
    assert_close(learned(again), learned(whole), 0)
    with Run(tmp_path / "whole.h5") as expected, Run(tmp_path / "cut.h5") as found:
        assert found.weights_digest == expected.weights_digest
        one, other = (run.trace("layer2", "weight").values for run in (found, expected))
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(found.history["accuracy"], expected.history["accuracy"])


def test_kernels_are_compiled_before_the_clock_starts(device, tmp_path, monkeypatch):
    used, before_the_first = set(), []

    def build_kernel(form):
        used.add(form)
        return kernel.build(form)

    monkeypatch.setattr(layers, "build", build_kernel)
    monkeypatch.setattr(ongpu, "_COMPILED", set())
    simulator = build("gpu", widths=(4,))
    start, draw = learned(simulator), simulator._parts.draw

    def drawing(*arguments):
        if not before_the_first:
            before_the_first.append(set(used))
            assert_close(learned(simulator), start, 0)
        return draw(*arguments)

    monkeypatch.setattr(simulator._parts, "draw", drawing)
    settings = RecordSettings(every=8, synapses=2)
    with Recorder.create(
        tmp_path / "a.h5", protocol="test", settings={}, seed=0, record=settings
    ) as recorder:
        simulator.run(stream(), recorder=recorder)
    assert len(used) == 2  # of a chunk that is recorded, and of one that is not
    assert before_the_first == [used]


def test_divergence_is_told_as_on_the_cpu(device):
    told = []
    for place in ("cpu", "gpu"):
        network = Network.dense(N_INPUTS, (3, 3), N_CLASSES, Seeds(0), dtype="float64", gain=2.0)
        learning = Learning(rule=Hebb(), schedule=Schedule(rate=3.0, course="constant"))
        simulator = Simulator(network.to(place), learning, Seeds(0), chunk=4, threads=1)
        shown = [Presentation(x, int(y)) for x, y in zip(STIMULI, LABELS, strict=True)]
        with pytest.raises(
            DivergenceError, match=r"layer2 diverged at presentation \d+; "
        ) as caught:
            simulator.run(IterableStream(shown * 4))
        told.append((str(caught.value), simulator.presentations))
    assert told[0] == told[1]


def test_a_closed_loop_on_the_device(device):
    here, there = (build(place, course="constant") for place in ("cpu", "gpu"))
    for x, y in zip(STIMULI[:3], LABELS, strict=False):
        one, other = (each.present(Presentation(x, int(y))) for each in (here, there))
        assert one.predicted == other.predicted
        for found, expected in zip(other.outputs, one.outputs, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-9)
    shown = gather([Presentation(x, int(y)) for x, y in zip(STIMULI, LABELS, strict=True)])
    assert_close(rehearse(there, shown), rehearse(here, shown))
    assert_close(learned(there), learned(here))


@pytest.mark.parametrize("place", ["cpu", "gpu"])
def test_drifting_images_are_the_same_on_both_devices(device, place):
    """Data of another type, on the device; the order and the moves are drawn once."""
    images = RNG.integers(0, 255, (N, N_INPUTS)).astype(np.uint8)
    rng = np.random.default_rng(2)
    one = DatasetStream(images, LABELS, epochs=2, rng=rng, drift=1, image=(2, 2))
    there = one.on(place)
    pairs = list(zip(one.chunks(3, 4), there.chunks(3, 4), strict=True))
    assert len(pairs) == 4
    for expected, found in pairs:
        assert device_of(found.stimuli) == place
        np.testing.assert_array_equal(
            to_device(found.stimuli, "cpu"), expected.stimuli, strict=True
        )
        np.testing.assert_array_equal(found.labels, expected.labels)
    assert there.length == 2 * N


def test_a_bad_sample_is_named_before_the_data_set_moves(device):
    bad = STIMULI.copy()
    bad[7, 2] = np.nan
    shown = DatasetStream(bad, LABELS, epochs=1, rng=np.random.default_rng(0))
    with pytest.raises(SettingError, match=r"DatasetStream.stimuli must be finite; .*\(7, 2\)"):
        build("gpu").run(shown)
    shown = [Presentation(x, int(y)) for x, y in zip(bad, LABELS, strict=True)]
    with pytest.raises(SettingError, match=r"must be finite; .* in presentation 7"):
        build("gpu", course="constant").run(IterableStream(shown))


def test_what_a_device_cannot_do_is_refused_at_once(device):
    with pytest.raises(SettingError, match=r"engine must be 'chunked' on a GPU; got 'reference'"):
        build("gpu", engine="reference")
    network = Network.dense(4, (4,), 3, Seeds(0), grouping=Grouping(groups=2)).to("gpu")
    circuit = RecurrentNormalization(group_size=2, p=0.2, delta=1.0)
    timeline = Continuous(derivative=SMOOTHED.derivative, sampled=True)
    learning = Learning(
        rule=GroupedGaussian(), neurons=NeuronDynamics(normalization=circuit), timeline=timeline
    )
    with pytest.raises(SettingError, match="normalization must be algebraic"):
        Simulator(network, learning, Seeds(0))
    shown = next(stream().on("gpu").chunks(0, 4))
    with pytest.raises(SettingError, match=r"stimuli must be on the CPU, as the network is; got"):
        build("cpu")._parts.draw(0, shown, np.zeros(4))
    with pytest.raises(SettingError, match=r"DatasetStream.stimuli, labels must be on the CPU"):
        DatasetStream(to_device(STIMULI, "gpu"), LABELS, epochs=1, rng=RNG)


def test_a_protocol_on_the_device(device, tmp_path):
    words = [
        *("pogodin2020_stream", "--dataset", "clusters", "--train", "12", "--epochs", "1"),
        *("--widths", "4", "--groups", "2", "--dtype", "float64", "--evaluations", "2"),
        *("--alignment", "8", "--quiet"),
    ]
    for place in ("cpu", "gpu"):
        assert main(["run", *words, "--device", place, "--out", str(tmp_path / place)]) == 0
    with Run(tmp_path / "cpu") as here, Run(tmp_path / "gpu") as there:
        assert there.device == "gpu"
        for name in ("layer1", "readout/weights"):
            np.testing.assert_allclose(there.weights(name), here.weights(name), rtol=1e-9)
        one, other = there.history["alignment_layer1"], here.history["alignment_layer1"]
        np.testing.assert_allclose(one, other, rtol=1e-9)
        assert there.summary["test_accuracy"] == here.summary["test_accuracy"]
