import json
import os
import shutil

import h5py
import numpy as np
import pytest

from neurosim.checks import NeurosimError, RunFileError, SettingError
from neurosim.recording import Run


@pytest.fixture(scope="module")
def finished(walk, tmp_path_factory):
    path = tmp_path_factory.mktemp("finished") / "run.h5"
    walk(path, 100)
    return path


@pytest.fixture(scope="module")
def partial(walk, tmp_path_factory):
    path = tmp_path_factory.mktemp("partial") / "run.h5"
    walk(path, 100, stop=95)
    return path.with_name("run.h5.partial")


def test_a_finished_run_tells_what_it_was(finished):
    with Run(finished) as run:
        assert (run.status, run.protocol, run.seed, run.device) == ("finished", "walk", 7, "cpu")
        assert run.settings == {"steps": 100}
        assert run.summary == {"presentations": 100, "test_accuracy": 0.5}
        assert run.layers == ["layer1"]
        assert run.traces("layer1") == ["state"]
        assert run.history["presentations"].tolist() == list(range(10, 101, 10))
        info = run.info()
    assert json.loads(json.dumps(info)) == info
    assert (info["presentations"], info["test_accuracy"]) == (100, 0.5)
    assert info["status"] == "finished"
    assert len(info["weights_digest"]) == 64


def test_traces_come_with_axes_unit_and_coordinates_also_in_part(finished):
    with Run(finished) as run:
        whole, part = run.trace("layer1", "state"), run.trace("layer1", "state", slice(20, 90, 10))
    assert whole.axes == ("presentation", "neuron")
    assert whole.unit == "Hz"
    assert whole.coordinates["neuron"].tolist() == [4, 5, 6]
    np.testing.assert_array_equal(whole.coordinates["presentation"], np.arange(100))
    np.testing.assert_array_equal(part.values, whole.values[20:90:10])
    np.testing.assert_array_equal(part.coordinates["presentation"], np.arange(20, 90, 10))


def test_a_partial_run_answers_under_either_name(partial):
    for name in (partial, partial.with_name("run.h5")):
        with Run(name) as run:
            info = run.info()
            assert (info["status"], info["presentations"]) == ("partial", 90)
            assert info["test_accuracy"] is None
            assert info["weights_digest"] is None
            assert run.events["index"].tolist() == list(range(95))
            assert run.weights("layer1").shape == (3,)


def test_a_run_is_readable_while_it_is_written(make, tmp_path):
    recorder = make()
    recorder.declare_history({"presentations": "1"})
    recorder.begin()
    with Run(tmp_path / "run.h5") as run:
        for i in range(3):
            recorder.note(presentations=i)
            assert run.history["presentations"].tolist() == list(range(i + 1))


def test_weights_are_found_with_or_without_their_prefixes(make, tmp_path):
    recorder = make()
    recorder.begin()
    names = ["weights/layer1", "layer2/weights", "net/layer3/weights", "readout.weight", "layer3"]
    recorder.save_checkpoint({name: np.full(1, i) for i, name in enumerate(names)}, {})
    with Run(tmp_path / "run.h5") as run:
        found = [run.weights(n)[0] for n in ("layer1", "layer2", "net/layer3", "readout", "layer3")]
        assert found == [0, 1, 2, 3, 4]
        for wrong in ("layer", "ayer1", "weights", ""):
            with pytest.raises(SettingError, match=r"Run\.weights must name one"):
                run.weights(wrong)


def test_traces_may_lie_in_groups(make):
    recorder = make()
    for name in ("rate", "instants/rate"):
        recorder.declare(
            f"layers/a/{name}", shape=(), dtype="f4", unit="Hz", axes=("presentation",), rows=3
        )
    recorder.begin()
    recorder.append("layers/a/instants/rate", np.arange(3.0))
    with Run(recorder.finish({}, {})) as run:
        assert sorted(run.traces("a")) == ["instants/rate", "rate"]
        assert run.trace("a", "instants/rate").values.tolist() == [0, 1, 2]


def test_layers_are_in_natural_order(make):
    recorder = make()
    recorder.begin()
    names = ["readout", "layer10", "layer2"]
    with Run(recorder.finish({}, {name: np.zeros(1) for name in names})) as run:
        assert run.layers == ["layer2", "layer10"]


def test_unknown_names_list_the_known_ones(finished):
    with Run(finished) as run:
        for ask in (
            lambda: run.traces("layer9"),
            lambda: run.trace("layer1", "weight"),
            lambda: run.weights("layer9"),
            lambda: run.series("layers/layer1"),
        ):
            with pytest.raises(SettingError, match=r"layer1|state"):
                ask()


@pytest.mark.parametrize("part", [0.0, 0.001, 0.2, 0.5, 0.9, 0.999])
def test_a_truncated_finished_file_is_refused(finished, tmp_path, part):
    path = tmp_path / "run.h5"
    shutil.copy(finished, path)
    os.truncate(path, int(part * path.stat().st_size))
    with pytest.raises(RunFileError, match="truncated, damaged or not HDF5") as caught:
        Run(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_truncated_partial_file_gives_true_rows_or_one_clear_error(partial, tmp_path):
    path = tmp_path / "run.h5.partial"
    whole = partial.read_bytes()
    said, readable = "", 0
    for size in range(0, len(whole), len(whole) // 50):
        path.write_bytes(whole[:size])
        try:
            with Run(path) as run:
                values = run.events["index"]
                np.testing.assert_array_equal(values, np.arange(len(values)))
                readable += 1
        except RunFileError as error:
            said += str(error)
    assert readable
    assert "truncated" in said
    assert "\n" not in said


def test_a_flipped_bit_in_the_data_is_noticed(finished, tmp_path):
    path = tmp_path / "run.h5"
    shutil.copy(finished, path)
    with h5py.File(path) as file:
        chunk = file["layers/layer1/state"].id.get_chunk_info(0)
    contents = bytearray(path.read_bytes())
    contents[chunk.byte_offset + chunk.size // 2] ^= 4
    path.write_bytes(contents)
    with Run(path) as run, pytest.raises(RunFileError, match="damaged"):
        run.trace("layer1", "state")


def test_other_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = [1]
    with h5py.File(tmp_path / "later.h5", "w") as file:
        file.attrs.update({"format": "neurosim-run", "format_version": 99})
    (tmp_path / "text.h5").write_text("text")
    for name, words in {
        "other.h5": "another kind of HDF5 file",
        "later.h5": "newer neurosim",
        "text.h5": "not HDF5",
        "none.h5": "no such file",
        ".": "a folder",
        "text.h5/run.h5": "no such file",
        "x" * 300: "no such file",
    }.items():
        with pytest.raises(NeurosimError, match=words):
            Run(tmp_path / name)
