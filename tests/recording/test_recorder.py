import hashlib
import json
import os
import threading
import tracemalloc
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.checks import BudgetError, NeurosimError, RunFileError, SettingError
from neurosim.recording import Recorder, RecordSettings, Run, buffer

WEIGHT = {
    "shape": (4,),
    "dtype": "f4",
    "unit": "1",
    "axes": ("presentation", "synapse"),
    "rows": 10,
}


def test_settings_and_provenance_are_on_disk_before_the_first_step(make, tmp_path):
    make(settings={"rate": np.float64(0.5), "widths": (3, 2)}, extra_provenance={"data": "abc"})
    with h5py.File(tmp_path / "run.h5.partial", "r", locking=False) as file:
        assert json.loads(file.attrs["settings"]) == {"rate": 0.5, "widths": [3, 2]}
        provenance = json.loads(file.attrs["provenance"])
    assert provenance["data"] == "abc"
    assert {"python", "numpy", "numba", "h5py", "neurosim"} == set(provenance["versions"])


def test_a_recorder_knows_its_finished_file_from_the_start(make, tmp_path):
    recorder = make()
    assert recorder.path == tmp_path / "run.h5"
    recorder.begin()
    assert recorder.finish({}, {}) == recorder.path
    assert Run(recorder.path).status == "finished"


def test_command_line_is_kept_without_folders(make, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["/opt/bin/neurosim", "run", "--out=/home/me/x.h5", "--seed=3"])
    make()
    with Run(tmp_path / "run.h5") as run:
        command = run.provenance["command"]
    assert command == ["neurosim", "run", "--out=x.h5", "--seed=3"]


def test_rows_come_back_in_their_declared_type_with_axes_unit_and_coordinates(make):
    recorder = make()
    recorder.declare("layers/a/weight", **WEIGHT, coordinates={"synapse": ["p", "q", "r", "s"]})
    recorder.begin()
    rows = np.arange(40.0).reshape(10, 4)
    for first, stop in ((0, 1), (1, 1), (1, 4), (4, 10)):
        recorder.append("layers/a/weight", rows[first:stop])
    path = recorder.finish({}, {})
    with Run(path) as run:
        trace = run.trace("a", "weight")
    assert trace.values.dtype == np.float32
    np.testing.assert_array_equal(trace.values, rows)
    assert (trace.axes, trace.unit) == (("presentation", "synapse"), "1")
    assert list(trace.coordinates["synapse"]) == ["p", "q", "r", "s"]


def test_appended_rows_are_copies(make):
    recorder = make()
    recorder.declare("layers/a/weight", **WEIGHT)
    recorder.begin()
    row = np.ones((1, 4), np.float32)
    recorder.append("layers/a/weight", row)
    row[:] = 7
    with Run(recorder.finish({}, {})) as run:
        assert run.trace("a", "weight").values.tolist() == [[1, 1, 1, 1]]


@settings(deadline=None, max_examples=12)
@given(
    steps=st.lists(st.tuples(st.integers(0, 25), st.booleans()), max_size=7), resumes=st.booleans()
)
def test_rows_are_in_the_file_after_any_appends_and_flushes(tmp_path_factory, steps, resumes):
    """Blocks are of ten and of seven rows: filled, crossed, shown before full, and continued."""

    def begin(recorder):
        recorder.declare("layers/a/weight", **WEIGHT)
        recorder.declare("events/index", shape=(), dtype="i2", unit="1", axes=("p",), rows=7)
        recorder.begin()
        return recorder

    path, total = tmp_path_factory.mktemp("rows") / "run.h5", 0
    recorder = begin(Recorder.create(path, protocol="demo", settings={}, seed=0))
    with recorder:
        for n, shows in steps:
            index = np.arange(total, total + n)
            rows = index[:, None] + np.arange(4) / 4
            recorder.append_many({"layers/a/weight": rows, "events/index": index})
            total += n
            if shows:
                recorder.flush()
                with Run(path) as run:
                    assert run.events["index"].tolist() == list(range(total))
        recorder.save_checkpoint({}, {})
        if not resumes:
            recorder.finish({}, {})
    if resumes:
        with begin(Recorder.resume(path)) as recorder:
            recorder.append_many({"events/index": np.arange(total, total + 9)})
            recorder.finish({}, {})
    with Run(path) as run:
        assert run.events["index"].tolist() == list(range(total + 9 * resumes))
        values = run.trace("a", "weight").values
    np.testing.assert_array_equal(values, np.arange(total)[:, None] + np.arange(4) / 4)


def test_rows_of_several_series_are_taken_together_or_not_at_all(make):
    recorder = make()
    recorder.declare("layers/a/weight", **WEIGHT)
    recorder.declare("layers/a/speed", **WEIGHT)
    recorder.begin()
    good, bad = np.ones((2, 4)), np.full((2, 4), np.nan)
    for rows in (
        {"layers/a/weight": good, "layers/a/speed": bad},
        {"layers/a/weight": good, "b": good},
    ):
        with pytest.raises(SettingError, match=r"Recorder\.append"):
            recorder.append_many(rows)
    with Run(recorder.finish({}, {})) as run:
        assert len(run.trace("a", "weight").values) == 0


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.zeros((1, 3), np.float32), "shape"),
        (np.float32(0), "shape"),
        (np.zeros((1, 4), complex), "complex128"),
        (np.array([[0, 0, np.nan, 0]]), r"nan at index \(0, 2\)"),
        (np.array([[0, np.inf, 0, 0]]), "inf at index"),
    ],
)
def test_unusable_rows_are_refused_and_nothing_is_lost(make, rows, words):
    recorder = make()
    recorder.declare("layers/a/weight", **WEIGHT)
    recorder.begin()
    recorder.append("layers/a/weight", np.ones((2, 4)))
    with pytest.raises(SettingError, match=words):
        recorder.append("layers/a/weight", rows)
    with Run(recorder.finish({}, {})) as run:
        assert len(run.trace("a", "weight").values) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"axes": ("presentation",)}, "axes"),
        ({"axes": ("synapse", "synapse")}, "all different"),
        ({"dtype": "U3"}, "number type"),
        ({"shape": (0,)}, "positive"),
        ({"rows": -1}, "rows"),
        ({"name": "weights/a"}, "weights"),
        ({"name": "../a"}, "name"),
        ({"name": "/a"}, "name"),
        ({"coordinates": {"neuron": [1]}}, "be one of"),
        ({"coordinates": {"synapse": [1, 2]}}, "4 places"),
        ({"coordinates": {"presentation": [1, 2]}}, "growing axis"),
    ],
)
def test_impossible_declarations_are_refused(make, change, words):
    with pytest.raises(SettingError, match=words):
        make().declare(**{"name": "layers/a/weight", **WEIGHT, **change})


def test_names_and_order_of_calls_are_checked(make):
    recorder = make()
    recorder.declare("layers/a/weight", **WEIGHT)
    recorder.declare_history({"loss": "1"})
    with pytest.raises(SettingError, match="once a name"):
        recorder.declare("layers/a/weight", **WEIGHT)
    with pytest.raises(SettingError, match="between begin and finish"):
        recorder.append("layers/a/weight", np.zeros((1, 4)))
    recorder.begin()
    with pytest.raises(SettingError, match=r"layers/a/weight"):
        recorder.append("layers/a/wieght", np.zeros((1, 4)))
    with pytest.raises(SettingError, match="history/accuracy"):
        recorder.note(accuracy=1.0)
    with pytest.raises(SettingError, match="come before begin"):
        recorder.declare("layers/b/weight", **WEIGHT)
    with pytest.raises(SettingError, match="once"):
        recorder.begin()
    recorder.close()
    with pytest.raises(SettingError, match="before close"):
        recorder.begin()


def test_things_that_are_not_json_are_named_before_a_file_exists(make, tmp_path):
    with pytest.raises(SettingError, match="storable as JSON; got a object"):
        make(settings={"rule": object()})
    assert list(tmp_path.iterdir()) == []


def test_history_has_one_row_a_note_and_nan_where_nothing_was_measured(make):
    recorder = make()
    recorder.declare_history({"loss": "1", "accuracy": "1"})
    recorder.begin()
    recorder.note(loss=2.0)
    recorder.note(loss=1.0, accuracy=0.5)
    with Run(recorder.finish({}, {})) as run:
        assert run.history["loss"].tolist() == [2.0, 1.0]
        np.testing.assert_array_equal(run.history["accuracy"], [np.nan, 0.5])


def test_digest_covers_type_shape_bytes_and_order(make):
    weights = {"b": np.ones((2, 3), np.float32), "a": np.arange(4)[::-1]}
    digests = []
    for i, variant in enumerate(
        [
            weights,
            dict(reversed(weights.items())),
            weights | {"b": np.ones((3, 2), np.float32)},
            weights | {"b": np.ones((2, 3))},
        ]
    ):
        recorder = make(f"{i}.h5")
        recorder.begin()
        with Run(recorder.finish({}, variant)) as run:
            digests.append(run.weights_digest)
            np.testing.assert_array_equal(run.weights("a"), [3, 2, 1, 0])
    assert len(set(digests)) == 4
    expected = hashlib.sha256(b"<f4(2, 3)" + weights["b"].tobytes())
    expected.update(b"<i8(4,)" + np.array([3, 2, 1, 0]).tobytes())
    assert digests[0] == expected.hexdigest()


def test_finishing_leaves_one_file_with_the_last_checkpoint_inside(make, tmp_path):
    recorder = make()
    recorder.begin()
    recorder.save_checkpoint({"w": np.zeros(2)}, {"at": 1})
    recorder.save_checkpoint({"w": np.ones(2), "deep/er": np.zeros(())}, {"at": 2**80})
    recorder.finish({"presentations": 3}, {})
    assert os.listdir(tmp_path) == ["run.h5"]
    with Run(tmp_path / "run.h5") as run:
        assert run.checkpoint.position == {"at": 2**80}
        assert run.checkpoint.arrays["w"].tolist() == [1, 1]
        assert run.checkpoint.arrays["deep/er"].shape == ()


@pytest.mark.parametrize("compression", ["lzf", "gzip", "none"])
def test_finished_file_is_compressed_and_checksummed(make, compression):
    recorder = make(record=RecordSettings(compression=compression))
    recorder.declare("layers/a/weight", **WEIGHT | {"rows": 20000})
    recorder.begin()
    recorder.append("layers/a/weight", np.ones((20000, 4), np.float32))
    path = recorder.finish({}, {})
    with h5py.File(path) as file:
        dataset = file["layers/a/weight"]
        assert dataset.compression == (None if compression == "none" else compression)
        assert dataset.fletcher32
        assert dataset.chunks[0] > 1
    assert (path.stat().st_size < 100_000) == (compression != "none")


def test_leaving_without_finish_keeps_a_readable_partial_file(tmp_path):
    path = tmp_path / "run.h5"

    def fail():
        with Recorder.create(path, protocol="demo", settings={}, seed=0) as recorder:
            recorder.declare("layers/a/weight", **WEIGHT)
            recorder.begin()
            recorder.append("layers/a/weight", np.ones((3, 4)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    with Run(path) as run:
        assert run.status == "partial"
        assert run.trace("a", "weight").values.shape == (3, 4)


def test_existing_runs_are_never_replaced_by_accident(make, tmp_path):
    first = make(seed=1)
    first.begin()
    with pytest.raises(RunFileError, match="which another process is writing"):
        make(overwrite=True)
    with pytest.raises(RunFileError, match="or resume it"):
        make()
    first.finish({}, {})
    with pytest.raises(RunFileError, match="--overwrite"):
        make()
    second = make(seed=2, overwrite=True)
    second.begin()
    with Run(tmp_path / "run.h5") as run:
        assert run.seed == 1
    with Run(second.finish({}, {})) as run:
        assert run.seed == 2


def test_a_file_that_appears_meanwhile_is_not_replaced(make, tmp_path):
    recorder = make()
    recorder.begin()
    (tmp_path / "run.h5").write_text("precious")
    with pytest.raises(RunFileError, match="which exists"):
        recorder.finish({}, {})
    assert (tmp_path / "run.h5").read_text() == "precious"
    (tmp_path / "run.h5").unlink()
    recorder.finish({}, {})


def test_missing_folders_are_made_and_impossible_ones_refused(make, tmp_path):
    make("deep/er/run.h5").close()
    assert (tmp_path / "deep/er/run.h5.partial").exists()
    (tmp_path / "folder.h5").mkdir()
    (tmp_path / "file").touch()
    for name, words in {
        "folder.h5": "a folder",
        "file/run.h5": "Not a directory|File exists",
        "/proc/run.h5": "writable",
        "x" * 300: "name too long",
    }.items():
        with pytest.raises(RunFileError, match=words) as caught:
            make(name)
        assert "\n" not in str(caught.value)


def test_a_full_disk_is_noticed_before_the_start(make, monkeypatch):
    recorder = make()
    recorder.declare("layers/a/weight", **WEIGHT | {"rows": 10**6})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(RunFileError, match=r"1\.626e\+07 bytes free; got 1000"):
        recorder.begin()


@pytest.mark.parametrize("n", [2, 8])  # part of a block, or what makes it a whole one
def test_a_failed_write_is_reported_and_stays_reported(make, monkeypatch, tmp_path, n):
    recorder = make()
    recorder.declare("layers/a/weight", **WEIGHT)
    recorder.begin()
    recorder.append("layers/a/weight", np.ones((2, 4)))
    recorder.save_checkpoint({"w": np.ones(2)}, {})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(buffer, "write_rows" if n == 2 else "write_chunk", full)

    def write():
        recorder.append("layers/a/weight", np.ones((n, 4)))
        recorder.flush()

    with pytest.raises(RunFileError, match="No space left on device"):
        write()
    monkeypatch.undo()
    with pytest.raises(RunFileError, match="No space left on device"):
        recorder.append("layers/a/weight", np.ones((1, 4)))
    recorder.close()
    with Run(tmp_path / "run.h5") as run:
        assert run.checkpoint.rows == {"layers/a/weight": 2}


def test_endless_series_stop_at_the_budget(make):
    recorder = make(record=RecordSettings(budget=200_000))
    recorder.declare("layers/a/weight", **WEIGHT | {"rows": None})
    recorder.begin()
    recorder.append("layers/a/weight", np.ones((10_000, 4)))
    with pytest.raises(BudgetError, match=r"2e\+05 bytes, all used"):
        recorder.append("layers/a/weight", np.ones((10_000, 4)))
    with Run(recorder.finish({}, {})) as run:
        assert len(run.trace("a", "weight").values) == 10_000


def test_memory_is_bounded_whatever_is_appended(make):
    recorder = make()
    names = [f"layers/a/trace{i}" for i in range(80)]
    for name in names:
        recorder.declare(name, **WEIGHT | {"shape": (64,), "dtype": "f8", "rows": 10**4})
    recorder.begin()
    rows = np.ones((150, 64))
    tracemalloc.start()
    try:
        for _ in range(10):
            for name in names:
                recorder.append(name, rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 10e6 < peak < 18e6  # of 61 MB appended; the lower bound shows that rows are collected


def test_threads_may_append_to_their_own_series(make):
    recorder = make()
    for i in range(4):
        recorder.declare(f"layers/a/{i}", **WEIGHT | {"rows": 2000})
    recorder.begin()

    def append(i):
        for j in range(500):
            recorder.append(f"layers/a/{i}", np.full((1, 4), j))

    threads = [threading.Thread(target=append, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Run(recorder.finish({}, {})) as run:
        for i in range(4):
            np.testing.assert_array_equal(run.trace("a", str(i)).values[:, 0], np.arange(500))


@pytest.mark.parametrize(
    "change",
    [
        {"every": -1},
        {"every": 0.5},
        {"neurons": 2.0},
        {"synapses": "3"},
        {"budget": 0},
        {"budget": float("nan")},
        {"compression": "zip"},
        {"instants": (3, 3)},
        {"instants": (-1, 3)},
        {"instants": (1, 2.5)},
        {"instants": (1,)},
    ],
)
def test_record_settings_are_checked(change):
    with pytest.raises(NeurosimError, match=f"RecordSettings.{next(iter(change))}"):
        RecordSettings(**change)


def test_seed_must_fit(make):
    with pytest.raises(SettingError, match=r"Recorder\.seed"):
        make(seed=2**63)
