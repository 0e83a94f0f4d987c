"""The training loop: every sample once an epoch, resumed as if never stopped, bad input refused."""

import signal

import numpy as np
import pytest

from neurosim.batched import Backprop, LayerWise, Learner, Trainer
from neurosim.checks import DivergenceError, Interrupted, SettingError
from neurosim.optimizers import SGD, Milestones
from neurosim.recording import Recorder, RecordSettings, Run
from neurosim.seeds import Seeds
from tests.batched.parts import COMMON, DRIVERS, PAIRS, build

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 50)
STIMULI = np.eye(3, 6)[LABELS] + 0.3 * RNG.normal(size=(50, 6))


def make(driver="pairs", seed=0, batch=16, **settings):
    return Trainer(build(), DRIVERS[driver], Seeds(seed), batch=batch, threads=1, **settings)


def trained(driver="pairs", epochs=2, **settings):
    trainer = make(driver, **settings)
    trainer.run(STIMULI, LABELS, epochs=epochs)
    return trainer


def recorder(path, **settings):
    record = RecordSettings(**settings)
    return Recorder.create(path, protocol="test", settings={}, seed=0, record=record)


def test_an_epoch_shows_every_sample_once_in_an_order_of_its_own(monkeypatch):
    shown = []
    original = LayerWise.lessons

    def watched(self, network, state, batch):
        if batch.stimuli.any():  # not the blank batch that compiles
            shown.append((batch.epoch, batch.number, batch.stimuli, batch.labels))
        return original(self, network, state, batch)

    monkeypatch.setattr(LayerWise, "lessons", watched)
    trained(epochs=2)
    assert [(epoch, number) for epoch, number, *_ in shown] == [
        (epoch, number) for epoch in (0, 1) for number in range(4)
    ]
    orders = []
    for epoch in (0, 1):
        stimuli = np.concatenate([x for e, _, x, _ in shown if e == epoch])
        labels = np.concatenate([y for e, _, _, y in shown if e == epoch])
        order = [int(np.flatnonzero((x == STIMULI).all(axis=1))[0]) for x in stimuli]
        assert sorted(order) == list(range(50))
        np.testing.assert_array_equal(labels, LABELS[order])
        orders.append(order)
    assert orders[0] != orders[1]


def test_it_learns(driver):
    trainer = Trainer(build(name="leaky_relu"), driver, Seeds(0), batch=16, threads=1)
    before = trainer.network.accuracy(STIMULI, LABELS)
    trainer.run(STIMULI, LABELS, epochs=40)
    assert trainer.network.accuracy(STIMULI, LABELS) > max(0.8, before)


def test_the_seed_decides_everything(driver):
    runs = []
    for seed in (3, 3, 4):
        trainer = Trainer(build(), driver, Seeds(seed), batch=16, threads=1)
        trainer.run(STIMULI, LABELS, epochs=1)
        runs.append(trainer.network.parameters()["readout/weights"])
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_the_network_given_is_not_changed():
    network = build()
    before = {name: array.copy() for name, array in network.parameters().items()}
    Trainer(network, DRIVERS["pairs"], Seeds(0), batch=16).run(STIMULI, LABELS, epochs=1)
    for name, array in network.parameters().items():
        np.testing.assert_array_equal(array, before[name])


def interrupted_then_resumed(driver, path, record):
    """A run that is interrupted in its second epoch, and continued by another trainer."""
    trainer = Trainer(build(), driver, Seeds(0), batch=16, threads=1)
    calls = []

    def evaluate(network):
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return {"accuracy": network.accuracy(STIMULI, LABELS)}

    settings = {"epochs": 3, "evaluate": evaluate, "evaluate_every": 30}
    with recorder(path, **record) as first, pytest.raises(Interrupted, match="It can be resumed"):
        trainer.run(STIMULI, LABELS, recorder=first, **settings)
    assert 0 < trainer.presentations < 150
    trainer = Trainer(build(), driver, Seeds(0), batch=16, threads=1)
    with Recorder.resume(path) as second:
        trainer.run(STIMULI, LABELS, recorder=second, **settings)
        second.finish({}, trainer.network.parameters())
    return trainer


def test_a_resumed_run_is_the_run_that_was_never_interrupted(driver, tmp_path):
    resumed = interrupted_then_resumed(driver, tmp_path / "resumed.h5", {})
    whole = Trainer(build(), driver, Seeds(0), batch=16, threads=1)
    with recorder(tmp_path / "whole.h5", checkpoint_every=20) as writer:
        whole.run(
            STIMULI, LABELS, epochs=3, recorder=writer, evaluate_every=30,
            evaluate=lambda network: {"accuracy": network.accuracy(STIMULI, LABELS)},
        )  # fmt: skip
        writer.finish({}, whole.network.parameters())
    expected = whole.network.parameters()
    for name, array in resumed.network.parameters().items():
        np.testing.assert_array_equal(array, expected[name])
    with Run(tmp_path / "resumed.h5") as one, Run(tmp_path / "whole.h5") as other:
        assert set(one.history) == set(other.history)
        assert len(other.history["accuracy"]) == 5
        for column in set(other.history) - {"elapsed"}:
            values = other.history[column]
            np.testing.assert_array_equal(one.history[column], values)


def test_history_holds_measures_and_mean_losses_since_the_last_evaluation(tmp_path):
    trainer = make(batch=25)
    losses = []
    step = trainer._driver.step

    class Watched:
        def __getattr__(self, name):
            return getattr(DRIVERS["pairs"], name)

        def step(self, network, state, batch):
            found = step(network, state, batch)
            if batch.stimuli.any():
                losses.append(found["layer1"])
            return found

    trainer._driver = Watched()
    with recorder(tmp_path / "run.h5") as writer:
        trainer.run(
            STIMULI, LABELS, epochs=2, recorder=writer, evaluate_every=50, measures=("one", "two"),
            evaluate=lambda network: {"one": 1.0, "two": 2.0},
        )  # fmt: skip
        writer.finish({}, trainer.network.parameters())
    with Run(tmp_path / "run.h5") as run:
        expected = [np.mean(losses[:2]), np.mean(losses[2:])]
        np.testing.assert_allclose(run.history["layer1_objective"], expected)
        assert np.isfinite(run.history["readout_loss"]).all()
        np.testing.assert_array_equal(run.history["two"], [2, 2])
        np.testing.assert_array_equal(run.history["presentations"], [50, 100])


def test_divergence_stops_with_a_readable_file(tmp_path):
    wild = Learner(optimizer=SGD(), rate=Milestones(rate=1e200))
    driver = LayerWise(objective=PAIRS, **(COMMON | {"layers": wild}))
    trainer = Trainer(build(), driver, Seeds(0), batch=16, threads=1)
    path = tmp_path / "run.h5"
    stop = pytest.raises(DivergenceError, match=r"layer1 diverged at epoch 0, batch 1")
    with np.errstate(all="ignore"), recorder(path) as writer, stop:
        trainer.run(STIMULI, LABELS, epochs=2, recorder=writer)
    with Run(path.with_name("run.h5.partial")) as run:
        assert run.info()["status"] != "finished"


def test_weights_that_diverged_in_the_last_batch_are_not_measured():
    wild = Learner(optimizer=SGD(), rate=Milestones(rate=1e308))
    driver = Backprop(**(COMMON | {"layers": wild}))
    trainer = Trainer(build(grouping=None), driver, Seeds(0), batch=50, threads=1)
    stop = pytest.raises(DivergenceError, match=r"diverged: it is not finite after 50 present")
    with np.errstate(all="ignore"), stop:
        trainer.run(STIMULI * 1e3, LABELS, epochs=1)


def test_bad_input_is_refused_before_anything_is_learned():
    spoiled = STIMULI.copy()
    spoiled[4, 2] = np.nan
    cases = [
        (STIMULI[:, :5], LABELS, r"run\(stimuli\) must be \(50, 6\); got \(50, 5\)"),
        (spoiled, LABELS, r"run\(stimuli\) must be finite; got nan at index \(4, 2\)"),
        (STIMULI, LABELS + 1, r"run\(labels\) must be in \[0, 3\); got \[1, 3\]"),
        (STIMULI, LABELS - 1, r"run\(labels\) must be in \[0, 3\)"),
        (STIMULI, LABELS * 0, r"run\(labels\) must hold at least two classes; got \[0\]"),
    ]
    trainer = make()
    for stimuli, labels, message in cases:
        with pytest.raises(SettingError, match=message):
            trainer.run(stimuli, labels, epochs=1)
    with pytest.raises(SettingError, match=r"run\(epochs\) must be at least 1; got 0"):
        trainer.run(STIMULI, LABELS, epochs=0)
    assert trainer.presentations == 0


def test_a_single_sample_has_no_pairs():
    with pytest.raises(SettingError, match=r"batch must be at least 2: LayerWise compares samples"):
        make(batch=1)
    with pytest.raises(SettingError, match=r"leave at least 2 of the 50 samples .* got 7"):
        make(batch=7).run(STIMULI, LABELS, epochs=1)
    assert trained("backprop", batch=7, epochs=1).presentations == 50


def test_traces_are_refused_rather_than_forgotten(tmp_path):
    with (
        recorder(tmp_path / "run.h5", every=5) as writer,
        pytest.raises(SettingError, match=r"RecordSettings\.every must be 0"),
    ):
        make().run(STIMULI, LABELS, epochs=1, recorder=writer)
