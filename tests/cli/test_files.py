"""`neurosim info`, `plot` and `list`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neurosim import cli, data
from neurosim.plasticity import RULES
from neurosim.protocol import available
from neurosim.recording import Recorder, Run

PNG = b"\x89PNG\r\n"


@pytest.fixture
def finished(protocol, capsys) -> Path:
    assert cli.main(["run", "./count.py", "--out", "count.h5"]) == 0
    capsys.readouterr()
    return protocol


@pytest.mark.usefixtures("finished")
def test_info_as_json_and_as_text(capsys):
    assert cli.main(["info", "count.h5", "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    expected = {"protocol": "count", "status": "finished", "seed": 0, "device": "cpu"}
    assert expected.items() <= info.items()
    assert (info["presentations"], info["test_accuracy"]) == (5, 1.0)
    assert len(info["weights_digest"]) == 64
    assert cli.main(["info", "count.h5"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["protocol", "count"] in lines
    assert ["settings.inner.depth", "2"] in lines
    assert ["settings.widths", "2,", "3"] in lines


@pytest.mark.usefixtures("protocol")
def test_info_of_a_partial_run(capsys):
    assert cli.main(["run", "./count.py", "--out", "count.h5", "--mode", "interrupt"]) == 130
    capsys.readouterr()
    for name in ("count.h5", "count.h5.partial"):
        assert cli.main(["info", name, "--json"]) == 0
        info = json.loads(capsys.readouterr().out)
        assert (info["status"], info["presentations"]) == ("partial", 3)


@pytest.mark.usefixtures("finished")
def test_info_of_a_truncated_file_is_one_line(capsys):
    whole = Path("count.h5").read_bytes()
    Path("cut.h5").write_bytes(whole[: len(whole) // 2])
    assert cli.main(["info", "cut.h5"]) == 2
    error = capsys.readouterr().err
    assert "cut.h5" in error
    assert error.count("\n") == 1


@pytest.mark.usefixtures("finished")
def test_plot_draws_the_default_figure_beside_the_run(capsys):
    assert cli.main(["plot", "count.h5"]) == 0
    assert capsys.readouterr().out == "count.png\n"
    assert Path("count.png").read_bytes().startswith(PNG)
    assert cli.main(["plot", "count.h5", "--out", "new/a.svg"]) == 0
    assert "accuracy" in Path("new/a.svg").read_text()


def test_plot_prefers_the_protocols_own_figure(finished):
    own = "def plot(run, path):\n    path.write_text(f'{run.protocol} drawn by itself')\n"
    finished.write_text(f"{finished.read_text()}\n\n{own}")
    assert cli.main(["plot", "count.h5"]) == 0
    assert Path("count.png").read_text() == "count drawn by itself"


def test_plot_without_the_protocol_says_so_and_draws_the_default(finished, capsys):
    finished.unlink()
    assert cli.main(["plot", "count.h5"]) == 0
    assert capsys.readouterr().err.startswith("warning: Protocol must be one that exists")
    assert Path("count.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("out", ["a.gif", "a", "count.py/a.png"])
@pytest.mark.usefixtures("finished")
def test_plot_refuses_files_it_cannot_write(out, capsys):
    assert cli.main(["plot", "count.h5", "--out", out]) == 2
    error = capsys.readouterr().err
    assert "plot.out" in error
    assert error.count("\n") == 1


def test_plot_of_a_run_without_anything_to_draw_is_bad_input(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Recorder.create("empty.h5", protocol="none", settings={}, seed=0).close()
    assert cli.main(["plot", "empty.h5"]) == 2
    assert "--record.every" in capsys.readouterr().err.splitlines()[-1]
    assert not Path("empty.png").exists()


def test_list_as_json_and_as_text(capsys):
    assert cli.main(["list", "--json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in listing["protocols"]] == [name for name, _ in available()]
    assert {e["name"]: e["present"] for e in listing["data"]} == {
        source.name: source.present() for source in data.available()
    }
    assert [entry["name"] for entry in listing["rules"]] == list(RULES)
    assert all(e["description"] for kind in listing.values() for e in kind)
    assert cli.main(["list"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in [*RULES, "digits"])


def test_run_files_can_be_read_while_info_runs(finished):
    with Run("count.h5"):
        assert cli.main(["info", "count.h5"]) == 0
