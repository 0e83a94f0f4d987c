"""`neurosim compare` on real runs of both kinds of training."""

import json

import pytest

from neurosim.cli import main

SMALL = [
    *("--dataset", "clusters", "--train", "400", "--widths", "16", "--groups", "4"),
    *("--epochs", "1", "--evaluations", "3", "--threads", "1", "--quiet"),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds of backprop and one of the streaming rule."""
    folder = tmp_path_factory.mktemp("runs")
    words = {
        "back-0.h5": ("pogodin2020_table1", "--rule", "backprop", "--normalization", "plain"),
        "back-1.h5": ("pogodin2020_table1", "--rule", "backprop", "--normalization", "plain",
                      "--seed", "1"),
        "stream.h5": ("pogodin2020_stream",),
    }  # fmt: skip
    for name, (protocol, *options) in words.items():
        assert main(["run", protocol, *SMALL, *options, "--out", str(folder / name)]) == 0
    return [str(folder / name) for name in words]


def test_tables_are_printed_and_files_written(runs, tmp_path, capsys):
    assert main(["compare", *runs, "--out", str(tmp_path / "a/c"), "--probe", "200"]) == 0
    text = capsys.readouterr().out
    for expected in ("backprop", "streaming two-point grouped", "test accuracy", "probe layer1",
                     "note: Seeds differ"):  # fmt: skip
        assert expected in text
    assert {file.name for file in (tmp_path / "a").iterdir()} == {
        "c.png", "c.svg", "c.csv", "c.md", "c.json",
    }  # fmt: skip


@pytest.fixture
def undrawn(monkeypatch):
    """Spare the time of the figure."""
    monkeypatch.setattr("neurosim.comparison.figure.draw", lambda *_: None)


@pytest.mark.usefixtures("undrawn")
def test_json_is_all_there_is_on_stdout(runs, tmp_path, capsys):
    assert main(["compare", *runs, "--json", "--out", str(tmp_path / "c"), "--label", "rule"]) == 0
    told = json.loads(capsys.readouterr().out)
    labels = [arm["label"] for arm in told["arms"]]
    assert labels == ["pogodin2020_table1 (rule backprop)", "streaming two-point (rule grouped)"]
    backprop, stream = told["arms"]
    assert backprop["figures"]["presentations"]["values"] == [400, 400]
    assert stream["figures"]["probe_layer1"]["mean"] > 0.5
    assert told["probe"]["samples"] == 10_000
    assert len(told["files"]) == 5


@pytest.mark.usefixtures("undrawn")
def test_the_report_lies_beside_the_first_run_by_default(runs, capsys):
    assert main(["compare", runs[2], "--probe", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == runs[2].replace("stream.h5", "comparison.json")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "at least one run file"),
        (["nothing.h5"], "nothing.h5"),
        (["{0}", "{0}"], "got seed 0 in"),
        (["{0}", "--label", "ruel"], "compare.label"),
        (["{0}", "--probe", "-1"], "compare.probe"),
        (["{0}", "--out", "{0}/c"], "compare.out must be writable"),
        (["{0}", "--mixd"], "--mixed"),
    ],
)
def test_bad_input_is_one_line_and_code_2(runs, words, text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *(word.format(*runs) for word in words)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1].startswith("error: ")
    assert text in captured.err
    assert not list(tmp_path.iterdir())
