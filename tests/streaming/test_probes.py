"""What the probes write down is what happened, judged by the reference engine step by step."""

import time

import numpy as np
import pytest

from neurosim.checks import DivergenceError, SettingError
from neurosim.dynamics import MemoryTrace, SmoothedDerivative
from neurosim.network import Network
from neurosim.ops.grouping import Grouping
from neurosim.optimizers import Schedule
from neurosim.plasticity import BCM, GroupedGaussian, Oja, PlainGaussian
from neurosim.recording import Recorder, RecordSettings, Run
from neurosim.seeds import Seeds
from neurosim.streaming.continuous import Continuous
from neurosim.streaming.learning import Learning
from neurosim.streaming.neuron import NeuronDynamics
from neurosim.streaming.presentations import DatasetStream, Presentation
from neurosim.streaming.simulator import Simulator
from neurosim.streaming.third_factor import ThirdFactorCircuit
from neurosim.streaming.timeline import TwoPoint

N, PRE, WIDTHS = 25, 5, (6, 4)
RNG = np.random.default_rng(0)
STIMULI, LABELS = RNG.normal(size=(N, PRE)), RNG.integers(0, 3, N)
CLOSE = {"rtol": 2e-6, "atol": 2e-6}  # traces are kept in float32
SMOOTHED = Continuous(derivative=SmoothedDerivative(c1=0.02, c2=400.0), gaps=True, nodes=4)
MEMORY = Continuous(derivative=SMOOTHED.derivative, gaps=True, nodes=4, sampled=True)


def stream(gap=0.0):
    rng = np.random.default_rng(5)
    return DatasetStream(STIMULI, LABELS, epochs=1, rng=rng, gap=gap, jitter=0.5 if gap else 0.0)


def simulator(engine="chunked", *, rule=None, timeline=None, memory=None, rate=0.3, **options):
    network = Network.dense(
        PRE, WIDTHS, 3, Seeds(0), grouping=Grouping(groups=2), gain=2.0, dtype="float64"
    )
    learning = Learning(
        rule=rule or GroupedGaussian(), timeline=timeline or TwoPoint(),
        third_factor=ThirdFactorCircuit(sigma=1.0, beta=0.1),
        neurons=NeuronDynamics(memory=memory),
        schedule=Schedule(rate=rate, course="constant"),
        readout=Schedule(rate=0.1, course="constant"), **options,
    )  # fmt: skip
    return Simulator(network, learning, Seeds(0), chunk=7, threads=2, engine=engine)


def record(path, shown, simulated=None, **settings):
    """A finished run of the fast engine, opened for reading."""
    simulated = simulated or simulator()
    recorder = Recorder.create(
        path / "run.h5", protocol="test", settings={}, seed=0, record=RecordSettings(**settings)
    )
    with recorder:
        simulated.run(shown, recorder=recorder)
        recorder.finish({}, simulated.network.parameters())
    return Run(path / "run.h5")


def stepwise(simulated, shown):
    """Weights of both layers and outputs after each presentation, one after the other."""
    weights, outputs = [], []
    for one in shown.chunks(0, 1):
        response = simulated.present(
            Presentation(
                one.stimuli[0], int(one.labels[0]), float(one.durations[0]), float(one.gaps[0])
            )
        )
        outputs.append(response.outputs)
        weights.append([layer.weights.copy() for layer in simulated.network.layers])
    return weights, outputs


CASES = {
    "two-point": {},
    "momentum": {"momentum": 0.6},
    "decay": {"weight_decay": 0.2},
    "momentum and decay": {"momentum": 0.6, "weight_decay": 0.2},
    "oja": {"rule": Oja(), "momentum": 0.3},
    "remembered": {"timeline": TwoPoint(remembered=3)},
    "smoothed": {"timeline": SMOOTHED, "momentum": 0.3, "rate": 10.0},
    "memory": {"timeline": MEMORY, "memory": MemoryTrace(tau=5e-4, scale=2.0), "rate": 200.0},
}


@pytest.mark.parametrize("case", CASES)
def test_recorded_weights_are_those_of_the_reference_after_each_presentation(case, tmp_path):
    options = CASES[case]
    shown = stream(gap=0.1 if "timeline" in options and case != "remembered" else 0.0)
    weights, outputs = stepwise(simulator("reference", **options), shown)
    with record(tmp_path, shown, simulator(**options), every=1, synapses=9, neurons=3) as run:
        for k, layer in enumerate(("layer1", "layer2")):
            found = run.trace(layer, "weight")
            assert found.axes == ("presentation", "synapse")
            post, pre = found.coordinates["synapse"].T
            expected = np.array([step[k][post, pre] for step in weights])
            assert len({(a, b) for a, b in zip(post, pre, strict=True)}) == 9
            assert np.ptp(expected, axis=0).max() > 1e-3
            np.testing.assert_allclose(found.values, expected, **CLOSE)
            output = run.trace(layer, "output")
            expected = np.array([step[k] for step in outputs])[:, output.coordinates["neuron"]]
            np.testing.assert_allclose(output.values, expected, **CLOSE)


def test_a_two_point_step_is_made_of_the_recorded_factors(tmp_path):
    """Change of a weight: this presentation's factors, and the same of the one before."""
    simulated = simulator(rule=PlainGaussian())
    initial = simulated.network.layers[0].weights.copy()
    with record(tmp_path, stream(), simulated, every=1, synapses=30, neurons=6) as run:
        weight = run.trace("layer1", "weight")
        post, pre = weight.coordinates["synapse"].T
        presynaptic = run.trace("layer1", "presynaptic_factor").values
        postsynaptic = run.trace("layer1", "postsynaptic_factor").values
        rate, gain, change, third = (
            run.trace("layer1", name).values
            for name in ("rate", "gain", "derivative", "third_factor")
        )
    (whole,) = stream().chunks(0, N)
    np.testing.assert_allclose(presynaptic, whole.stimuli[:, pre], **CLOSE)
    np.testing.assert_allclose(change[1:], np.diff(rate, axis=0), rtol=0, atol=1e-5)
    expected = 0.3 * third[:, None] * (change * gain)[:, post]
    np.testing.assert_allclose(postsynaptic, expected, rtol=1e-4, atol=1e-5)
    earlier = -0.3 * third[1:, None] * (change[1:] * gain[:-1])[:, post] * presynaptic[:-1]
    steps = np.diff(np.vstack([initial[post, pre], weight.values]), axis=0)[1:]
    np.testing.assert_allclose(
        steps, (postsynaptic * presynaptic)[1:] + earlier, rtol=1e-3, atol=1e-4
    )


def test_group_signals_and_third_factors_are_consistent(tmp_path):
    with record(tmp_path, stream(), every=1, neurons=6) as run:
        b1, b2, b3, m, u, v, change, rate = (
            run.trace("layer1", name).values
            for name in ("b1", "b2", "b3", "third_factor", "u", "v", "derivative", "rate")
        )
    groups = Grouping(groups=2).evaluate(rate.astype(float))
    np.testing.assert_allclose(u, groups.variance, rtol=1e-5)
    np.testing.assert_allclose(v, groups.signal, rtol=0, atol=1e-5)
    np.testing.assert_allclose(change[1:], np.diff(v, axis=0), rtol=0, atol=1e-5)
    np.testing.assert_allclose(b1, (change**2).sum(axis=1), rtol=1e-4, atol=1e-8)
    k = np.exp(-b1 / 2)
    labels = run_labels()
    teaching = np.where(labels[1:] == labels[:-1], 1.0, -0.5)
    np.testing.assert_allclose(b2[1:], 2 * teaching - 2 * k[1:], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.diff(b3), 0.1 * (b2[1:] - b3[:-1]), rtol=0, atol=1e-5)
    np.testing.assert_allclose(m[1:], (-(b2 - b3) * k)[1:], rtol=1e-4, atol=1e-5)
    assert m[0] == 0  # nothing to compare the first one with


def run_labels():
    (whole,) = stream().chunks(0, N)
    return whole.labels


@pytest.mark.parametrize("every", [1, 3, 10, 40])
def test_every_kth_presentation_is_kept(every, tmp_path):
    with record(tmp_path, stream(gap=0.1), every=every, synapses=2, neurons=2) as run:
        events = run.events
        output = run.trace("layer2", "output").values
        weight = run.trace("layer2", "weight").values
    kept = np.arange(0, N, every)
    assert events["presentation"].tolist() == kept.tolist()
    (whole,) = stream(gap=0.1).chunks(0, N)
    assert events["label"].tolist() == whole.labels[kept].tolist()
    offset = np.cumsum(whole.durations + whole.gaps)
    np.testing.assert_allclose(events["offset"], offset[kept], rtol=1e-12)
    np.testing.assert_allclose(events["offset"] - events["onset"], whole.durations[kept])
    assert output.shape == weight.shape == (len(kept), 2)
    _, outputs = stepwise(simulator("reference"), stream(gap=0.1))
    np.testing.assert_allclose(
        output, np.array([step[1][[0, 3]] for step in outputs])[kept], **CLOSE
    )


def test_a_window_is_kept_at_every_instant(tmp_path):
    shown = stream(gap=0.1)
    simulated = simulator(timeline=SMOOTHED)
    with record(tmp_path, shown, simulated, instants=(4, 17), neurons=2) as run:
        found = {name: run.series(f"layers/layer1/instants/{name}") for name in ("b1", "output")}
        weighted = run.series("layers/layer1/instants/derivative").values
        assert "weight" not in run.traces("layer1")
    n_instants = len(SMOOTHED.geometry(np.full(2, 0.2), np.full(2, 0.1), 0.1).time)
    assert found["b1"].values.shape == (13, n_instants)
    assert found["b1"].axes == ("presentation", "instant")
    assert found["output"].values.shape == (13, 2, 2)  # rest and stimulus, two neurons
    assert found["output"].axes == ("presentation", "trace", "neuron")
    np.testing.assert_allclose(found["b1"].values, (weighted**2).sum(axis=2), rtol=1e-4, atol=1e-9)
    _, outputs = stepwise(simulator("reference", timeline=SMOOTHED), shown)
    expected = np.array([step[0][[0, 5]] for step in outputs])[4:17]
    np.testing.assert_allclose(found["output"].values[:, 1], expected, **CLOSE)


def test_a_window_beyond_the_end_holds_what_there_is(tmp_path):
    with record(tmp_path, stream(), instants=(20, 99), neurons=2) as run:
        assert run.series("layers/layer1/instants/b1").values.shape == (N - 20, 1)


def test_nothing_is_recorded_unless_asked_for(tmp_path):
    with record(tmp_path, stream(), every=0) as run:
        assert run.events == {}
        with pytest.raises(SettingError, match=r"Run\.traces\.layer"):
            run.traces("layer1")
        assert set(run.history) >= {"presentations", "accuracy_online", "layer1_similarity"}


@pytest.mark.parametrize("neurons", [0, 2])
@pytest.mark.parametrize("synapses", [0, 3])
@pytest.mark.parametrize("rule", [GroupedGaussian, PlainGaussian, Oja])
def test_what_is_not_asked_for_is_neither_kept_nor_computed(tmp_path, neurons, synapses, rule):
    simulated = simulator(rule=rule())
    kept = {"every": 1, "instants": (3, 5), "neurons": neurons, "synapses": synapses}
    with record(tmp_path, stream(), simulated, **kept) as run:
        found = set(run.traces("layer1"))
    per_neuron = {"drive", "rate", "gain", "output"}
    per_neuron |= {"derivative"} if rule is PlainGaussian else set()
    per_group = {"u"} | ({"v", "derivative"} if rule is GroupedGaussian else set())
    scalars = set() if rule is Oja else {"b1", "b2", "b3", "third_factor"}
    both = scalars | per_group | (per_neuron if neurons else set())
    weights = {"weight", "postsynaptic_factor", "presynaptic_factor"} if synapses else set()
    assert found == both | {f"instants/{name}" for name in both} | weights
    assert (simulated._parts.recorded is None) == (synapses == 0)
    assert [len(chosen) > 0 for chosen in simulated._parts.chosen] == [synapses > 0] * 2
    simulated.run(stream())  # nobody watches any more
    assert simulated._parts.recorded is None


def test_the_time_spent_includes_that_of_writing(tmp_path, monkeypatch):
    def slow(recorder):
        time.sleep(0.3)

    monkeypatch.setattr(Recorder, "flush", slow)
    simulated = simulator()
    record(tmp_path, stream(), simulated).close()
    assert simulated.elapsed > 0.3


def test_the_choice_of_synapses_is_drawn_from_the_seed_and_the_layer(tmp_path):
    chosen = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        with record(tmp_path / name, stream(), every=5, synapses=4) as run:
            chosen.append([
                run.trace(layer, "weight").coordinates["synapse"].tolist() for layer in run.layers
            ])  # fmt: skip
    assert chosen[0] == chosen[1]
    assert chosen[0][0] != chosen[0][1]


def test_more_than_there_is_records_all(tmp_path):
    with record(tmp_path, stream(), every=5, synapses=1000, neurons=1000) as run:
        assert run.trace("layer2", "weight").values.shape == (5, 24)
        neurons = run.trace("layer2", "rate").coordinates["neuron"]
        assert neurons.tolist() == [0, 1, 2, 3]


def test_recording_changes_nothing(tmp_path):
    silent = simulator()
    silent.run(stream())
    watched = simulator()
    record(tmp_path, stream(), watched, every=1, instants=(0, 9)).close()
    for name, array in silent.network.parameters().items():
        np.testing.assert_array_equal(watched.network.parameters()[name], array)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_divergence_is_told_as_such_while_recording(tmp_path, dtype):
    network = Network.dense(4, (6,), 3, Seeds(0), dtype=dtype)
    learning = Learning(rule=BCM(), schedule=Schedule(rate=1.0))
    stimuli = np.random.default_rng(0).normal(size=(300, 4))
    stream = DatasetStream(stimuli, np.arange(300) % 3, epochs=1, rng=np.random.default_rng(0))
    record = RecordSettings(every=1)
    path = tmp_path / "run.h5"
    with (
        Recorder.create(path, protocol="x", settings={}, seed=0, record=record) as recorder,
        pytest.raises(DivergenceError, match="layer1 diverged at presentation"),
    ):
        Simulator(network, learning, Seeds(0)).run(stream, recorder=recorder)
    with Run(path) as run:
        assert run.status == "partial"


def test_a_layer_without_groups_can_be_recorded(tmp_path):
    network = Network.dense(4, (6,), 3, Seeds(0))
    stimuli = np.random.default_rng(0).normal(size=(50, 4))
    stream = DatasetStream(stimuli, np.arange(50) % 3, epochs=1, rng=np.random.default_rng(0))
    record = RecordSettings(every=1, synapses=2, neurons=3)
    path = tmp_path / "run.h5"
    with Recorder.create(path, protocol="x", settings={}, seed=0, record=record) as recorder:
        simulator = Simulator(network, Learning(rule=PlainGaussian()), Seeds(0))
        simulator.run(stream, recorder=recorder)
        recorder.finish({}, simulator.network.parameters())
    with Run(path) as run:
        assert "u" not in run.traces("layer1")
        assert run.trace("layer1", "derivative").values.shape == (50, 3)
