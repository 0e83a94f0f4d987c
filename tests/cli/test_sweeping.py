"""`neurosim sweep`: from words to runs, a table and an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neurosim import cli
from neurosim.recording import Run
from neurosim.sweep import Outcome


def sweep(*words: str) -> int:
    return cli.main(["sweep", "./count.py", "--out", "all", *words])


@pytest.mark.usefixtures("protocol")
def test_a_sweep_makes_runs_a_table_and_files(capsys):
    words = ("--grid", "widths=4,5 6", "--seeds", "3,", "--steps", "2", "--workers", "2")
    assert sweep(*words) == 0
    captured = capsys.readouterr()
    rows = [line.split() for line in captured.out.splitlines()]
    assert rows[1][:3] == ["4", "1/1", "100.00%"]
    assert rows[2][:4] == ["5", "6", "1/1", "100.00%"]
    files = sorted(Path("all").glob("*.h5"))
    assert [file.name[:-12] for file in files] == [
        "count-widths=4-seed3",
        "count-widths=5_6-seed3",
    ]
    stored = []
    for file in files:
        with Run(file) as run:
            stored.append((run.seed, run.settings["steps"], run.settings["widths"]))
    assert stored == [(3, 2, [4]), (3, 2, [5, 6])]

    times = [file.stat().st_mtime_ns for file in files]
    assert sweep(*words, "--json") == 0
    points = json.loads(capsys.readouterr().out)["points"]
    assert [point["settings"] for point in points] == [{"widths": [4]}, {"widths": [5, 6]}]
    assert [run["status"] for point in points for run in point["runs"]] == ["skipped", "skipped"]
    assert json.loads(Path("all/sweep.json").read_text())["points"] == points
    assert [file.stat().st_mtime_ns for file in files] == times


@pytest.mark.usefixtures("protocol")
def test_failed_runs_are_told_and_give_code_1(capsys):
    assert sweep("--mode", "crash", "--retries", "0", "--quiet") == 1
    captured = capsys.readouterr()
    assert captured.out == "all\n"
    first, last = captured.err.splitlines()
    assert first.startswith("failed: all/count-seed0-")
    assert "ZeroDivisionError: count (count.py:" in first
    assert "1 of 1 runs failed. The same command tries them again" in last
    assert "--debug" in last


@pytest.mark.usefixtures("protocol")
def test_an_interrupted_sweep_is_code_130_and_still_sums_up(monkeypatch, capsys):
    def interrupted(jobs, **options):
        return [Outcome(job=job, status="interrupted", path=job.out, error=None) for job in jobs]

    Path("all").mkdir()
    monkeypatch.setattr("neurosim.cli.sweeping.run_jobs", interrupted)
    assert sweep("--seeds", "4") == 130
    captured = capsys.readouterr()
    assert captured.err == ("Interrupted; 0 of 4 runs are finished. The same command continues.\n")
    assert "0/4" in captured.out
    assert Path("all/sweep.csv").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--threads", "1"], (8, 64)),
        (["--grid", "threads=2,4"], (2, 64)),
        (["--device", "gpu"], (1, 64)),
        (["--grid", "device=cpu,gpu", "--replicas", "5"], (1, 5)),
        (["--device", "gpu", "--workers", "3"], (3, 64)),
    ],
)
def test_as_many_processes_as_there_are_cores_for_but_one_on_a_gpu(words, expected, monkeypatch):
    found = []

    def note(jobs, *, workers, replicas, **options):
        found.append((workers, replicas))
        return [Outcome(job=job, status="interrupted", path=job.out, error=None) for job in jobs]

    monkeypatch.setattr("neurosim.cli.sweeping.run_jobs", note)
    monkeypatch.setattr("neurosim.cli.sweeping.cores", lambda: 8)
    monkeypatch.setattr("neurosim.cli.sweeping.write", lambda *results: None)
    assert cli.main(["sweep", "pogodin2020_stream", *words, "--quiet"]) == 130
    assert found == [expected]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--grid", "stps=1,2"], "Did you mean steps?"),
        (["--grid", "steps=3,many"], "many"),
        (["--grid", "steps=3,-1"], "Config.steps must be positive; got -1"),
        (["--grid", "mode=add,sideways"], "sideways"),
        (["--grid", "widths=4,5 x"], "widths"),
        (["--grid", "seed=1,2"], "Use --seeds 5"),
        (["--grid", "steps="], "sweep.grid must be key=v1,v2"),
        (["--grid", "steps=1,01"], "run_jobs.jobs must have different settings"),
        (["--grid", "steps=1,2", "--steps", "3"], "must not be set elsewhere too"),
        (["--seed", "1"], "Use: --seeds 5"),
        (["--seeds", "0"], "sweep.seeds must be how many"),
        (["--workers", "0"], "sweep.workers must be at least 1"),
        (["--retries", "-1"], "run_jobs.retries must be at least 0"),
        (["--workers", "2", "--scheduler", "tcp://here:1"], "sweep.workers must be left out"),
        (["--stpes", "3"], "Did you mean --steps?"),
        (["--out", "count.py"], "count.py"),
    ],
)
@pytest.mark.usefixtures("protocol")
def test_bad_input_is_one_line_and_code_2_and_starts_nothing(words, text, capsys):
    assert sweep(*words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert text in captured.err
    assert not list(Path().glob("**/*.h5*"))


def test_words_without_a_protocol_are_bad_input(capsys):
    assert cli.main(["sweep"]) == 2
    assert "sweep must be given a protocol first; got nothing" in capsys.readouterr().err
    assert cli.main(["sweep", "no_such"]) == 2
    assert "no_such" in capsys.readouterr().err


@pytest.mark.slow
def test_real_runs_learn_and_equal_those_made_one_by_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    protocol = "pogodin2020_table1"
    tiny = ["--dataset", "clusters", "--widths", "64", "--groups", "8", "--epochs", "2"]
    grid = ["--grid", "rule=gaussian,backprop", "--seeds", "2", "--workers", "2"]
    assert cli.main(["sweep", protocol, *tiny, "--batch", "64", *grid, "--json"]) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    assert [len(point["runs"]) for point in points] == [2, 2]
    assert points[1]["test_accuracy"]["min"] > 0.6
    assert all(point["seconds"]["min"] > 0 for point in points)
    alone = ["--rule", "backprop", "--seed", "1", "--out", "alone.h5", "--quiet"]
    assert cli.main(["run", protocol, *tiny, "--batch", "64", *alone]) == 0
    with Run("alone.h5") as one, Run(points[1]["runs"][1]["file"]) as other:
        assert one.settings == other.settings
        assert one.weights_digest == other.weights_digest
