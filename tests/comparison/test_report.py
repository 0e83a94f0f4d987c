"""The files of a comparison: complete, consistent, and drawn for any number of arms."""

import csv
import io
import json

import numpy as np
import pytest

from neurosim.checks import RunFileError
from neurosim.comparison import compare, write_report
from neurosim.comparison.figure import draw
from neurosim.comparison.report import SUFFIXES, markdown
from neurosim.comparison.wording import layer_tables, main_table


def test_all_files_are_written_and_agree(two_arms, tmp_path):
    found = compare(two_arms, probe=50)
    files = write_report(found, tmp_path / "new" / "my comparison")
    assert [file.name for file in files] == [f"my comparison{suffix}" for suffix in SUFFIXES]
    assert sorted(files) == sorted((tmp_path / "new").iterdir())
    assert files[0].stat().st_size > 20_000
    rows = list(csv.DictReader(io.StringIO(files[2].read_text())))
    assert [row["seeds"] for row in rows] == ["0 1", "0"]
    mean = float(rows[0]["test_accuracy_mean"])
    assert mean == found.figures[0]["test_accuracy"].mean
    assert rows[0]["alignment_layer1_last_mean"] == ""
    text = files[3].read_text()
    assert f"| {100 * mean:.2f} (" in text
    assert "(my%20comparison.png)" in text
    assert '"rate": 0.1' in text
    assert all(note in text for note in found.notes)
    assert json.loads(files[4].read_text()) == json.loads(json.dumps(found.to_json()))


@pytest.fixture
def drawn(tmp_path):
    """The figure as SVG text."""

    def of(comparison):
        draw(comparison, [tmp_path / "c.svg"])
        return (tmp_path / "c.svg").read_text()

    return of


def test_the_figure_has_a_panel_for_each_thing_measured(two_arms, drawn):
    svg = drawn(compare(two_arms, probe=50))
    for expected in (
        "Per presentation", "Per second of learning", "Linear probe of each layer", "backprop",
        "Alignment with backprop, layer 2", "streaming two-point",
    ):  # fmt: skip
        assert expected in svg
    assert "differ in their data" not in svg
    svg = drawn(compare(two_arms[:2], probe=0))
    assert "Per presentation" in svg
    assert "Linear probe" not in svg
    assert "Alignment" not in svg


@pytest.mark.parametrize(("arms", "seeds", "layers"), [(8, 1, 0), (2, 3, 5)])
def test_any_number_of_arms_seeds_and_layers_can_be_drawn(make, drawn, arms, seeds, layers):
    cosines = {f"alignment_layer{k + 1}": (0.1, np.nan, 1.0) for k in range(layers)}
    paths = [
        make(f"{arm}-{seed}.h5", seed, rate=(arm + 1) / 10, history=cosines)
        for arm in range(arms)
        for seed in range(seeds)
    ]
    svg = drawn(compare(paths, probe=0))
    assert svg.count("Alignment with backprop") == layers
    assert all(f"rate 0.{k + 1}" in svg for k in range(arms))


def test_one_evaluation_without_error_can_be_drawn_and_mixed_data_are_said_to_be(make, drawn):
    once = {"presentations": (10,), "elapsed": (1.0,), "accuracy": (1.0,)}
    held_out = {"measured_on": "validation"}
    paths = [
        make("a.h5", history=once, finish=False),
        make("b.h5", 1, history=once, summary=held_out, widths=[8, 8]),
    ]
    comparison = compare(paths, probe=0, mixed=True)
    svg = drawn(comparison)
    assert "Runs differ in their data or networks" in svg
    assert "test or validation error (%)" in svg
    assert main_table(comparison).header[2] == "test or validation accuracy (%)"
    assert "widths: 12 8 in a.h5.partial; 8 8 in b.h5" in markdown(comparison, "c")


def test_a_report_that_cannot_be_written_leaves_the_old_one(make, tmp_path, monkeypatch):
    found, stem = compare([make("a.h5")], probe=0), tmp_path / "new" / "c"
    monkeypatch.setattr("neurosim.comparison.figure.draw", lambda *_: None)
    before = {file: file.read_bytes() for file in write_report(found, stem)[2:]}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neurosim.recording.files.synchronize", full)
    with pytest.raises(
        RunFileError, match=r"compare\.out must be writable; got .*c\.csv \(No space"
    ):
        write_report(found, stem)
    assert {file: file.read_bytes() for file in stem.parent.iterdir()} == before
    with pytest.raises(RunFileError, match=r"compare\.out must be writable"):
        write_report(found, tmp_path / "a.h5" / "c")


def test_cells_are_written_for_people(two_arms):
    found = compare(two_arms, probe=0)
    main, ((about, layers),) = main_table(found), layer_tables(found)
    first = dict(zip(main.header, main.rows[0], strict=True))
    assert first["seeds"] == "0 1"
    assert first["presentations"] == "4,000"
    assert first["peak memory (MB)"] == "200"
    assert first["at 3,000 presentations (%)"] == "70.00"
    assert first["at 3.5 s (%)"] == "80.00 (75.00-85.00)"
    assert about.startswith("Alignment: cosine")
    assert layers.rows[0] == ["backprop", "-", "-", "-", "-"]
    assert layers.rows[1][1:3] == ["0.400", "0.300"]
