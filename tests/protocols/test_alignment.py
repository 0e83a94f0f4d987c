"""Both protocols measure alignment on request, and learn the same whether they do or not."""

import numpy as np
import pytest

from neurosim import Run
from neurosim.cli import main

SMALL = [
    *("--dataset", "clusters", "--train", "320", "--epochs", "1", "--evaluations", "2"),
    *("--widths", "32", "16", "--groups", "4", "--threads", "1", "--quiet"),
]
STREAM = ("pogodin2020_stream", "--same-class", "-1", "--reads", "all")
BATCHES = ("pogodin2020_table1", "--batch", "64")
COLUMNS = {"alignment_layer1", "alignment_layer2"}


def run(path, *words):
    assert main(["run", *words, *SMALL, "--out", str(path)]) == 0
    with Run(path) as finished:
        weights = {name: finished.weights(name) for name in ("layer1", "layer2", "readout/bias")}
        return finished.history, finished.summary, weights


@pytest.mark.parametrize("words", [STREAM, (*STREAM, "--gap", "0.1", "--jitter", "0.5"), BATCHES])
def test_measuring_adds_columns_and_changes_nothing(tmp_path, words):
    without, _, unmeasured = run(tmp_path / "a.h5", *words)
    with_, summary, measured = run(tmp_path / "b.h5", *words, "--alignment", "100")
    assert set(with_) == set(without) | COLUMNS
    for column in COLUMNS:
        assert (np.abs(with_[column]) < 1).all()
        assert (with_[column] != 0).all()
    for name, array in unmeasured.items():
        np.testing.assert_array_equal(array, measured[name])
    assert summary["test_accuracy"] == with_["accuracy"][-1]
    assert 50e6 < summary["peak_memory"] < 50e9


def test_backprop_is_backprop(tmp_path):
    history, _, _ = run(tmp_path / "a.h5", *BATCHES, "--rule", "backprop", "--alignment", "100")
    for column in COLUMNS:
        np.testing.assert_allclose(history[column], 1, atol=1e-5)


def test_layers_that_do_not_learn_have_no_column(tmp_path):
    history, _, _ = run(tmp_path / "a.h5", *BATCHES, "--rule", "last", "--alignment", "100")
    assert not COLUMNS & set(history)


@pytest.mark.parametrize("words", [STREAM, BATCHES])
@pytest.mark.parametrize("samples", ["-1", "1", "321"])
def test_samples_that_are_not_there_are_refused_at_once(tmp_path, capsys, words, samples):
    path = tmp_path / "a.h5"
    assert main(["run", *words, *SMALL, "--alignment", samples, "--out", str(path)]) == 2
    assert "Config.alignment must be 0, or from 2 to the 320" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
