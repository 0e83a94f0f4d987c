"""The protocol of batched training, from the command line to a resumed run."""

import json

import numpy as np
import pytest

from neurosim.backend import presence
from neurosim.cli import main
from neurosim.recording import Run
from neurosim.testing import pretend_device

SMALL = ["--dataset", "clusters", "--widths", "32", "16", "--groups", "4", "--batch", "64"]


def run(tmp_path, *words, name="run.h5"):
    path = tmp_path / name
    status = main(["run", "pogodin2020_table1", "--out", str(path), *SMALL, *words])
    return status, path


def test_it_trains_and_reports(tmp_path, capsys):
    status, path = run(
        tmp_path, "--epochs", "12", "--evaluations", "3", "--rule", "backprop", "--readout-rate",
        "0.05", "--local-rate", "0.05", "--threads", "1", "--train", "640",
    )  # fmt: skip
    assert status == 0
    assert "pogodin2020_table1" in capsys.readouterr().out
    with Run(path) as finished:
        summary, history = finished.summary, finished.history
    assert summary["presentations"] == 12 * 640
    assert summary["test_accuracy"] > 0.8
    assert summary["measured_on"] == "test"
    assert (summary["groups"], summary["local_rate"], summary["readout_rate"]) == (4, 0.05, 0.05)
    assert summary["seconds"] > 0
    assert set(history) == {"presentations", "elapsed", "accuracy", "readout_loss"}
    np.testing.assert_array_equal(history["presentations"], np.array([4, 8, 12]) * 640)
    assert history["accuracy"][-1] == summary["test_accuracy"]
    assert main(["plot", str(path), "--out", str(tmp_path / "figure.png")]) == 0
    assert (tmp_path / "figure.png").stat().st_size > 10_000


@pytest.mark.parametrize("rule", ["gaussian", "last"])
def test_the_same_seed_gives_the_same_run(tmp_path, rule):
    weights = []
    for name, seed in (("a.h5", "1"), ("b.h5", "1"), ("c.h5", "2")):
        words = ["--rule", rule, "--epochs", "1", "--seed", seed, "--validation", "0.8"]
        path = run(tmp_path, *words, "--quiet", "--threads", "1", name=name)[1]
        with Run(path) as finished:
            weights.append(finished.weights("readout/weights"))
            assert finished.summary["measured_on"] == "validation"
            assert finished.summary["presentations"] == 400
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rule", "hebb"], "Batched.rule must be one of backprop, classification"),
        (["--groups", "5"], "Grouping.groups must divide the layer's 32 neurons"),
        (["--sigma", "0"], "Gaussian.sigma must be positive; got 0.0"),
        (["--batch", "1"], "Trainer.batch must be at least 2"),
        (["--epochs", "0"], "Config.epochs must be at least 1"),
        (["--record.every", "1"], "RecordSettings.every must be 0"),
    ],
)
def test_bad_settings_leave_a_message_and_no_file(tmp_path, capsys, words, message):
    assert run(tmp_path, *words)[0] != 0
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*.h5*"))


@pytest.mark.parametrize("rule", ["gaussian", "backprop"])
def test_on_a_device_it_is_the_same_run(tmp_path, rule):
    words = ["--rule", rule, "--epochs", "2", "--train", "256", "--alignment", "64", "--quiet"]
    run(tmp_path, *words, name="cpu.h5")
    with pretend_device() as device:
        assert run(tmp_path, *words, "--device", "gpu", name="gpu.h5")[0] == 0
        assert device.sends > 0
    with Run(tmp_path / "cpu.h5") as here, Run(tmp_path / "gpu.h5") as there:
        assert (here.device, there.device) == ("cpu", "gpu")
        for column in set(here.history) - {"elapsed"}:
            expected = here.history[column]
            np.testing.assert_allclose(there.history[column], expected, rtol=1e-3, atol=1e-6)
        for name in ("layer1", "readout/weights"):
            weights = there.weights(name)
            assert weights.dtype == np.float32
            np.testing.assert_allclose(weights, here.weights(name), rtol=1e-4, atol=1e-6)


def test_a_gpu_that_is_not_there_is_missed_at_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(presence, "import_cupy", lambda: (None, "CuPy is not installed"))
    assert run(tmp_path, "--device", "gpu")[0] == 2
    message = "Config.device must be available on this machine; got 'gpu'. CuPy is not installed."
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*.h5*"))


def test_settings_of_a_run_are_in_its_file(tmp_path, capsys):
    path = run(tmp_path, "--epochs", "1", "--quiet", "--threads", "1", "--train", "64")[1]
    capsys.readouterr()
    assert main(["info", str(path), "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["test_accuracy"] is not None
    with Run(path) as finished:
        assert finished.settings["widths"] == [32, 16]
