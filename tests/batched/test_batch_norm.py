"""Batch norm under every driver: learned, averaged, saved and resumed; refused in streams."""

from dataclasses import replace

import numpy as np
import pytest

from neurosim.batched import Trainer
from neurosim.checks import Interrupted, SettingError
from neurosim.layers import BatchNorm
from neurosim.plasticity import GroupedGaussian
from neurosim.recording import Recorder, RecordSettings, Run
from neurosim.seeds import Seeds
from neurosim.streaming.learning import Learning
from neurosim.streaming.simulator import Simulator
from tests.batched.parts import DRIVERS, build, changes, draw_batch

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 50)
STIMULI = np.eye(3, 6)[LABELS] + 0.3 * RNG.normal(size=(50, 6))


def normed(**settings):
    network = build(**settings)
    layers = tuple(
        replace(layer, batch_norm=BatchNorm.start(layer.n_post, network.dtype.name))
        for layer in network.layers
    )
    return replace(network, layers=layers)


def make(driver, batch=16):
    return Trainer(normed(), driver, Seeds(0), batch=batch, threads=1)


def test_scale_and_shift_are_learned_and_averages_are_averaged(driver):
    network, batch = normed(), draw_batch()
    state = driver.start(network, Seeds(1))
    assert not any("/mean." in name or "/variance." in name for name in state)
    found = changes(driver, network, batch)
    layer = network.layers[0]
    drive = batch.stimuli @ layer.weights.T
    for name, statistic in (("mean", drive.mean(axis=0)), ("variance", drive.var(axis=0, ddof=1))):
        before = network.parameters()[f"batch_norm/layer1/{name}"]
        expected = 0.1 * (statistic - before)
        np.testing.assert_allclose(found[f"batch_norm/layer1/{name}"], expected, rtol=1e-10)
    for name in ("scale", "shift"):
        learns = driver.layers is not None
        assert found[f"batch_norm/layer3/{name}"].any() == learns


@pytest.mark.parametrize("name", ["pairs", "backprop"])
def test_what_is_learned_is_the_gradient_through_the_batch(name):
    """Finite differences of the first layer's own loss, or of the read-out's."""
    driver = replace(DRIVERS[name], dropout=None)
    network, batch, h = normed(), draw_batch(), 1e-6
    losses = {"pairs": "layer1", "backprop": "readout"}

    def loss(parameters):
        lessons = driver.lessons(network.with_parameters(parameters), {}, batch)
        return next(lesson.loss for lesson in lessons if lesson.name == losses[name])

    parameters = network.parameters()
    gradients = {}
    for lesson in driver.lessons(network, {}, batch):
        gradients |= lesson.gradients
    for key in ("layer1", "batch_norm/layer1/scale", "batch_norm/layer1/shift"):
        direction = np.random.default_rng(3).normal(size=parameters[key].shape)
        ahead = loss(parameters | {key: parameters[key] + h * direction})
        behind = loss(parameters | {key: parameters[key] - h * direction})
        slope = (ahead - behind) / (2 * h)
        assert (gradients[key] * direction).sum() == pytest.approx(slope, rel=1e-5)


def test_lessons_alone_change_nothing(driver):
    network = normed()
    before = {name: array.copy() for name, array in network.parameters().items()}
    list(driver.lessons(network, driver.start(network, Seeds(1)), draw_batch()))
    for name, array in network.parameters().items():
        np.testing.assert_array_equal(array, before[name])


def test_it_learns_and_is_evaluated_one_sample_at_a_time(driver):
    trainer = Trainer(normed(name="leaky_relu"), driver, Seeds(0), batch=25, threads=1)
    trainer.run(STIMULI, LABELS, epochs=40)
    together = trainer.network.scores(STIMULI)
    alone = np.concatenate([trainer.network.scores(x[None]) for x in STIMULI])
    np.testing.assert_allclose(alone, together, rtol=1e-9, atol=1e-12)
    assert trainer.network.accuracy(STIMULI, LABELS) > 0.8


def test_a_resumed_run_is_the_run_that_was_never_interrupted(tmp_path, driver):
    path, calls = tmp_path / "run.h5", []

    def evaluate(network):
        calls.append(1)
        if len(calls) == 2:
            raise Interrupted("now")
        return {"accuracy": 0.0}

    whole = make(driver)
    whole.run(STIMULI, LABELS, epochs=2)
    record = RecordSettings(checkpoint_every=16)
    with (
        pytest.raises(Interrupted),
        Recorder.create(path, protocol="test", settings={}, seed=0, record=record) as writer,
    ):
        make(driver).run(
            STIMULI, LABELS, epochs=2, recorder=writer, evaluate=evaluate, evaluate_every=30
        )
    resumed = make(driver)
    with Recorder.resume(path) as writer:
        resumed.run(STIMULI, LABELS, epochs=2, recorder=writer, evaluate=evaluate)
        assert resumed.presentations == 100
        writer.finish({}, resumed.network.parameters())
    with Run(path) as run:
        for name, array in whole.network.parameters().items():
            np.testing.assert_array_equal(run.weights(name), array)


def test_one_sample_has_no_spread():
    backprop = DRIVERS["backprop"]
    with pytest.raises(
        SettingError, match=r"batch must be at least 2: .* no spread for batch norm"
    ):
        make(backprop, batch=1)
    with pytest.raises(SettingError, match=r"leave at least 2 of the 50 samples .* got 7"):
        make(backprop, batch=7).run(STIMULI, LABELS, epochs=1)


def test_streaming_refuses_it():
    with pytest.raises(SettingError, match=r"batch_norm must be None in streaming; .* batches"):
        Simulator(normed(), Learning(rule=GroupedGaussian()), Seeds(0))


def test_it_is_kept_in_descriptions():
    network = normed()
    arrays = {name: array + 0.5 for name, array in network.parameters().items()}
    network = network.with_parameters(arrays)
    rebuilt = type(network).from_description(network.describe(), arrays)
    np.testing.assert_array_equal(rebuilt.scores(STIMULI), network.scores(STIMULI))
    assert rebuilt.describe() == network.describe()
    assert build().describe()["layers"][0]["batch_norm"] is None
