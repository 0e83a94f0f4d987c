"""What the benchmark of batched training computes; its sides are checked whenever it runs."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import batched
from benchmarks._batched_engine import Ours
from benchmarks._batched_task import BatchedTask, Cost
from benchmarks.batched import BOTH, OURS, THEIRS, Settings, error, main, table
from neurosim.checks import SettingError

TASK = BatchedTask(dataset="digits", widths=(64, 32 * 3), threads=1)


def test_operations_of_an_epoch():
    samples = len(TASK.data.y_train)
    weights, inputs = 64 * 64 + 64 * 96 + 96 * 10, 64 * 64
    assert TASK.tera("gaussian/divisive") == pytest.approx(4e-12 * samples * weights)
    backprop = 2e-12 * samples * (3 * weights - inputs)
    assert TASK.tera("backprop/plain") == pytest.approx(backprop)


def test_the_error_is_that_of_the_worst_parameter():
    right = {"a": np.array([3.0, 4.0]), "b": np.array([1.0])}
    assert error(right | {"b": np.array([1.5])}, right) == 0.5
    assert error(right, right) == 0


def test_ratios_are_to_ours(monkeypatch):
    monkeypatch.setattr(batched, "version", lambda name: "2.0")
    costs = {(BOTH[0], OURS): Cost(2.0, 1.0), (BOTH[0], THEIRS): Cost(8.0, 3.0)}
    apart = {BOTH[0]: {"float64": 1e-15, "float32": 2e-6}}
    (first, second), settings = table(Settings(dataset="digits"), costs, apart).rows, Settings()
    assert first[4:6] == (1, 1)
    assert second[4:6] == (4, 3)
    assert (first[-1], second[-1]) == ("", 2e-6)
    assert settings.task == replace(TASK, dataset="mnist", widths=(1024,) * 3, threads=2)


def test_our_side_learns_and_tells_its_gradients():
    ours = Ours(TASK)
    for row in BOTH:
        before = ours.gradients(row, "float64")
        assert set(before) == {"layer1", "layer2", "readout/weights", "readout/bias"}
        assert ours.learn(row, 2).cpu > 0
        assert ours.products(row, 2).wall > 0
        after = ours.gradients(row, "float64")
        for name, gradient in before.items():  # of a new network each time
            np.testing.assert_array_equal(gradient, after[name])


@pytest.mark.slow
@pytest.mark.parametrize("row", [*BOTH, *batched.ALONE])
def test_both_sides_compute_the_same_gradients(row):
    pytest.importorskip("torch")
    theirs = batched.Torch(TASK).gradients(row, "float64")
    assert error(Ours(TASK).gradients(row, "float64"), theirs) < 1e-9


def test_settings_and_a_missing_peer_are_refused(monkeypatch):
    with pytest.raises(SettingError, match=r"Settings\.batches must be at least 8; got 4"):
        Settings(batches=4)
    monkeypatch.setattr(batched, "find_spec", lambda name: None)
    with pytest.raises(SettingError, match=r"must have PyTorch; got none\. Install it: pip"):
        main(Settings())
