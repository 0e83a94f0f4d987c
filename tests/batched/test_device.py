"""Learning on a device: the same steps as on the CPU, and nobody waits for it within an epoch."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from neurosim.backend import device_of, to_device
from neurosim.batched import Backprop, LayerWise, Learner, Trainer
from neurosim.batched.rehearsal import rehearse
from neurosim.checks import DeviceError, DivergenceError, Interrupted, SettingError
from neurosim.comparison.alignment import alignment, backprop_gradient
from neurosim.network import Network
from neurosim.objectives import HSIC
from neurosim.ops.dropout import Dropout
from neurosim.ops.similarity import Cosine, Linear, LinearLabels
from neurosim.optimizers import SGD, Adam, Milestones
from neurosim.recording import Recorder, Run
from neurosim.seeds import Seeds
from neurosim.testing import pretend_device
from tests.batched.parts import ADAM, COMMON, DRIVERS, PAIRS, build, draw_batch

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 50)
STIMULI = np.eye(3, 6)[LABELS] + 0.3 * RNG.normal(size=(50, 6))


def pairs(**changes):
    return LayerWise(objective=replace(PAIRS, **changes), **COMMON)


OTHERS = {
    "cosine": pairs(similarity=Cosine()),
    "linear": pairs(similarity=Linear(), grouping=None),
    "frequencies": pairs(label_similarity=LinearLabels(frequencies=(0.5, 0.3, 0.2))),
    "hsic": LayerWise(
        objective=HSIC(label_similarity=PAIRS.label_similarity, grouping=PAIRS.grouping), **COMMON
    ),
    "alpha": Backprop(**(COMMON | {"dropout": Dropout(rate=0.3, alpha=True)})),
    "penalty": Backprop(
        layers=Learner(
            optimizer=Adam(weight_decay=0.1, decoupled=False), rate=Milestones(rate=0.01)
        ),
        readout=Learner(optimizer=Adam(weight_decay=0.1), rate=Milestones(rate=0.01)),
    ),
}


def stepped(driver, network, batches):
    """Everything there is after the steps, and all losses."""
    state, losses = driver.start(network, Seeds(1)), []
    for batch in batches:
        losses += driver.step(network, state, batch).values()
    return network.parameters() | state, losses


def require_same_steps(driver, network, tolerance=1e-12, on=pretend_device):
    batches = [draw_batch(seed=number, number=number) for number in range(3)]
    batches = [batch._replace(stimuli=batch.stimuli.astype(network.dtype)) for batch in batches]
    with on() as device:
        moved = network.to("gpu")
        there = [
            batch._replace(
                stimuli=to_device(batch.stimuli, "gpu"), labels=to_device(batch.labels, "gpu")
            )
            for batch in batches
        ]
        found, losses = stepped(driver, moved, there)
        assert device is None or (device.synchronisations, device.fetches) == (0, 0)
        found = {
            name: to_device(array, "cpu")
            for name, array in found.items()
            if device_of(array) == "gpu" or not name.endswith(".steps")
        }
        losses = [float(loss) for loss in losses]
    expected, others = stepped(driver, network, batches)
    for name, array in found.items():
        assert array.dtype == expected[name].dtype
        scale = np.abs(expected[name]).max(initial=1e-3)
        np.testing.assert_allclose(
            array, expected[name], rtol=0, atol=tolerance * scale, err_msg=name
        )
    np.testing.assert_allclose(losses, others, rtol=tolerance, atol=tolerance)


def test_every_driver_takes_the_same_steps(driver):
    require_same_steps(driver, build())


@pytest.mark.parametrize("name", OTHERS)
def test_every_part_takes_the_same_steps(name):
    require_same_steps(OTHERS[name], build(name="selu" if name == "alpha" else "tanh"))


@pytest.mark.parametrize("name", ["identity", "relu", "leaky_relu"])
def test_every_nonlinearity_takes_the_same_steps(name):
    require_same_steps(DRIVERS["backprop"], build(name=name, grouping=None))


@pytest.mark.parametrize("driver", [DRIVERS["pairs"], DRIVERS["backprop"], DRIVERS["readout"]])
def test_batch_norm_takes_the_same_steps(driver):
    network = Network.dense(
        6, (12, 8), 3, Seeds(0), grouping=PAIRS.grouping, batch_norm=True, dtype="float64"
    )
    require_same_steps(driver, network)


@pytest.mark.parametrize("name", ["pairs", "adam", "backprop"])
def test_steps_in_float32_agree_to_its_precision(name):
    require_same_steps(DRIVERS[name], build(dtype="float32"), tolerance=2e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("name", [*DRIVERS, *OTHERS])
def test_a_gpu_takes_the_same_steps(name):
    driver = (DRIVERS | OTHERS)[name]
    require_same_steps(driver, build(), tolerance=1e-9, on=nullcontext)
    require_same_steps(driver, build(dtype="float32"), tolerance=1e-3, on=nullcontext)


def make(driver, device, **settings):
    return Trainer(build().to(device), driver, Seeds(0), batch=16, threads=1, **settings)


def test_a_run_is_that_of_the_cpu(driver):
    here = make(driver, "cpu")
    here.run(STIMULI, LABELS, epochs=2)
    with pretend_device():
        there = make(driver, "gpu")
        there.run(STIMULI, LABELS, epochs=2)
        found = there.network.to("cpu").parameters()
    for name, array in here.network.parameters().items():
        np.testing.assert_allclose(found[name], array, rtol=1e-9, atol=1e-11)


def test_samples_are_sent_once_and_nothing_is_waited_for_within_epochs():
    driver = replace(DRIVERS["pairs"], dropout=None)
    sends, waits = [], []
    for epochs in (1, 3):
        with pretend_device() as device:
            make(driver, "gpu").run(STIMULI, LABELS, epochs=epochs)
            sends.append(device.sends)
            waits.append(device.synchronisations)
            assert device.fetches == 0
    assert sends[1] - sends[0] == 2  # the order of the samples in each epoch
    assert waits[0] == waits[1]


def evaluated(trainer, path, resume=False, stop_after=None):
    """Train with a run file; evaluate on the trainer's device."""
    device, calls = trainer.network.device, []
    x, y = to_device(STIMULI, device), to_device(LABELS, device)

    def evaluate(network):
        calls.append(1)
        if len(calls) == stop_after:
            raise Interrupted("Stopped.")
        return {"accuracy": network.accuracy(x, y)}

    writer = (
        Recorder.resume(path)
        if resume
        else Recorder.create(path, protocol="test", settings={}, seed=0)
    )
    with writer:
        trainer.run(STIMULI, LABELS, epochs=3, recorder=writer, evaluate=evaluate,
                    evaluate_every=30)  # fmt: skip
        writer.finish({}, trainer.network.to("cpu").parameters())


@pytest.mark.parametrize("name", ["heads", "feedback"])
def test_a_run_file_holds_the_same_and_resumes(tmp_path, monkeypatch, name):
    monkeypatch.setattr("neurosim.batched.trainer.CHECKPOINT_SECONDS", 0.0)
    driver = DRIVERS[name] if name == "feedback" else replace(DRIVERS[name], layers=ADAM)
    evaluated(make(driver, "cpu"), tmp_path / "here.h5")
    with pretend_device():
        evaluated(make(driver, "gpu"), tmp_path / "there.h5")
        with pytest.raises(Interrupted):
            evaluated(make(driver, "gpu"), tmp_path / "resumed.h5", stop_after=3)
        evaluated(make(driver, "gpu"), tmp_path / "resumed.h5", resume=True)
    with (
        Run(tmp_path / "here.h5") as here,
        Run(tmp_path / "there.h5") as there,
        Run(tmp_path / "resumed.h5") as resumed,
    ):
        for column in set(here.history) - {"elapsed"}:
            np.testing.assert_array_equal(resumed.history[column], there.history[column])
            np.testing.assert_allclose(there.history[column], here.history[column], rtol=1e-8)
        for layer in ("layer1", "readout/weights"):
            np.testing.assert_array_equal(resumed.weights(layer), there.weights(layer))


def test_divergence_is_found_when_something_is_written_down():
    wild = Learner(optimizer=SGD(), rate=Milestones(rate=1e200))
    driver = LayerWise(objective=PAIRS, **(COMMON | {"layers": wild}))
    with (
        np.errstate(all="ignore"), pretend_device(),
        pytest.raises(DivergenceError, match=r"loss of layer1 diverged.* after 50 presentations"),
    ):  # fmt: skip
        make(driver, "gpu").run(STIMULI, LABELS, epochs=1)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_bad_samples_are_refused_wherever_they_are(device):
    spoiled = STIMULI.copy()
    spoiled[4, 2] = np.nan
    cases = [
        (STIMULI, LABELS + 1, r"run\(labels\) must be in \[0, 3\); got \[1, 3\]"),
        (spoiled, LABELS, r"run\(stimuli\) must be finite; got nan at index \(4, 2\)"),
        (STIMULI, LABELS * 0, r"run\(labels\) must hold at least two classes; got \[0\]"),
    ]
    with pretend_device():
        trainer = make(DRIVERS["pairs"], "gpu")
        for stimuli, labels, message in cases:
            with pytest.raises(SettingError, match=message):
                trainer.run(to_device(stimuli, device), to_device(labels, device), epochs=1)


class OutOfMemoryError(MemoryError):
    """As CuPy's."""

    __module__ = "cupy.cuda.memory"


def full(*_):
    raise OutOfMemoryError("Out of memory allocating 1,024 bytes (allocated so far: 512 bytes).")


def test_a_device_that_is_too_small_says_how_much_was_asked_for(monkeypatch):
    asked = "must fit into the GPU's memory; got a request for 1 KiB. Choose"
    with pretend_device() as device:
        trainer = make(DRIVERS["pairs"], "gpu")
        monkeypatch.setattr(device, "asarray", full)
        with pytest.raises(DeviceError, match=rf"Trainer\.run {asked} smaller batches or layers\."):
            trainer.run(STIMULI, LABELS, epochs=1)
        with pytest.raises(DeviceError, match=rf"Network\.to {asked} smaller layers\."):
            build().to("gpu")
        monkeypatch.setattr("neurosim.layers.dense.matmul", full)
        with pytest.raises(DeviceError, match=rf"Network\.accuracy {asked} a smaller batch\."):
            trainer.network.accuracy(STIMULI, LABELS)


def test_a_machine_that_is_too_small_says_what_to_lower(monkeypatch):
    def fill(*_):
        raise MemoryError("Unable to allocate 9 TiB.")

    trainer = make(DRIVERS["pairs"], "cpu")
    monkeypatch.setattr("neurosim.layers.dense.matmul", fill)
    with pytest.raises(SettingError, match=r"batch must fit into memory; got: Unable .* Choose"):
        trainer.run(STIMULI, LABELS, epochs=1)


def test_alignment_is_that_of_the_cpu():
    def measured(trainer, stimuli, labels):
        gradient = backprop_gradient(trainer.network, stimuli, labels, 16)
        return alignment(rehearse(trainer, stimuli, labels), gradient)

    expected = measured(make(DRIVERS["pairs"], "cpu"), STIMULI, LABELS)
    with pretend_device():
        shown = to_device(STIMULI, "gpu"), to_device(LABELS, "gpu")
        found = measured(make(DRIVERS["pairs"], "gpu"), *shown)
    assert found == pytest.approx(expected, rel=1e-9)
