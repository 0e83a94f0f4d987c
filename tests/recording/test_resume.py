import os
import random
import shutil
import time

import numpy as np
import pytest

from neurosim.checks import RunFileError
from neurosim.recording import Recorder, Run

STEPS = 200


@pytest.fixture(scope="module")
def whole(walk, tmp_path_factory):
    """The run that nothing interrupts."""
    path = tmp_path_factory.mktemp("whole") / "run.h5"
    walk(path, STEPS)
    return path


@pytest.mark.parametrize("stop", [0, 1, 39, 40, 41, 199, 200])
def test_an_interrupted_run_ends_like_an_uninterrupted_one(
    walk, whole, contents, assert_equal, tmp_path, stop
):
    path = tmp_path / "run.h5"
    walk(path, STEPS, stop=stop)
    walk(path, STEPS)
    assert_equal(contents(path), contents(whole))
    assert os.listdir(tmp_path) == ["run.h5"]
    with Run(path) as run, Run(whole) as uninterrupted:
        assert run.weights_digest == uninterrupted.weights_digest
        assert len(run.provenance.get("resumes", [])) == (stop >= 40)


def test_a_run_that_is_being_written_cannot_be_resumed(make, tmp_path):
    make().begin()
    with pytest.raises(RunFileError, match="another process is writing"):
        Recorder.resume(tmp_path / "run.h5")


@pytest.mark.parametrize("repeat", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_it_is_readable_and_ends_the_same(
    start_walk, contents, assert_equal, walk, tmp_path, repeat
):
    steps, moments = 1_200 * (repeat + 1), random.Random(5)
    path, partial = tmp_path / "run.h5", tmp_path / "run.h5.partial"

    def notes():
        with Run(path) as run:
            if "layer1" in run.layers:
                assert not np.isnan(run.trace("layer1", "state").values).any()
            return len(run.history.get("presentations", []))

    kills, seen = 0, 0
    for _ in range(repeat + 1):
        process = start_walk(path, steps)
        while not partial.exists():
            time.sleep(0.01)
        # Readers see the file grow while it is written, and only true rows.
        before = notes()
        while notes() <= before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.random() * 0.15)
        process.kill()
        process.communicate()
        if not partial.exists():
            break
        kills += 1
        with Run(path) as run:
            assert run.status == "partial"
            index = run.events["index"]
            np.testing.assert_array_equal(index, np.arange(len(index)))
            seen = max(seen, len(index))
    assert kills
    assert seen > 10
    walk(path, steps)
    walk(tmp_path / "whole.h5", steps)
    assert_equal(contents(path), contents(tmp_path / "whole.h5"))


@pytest.mark.parametrize(("limit", "kept"), [(26_000, None), (30_000, 40)])
def test_on_a_full_disk_the_rows_and_checkpoint_are_kept(
    start_walk, walk, whole, contents, assert_equal, tmp_path, limit, kept
):
    path = tmp_path / "run.h5"
    process = start_walk(path, STEPS, limit)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "RunFileError: Recorder.path must be writable" in said.splitlines()[-1]
    with Run(path) as run:
        assert run.status == "partial"
        assert kept is None or run.checkpoint.position["presentations"] >= kept
        rows = run.trace("layer1", "state").values
    expected = contents(whole)
    np.testing.assert_array_equal(rows, expected["state"][: len(rows)])
    walk(path, STEPS)
    assert_equal(contents(path), expected)


def test_an_unreadable_file_is_rebuilt_from_the_checkpoint_and_the_loss_is_told(
    walk, whole, contents, assert_equal, tmp_path
):
    path, partial = tmp_path / "run.h5", tmp_path / "run.h5.partial"
    walk(path, STEPS, stop=90)
    os.truncate(partial, 100)
    with (
        pytest.warns(UserWarning, match="rows lost: 80 of events/index"),
        pytest.warns(UserWarning, match="Going on from the checkpoint"),
    ):
        walk(path, STEPS)
    with Run(path) as run:
        assert run.provenance["lost_rows"]["layers/layer1/state"] == 80
        assert run.settings == {"steps": STEPS}
    found, expected = contents(path), contents(whole)
    assert np.isnan(found["state"][:80]).all()
    assert (found["index"][:80] == -1).all()
    for name in ("state", "index"):
        np.testing.assert_array_equal(found[name][80:], expected[name][80:])
    np.testing.assert_array_equal(found["weights"], expected["weights"])


def test_a_lost_partial_file_is_rebuilt_too(walk, tmp_path):
    path = tmp_path / "run.h5"
    walk(path, STEPS, stop=90)
    (tmp_path / "run.h5.partial").unlink()
    with pytest.warns(UserWarning, match="no such file"):
        recorder = Recorder.resume(path)
    assert recorder.checkpoint.position["presentations"] == 80
    recorder.close()


def test_without_a_checkpoint_a_damaged_file_cannot_be_resumed(walk, tmp_path):
    walk(tmp_path / "run.h5", STEPS, stop=30)
    os.truncate(tmp_path / "run.h5.partial", 100)
    with pytest.raises(RunFileError, match="truncated, damaged"):
        Recorder.resume(tmp_path / "run.h5")


def test_a_damaged_checkpoint_is_never_used(walk, tmp_path):
    walk(tmp_path / "run.h5", STEPS, stop=90)
    checkpoint = tmp_path / "run.h5.partial.checkpoint"
    contents = bytearray(checkpoint.read_bytes())
    contents[contents.index(b"NUMPY") + 130] ^= 1
    checkpoint.write_bytes(contents)
    with pytest.raises(RunFileError, match="Delete it to start the run from the beginning"):
        Recorder.resume(tmp_path / "run.h5")


def test_other_declarations_are_refused_and_leave_the_file_alone(walk, tmp_path):
    path, partial = tmp_path / "run.h5", tmp_path / "run.h5.partial"
    walk(path, STEPS, stop=90)
    before = partial.read_bytes()
    state = {"unit": "Hz", "axes": ("presentation", "neuron"), "rows": STEPS, "dtype": "f8"}

    def declare(recorder, shape):
        recorder.declare("layers/layer1/state", shape=shape, **state)
        recorder.declare_history({"presentations": "1", "test_accuracy": "1"})

    with Recorder.resume(path) as recorder:
        declare(recorder, (3,))
        with pytest.raises(RunFileError, match="difference in events/index"):
            recorder.begin()
    with Recorder.resume(path) as recorder:
        declare(recorder, (4,))
        recorder.declare(
            "events/index", shape=(), dtype="i4", unit="1", axes=("presentation",), rows=STEPS
        )
        with pytest.raises(RunFileError, match=r"layers/layer1/state.*must repeat"):
            recorder.begin()
    assert partial.read_bytes() == before


def test_what_cannot_be_resumed_says_why(walk, whole, tmp_path):
    with pytest.raises(RunFileError, match="which is finished"):
        Recorder.resume(whole)
    with pytest.raises(RunFileError, match="no such run"):
        Recorder.resume(tmp_path / "none.h5")
    walk(tmp_path / "a.h5", STEPS, stop=90)
    walk(tmp_path / "b.h5", STEPS, stop=90)
    os.replace(tmp_path / "a.h5.partial.checkpoint", tmp_path / "b.h5.partial.checkpoint")
    with pytest.raises(RunFileError, match="of another run"):
        Recorder.resume(tmp_path / "b.h5.partial")


def test_killed_between_finishing_and_tidying_up_it_counts_as_finished(walk, tmp_path):
    path = tmp_path / "run.h5"
    walk(path, STEPS, stop=90)
    shutil.copy(tmp_path / "run.h5.partial", tmp_path / "kept")
    walk(path, STEPS)
    os.replace(tmp_path / "kept", tmp_path / "run.h5.partial")
    with pytest.raises(RunFileError, match="leftover and can be deleted"):
        Recorder.resume(tmp_path / "run.h5.partial")


def test_settings_of_a_resumed_run_come_from_the_file(make):
    recorder = make(settings={"widths": (1, 2)}, seed=9)
    settings, record, path = recorder.settings, recorder.record, recorder._paths.partial
    recorder.close()
    with Recorder.resume(path) as resumed:
        assert (resumed.settings, resumed.record) == (settings, record)
        assert resumed.checkpoint is None
