"""The benchmark on a GPU, as far as it goes without one: what it computes, and what it refuses."""

import json

import numpy as np
import pytest

from benchmarks import _task, gpu
from benchmarks._engine import Judge
from benchmarks._gpu_peer import UNROLLED, TorchStream
from benchmarks._gpu_profile import floors
from benchmarks._gpu_task import Settings, where
from benchmarks._harness import Timing, start
from benchmarks._task import Task
from neurosim.checks import SettingError
from neurosim.data.synthetic import Clusters

QUICK = Settings(device="cpu", quick=True, dataset="digits")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"only": "b"}, r"Settings\.only must be among a, c, d on the CPU; got 'b'"),
        ({"only": "a,z"}, r"Settings\.only must be one of a, b, c, d, e; got 'z'"),
        ({"rounds": -2}, r"Settings\.rounds must be at least 1; got -2"),
        ({"device": "tpu"}, r"Settings\.device must be one of cpu, gpu; got 'tpu'"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        Settings(**{"device": "cpu"} | settings)


def test_bad_input_is_one_line_and_code_2(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["gpu.py", "--device", "tpu"])
    with pytest.raises(SystemExit) as stop:
        start(gpu.main, Settings, gpu.__doc__)
    told = capsys.readouterr().err
    assert stop.value.code == 2
    assert told.startswith("error: Settings.device must be one of cpu, gpu; got 'tpu'.")
    assert told.count("\n") == 1


def test_data_are_those_there_are(monkeypatch):
    monkeypatch.setenv("NEUROSIM_DATA", "/somewhere")
    assert (Settings(device="cpu").shown, QUICK.shown) == ("mnist", "digits")
    monkeypatch.delenv("NEUROSIM_DATA")
    assert Settings(device="cpu").shown == "synthetic"
    small = Clusters(n_classes=10, n_features=784, n_train=30, n_test=10)
    monkeypatch.setattr(_task, "SYNTHETIC", small)
    _task.cached.cache_clear()
    try:
        assert Settings(device="cpu").streaming.name == "784-1024-1024-1024-10"
    finally:
        _task.cached.cache_clear()


def test_presentations_of_all_networks_count(monkeypatch):
    monkeypatch.setattr(gpu, "version", lambda _: "2.0")  # with or without PyTorch
    found = {"ours": Timing([2e-4, 4e-4, 3e-4]), "theirs": Timing([6e-4] * 3)}
    table = gpu._streams(QUICK, "Title", found, 3, {"theirs": 1e-6}, ())
    np.testing.assert_allclose([row[1:5] for row in table.rows],
                               [(100, 10_000, 1, 2 / 3), (200, 5000, 2, 0)])  # fmt: skip
    assert [row[5] for row in table.rows] == ["", "1.0e-06"]
    assert where(QUICK) == table.notes[0] == "No GPU took part."


def test_every_operation_has_two_floors_and_a_time():
    (table,) = floors(QUICK)
    names = [row[0] for row in table.rows]
    assert len(set(names)) == len(names) >= 8
    for _, mebibytes, operations, least, bound, took, ratio in table.rows:
        assert min(mebibytes, operations, least, took) > 0
        assert ratio == pytest.approx(took / least)
        assert bound in ("bytes", "operations")


def test_sides_that_compute_something_else_are_refused():
    gpu._require_right({"a": 1e-3})
    for wrong in (1.0, float("nan")):
        with pytest.raises(AssertionError, match="compute something else"):
            gpu._require_right({"a": 1e-3, "b": wrong})


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [1, 3])
def test_the_loop_over_samples_does_what_the_reference_does(replicas):
    pytest.importorskip("torch")
    task = Task(dataset="digits", widths=(64, 96))
    judge = Judge(task, 2 * UNROLLED + 3)
    peer = TorchStream(task, replicas, "cpu", graph=False)
    assert peer.learn(judge.n) > 0
    assert judge.error(peer.weights()) < 1e-4
    if replicas > 1:  # another part of the stream
        assert judge.error(peer.weights(1)) > 0.1


@pytest.mark.gpu
def test_a_graph_of_samples_does_what_the_reference_does():
    task = Task(dataset="digits", widths=(64, 96))
    judge = Judge(task, 2 * UNROLLED + 3)
    for replicas in (1, 3):
        peer = TorchStream(task, replicas, "cuda", graph=True)
        peer.learn(judge.n)
        assert judge.error(peer.weights()) < 1e-2


@pytest.mark.slow
def test_the_command_runs_where_there_is_no_gpu(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr("sys.argv", ["gpu"])
    gpu.main(Settings(device="cpu", quick=True, dataset="digits", out=tmp_path))
    assert not list(tmp_path.iterdir())
    tables = {letter: gpu.SECTIONS[letter](QUICK) for letter in ("a", "c")}
    gpu.report("gpu", tables, tmp_path, 0.0)
    known = json.loads((tmp_path / "gpu.json").read_text())
    rows = {letter: known[letter]["tables"][0]["rows"] for letter in ("a", "c")}
    assert [row[0] for row in rows["a"]] == ["neurosim", "PyTorch, eager"]
    assert len(rows["c"]) == 4
