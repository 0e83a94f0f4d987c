"""`neurosim run` and `neurosim resume`: files, settings, interruptions, exit codes."""

from __future__ import annotations

import json
import shutil
import signal
import warnings
from pathlib import Path

import pytest

from neurosim import cli
from neurosim.recording import Run


def run(*words: str) -> int:
    return cli.main(["run", "./count.py", *words])


@pytest.mark.usefixtures("protocol")
def test_run_stores_settings_and_sums_up(capsys):
    assert run("--out", "a.h5", "--seed", "3", "--steps", "4", "--widths", "7", "8") == 0
    with Run("a.h5") as stored:
        assert stored.status == "finished"
        assert stored.seed == 3
        assert stored.settings["widths"] == [7, 8]
        assert stored.provenance["protocol_file"] == "count.py"
        assert list(stored.history["presentations"]) == [1, 2, 3, 4]
    captured = capsys.readouterr()
    assert captured.err == ""
    rows = dict(line.split(None, 1) for line in captured.out.splitlines()[:5])
    assert rows["protocol"].strip() == "count"
    assert rows["status"].strip() == "finished"
    assert rows["presentations"].strip() == "4"
    assert "100.00%" in captured.out
    assert "neurosim plot a.h5" in captured.out


@pytest.mark.usefixtures("protocol")
def test_dotted_settings_reach_nested_dataclasses():
    assert run("--out", "a.h5", "--inner.depth", "9", "--record.every", "2") == 0
    with Run("a.h5") as stored:
        assert stored.settings["inner"] == {"depth": 9}
        assert stored.record.every == 2


@pytest.mark.usefixtures("protocol")
def test_default_names_never_clobber(capsys):
    for _ in range(3):
        assert run("--quiet") == 0
    names = ["runs/count-seed0.h5", "runs/count-seed0-2.h5", "runs/count-seed0-3.h5"]
    assert capsys.readouterr().out.split() == names
    assert all(Path(name).is_file() for name in names)


@pytest.mark.usefixtures("protocol")
def test_an_existing_file_is_kept_unless_overwritten(capsys):
    assert run("--out", "a.h5", "--steps", "2") == 0
    before = Path("a.h5").read_bytes()
    assert run("--out", "a.h5") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert Path("a.h5").read_bytes() == before
    assert run("--out", "a.h5", "--overwrite") == 0
    with Run("a.h5") as stored:
        assert stored.settings["steps"] == 5


@pytest.mark.parametrize(
    ("words", "words_of_error"),
    [
        (["--step", "3"], ["--step", "Did you mean --steps?"]),
        (["--steps", "many"], ["--steps", "many"]),
        (["--steps", "-1"], ["Config.steps must be positive; got -1"]),
        (["--mode", "sideways"], ["--mode", "sideways", "add"]),
        (["--record.evry", "1"], ["Did you mean --record.every?"]),
        (["--seed", "-1"], ["Config.seed"]),
        (["--steps"], ["--steps"]),
        (["--out", "count.py/a.h5"], ["a.h5"]),
        (["--mode", "fail"], ["Data.file must exist"]),
    ],
)
@pytest.mark.usefixtures("protocol")
def test_bad_input_is_one_line_and_code_2_and_leaves_nothing(words, words_of_error, capsys):
    assert run(*words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith("error: ")
    for expected in words_of_error:
        assert expected in captured.err
    assert not list(Path().glob("**/*.h5*"))


@pytest.mark.usefixtures("protocol")
def test_debug_shows_the_traceback_of_bad_input(capsys):
    assert run("--mode", "fail", "--debug") == 2
    error = capsys.readouterr().err
    assert error.startswith("Traceback")
    assert error.splitlines()[-1].startswith("error: Data.file")


@pytest.mark.usefixtures("protocol")
def test_a_bug_is_code_1_with_its_place_and_keeps_the_partial_file(capsys):
    assert run("--out", "a.h5", "--mode", "crash") == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    for expected in ("ZeroDivisionError: count", "count.py:", "bug", "--debug", "a.h5.partial"):
        assert expected in error
    with Run("a.h5") as stored:
        assert list(stored.history["presentations"]) == [1, 2, 3]


@pytest.mark.usefixtures("protocol")
def test_a_protocol_that_does_not_finish_is_told_so(capsys):
    assert run("--out", "a.h5", "--mode", "forget") == 2
    assert "recorder.finish" in capsys.readouterr().err
    assert Path("a.h5.partial").exists()


@pytest.mark.parametrize("mode", ["interrupt", "kill"])
@pytest.mark.usefixtures("protocol")
def test_resume_gives_the_uninterrupted_result(mode, capsys):
    before = signal.getsignal(signal.SIGTERM)
    assert run("--out", "whole.h5", "--seed", "4") == 0
    assert run("--out", "count.h5", "--seed", "4", "--mode", mode) == 130
    error = capsys.readouterr().err
    assert not error.startswith("error")
    assert error.count("\n") == 1
    assert "neurosim resume count.h5" in error
    assert signal.getsignal(signal.SIGTERM) is before
    assert not Path("count.h5").exists()
    assert cli.main(["resume", "count.h5.partial"]) == 0
    with Run("whole.h5") as whole, Run("count.h5") as resumed:
        assert resumed.weights_digest == whole.weights_digest
        assert list(resumed.history["presentations"]) == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("protocol")
def test_resuming_a_finished_run_says_so(capsys):
    assert run("--out", "a.h5") == 0
    before = Path("a.h5").read_bytes()
    capsys.readouterr()
    for name in ("a.h5", "a.h5.partial"):
        assert cli.main(["resume", name]) == 0
        assert "already finished" in capsys.readouterr().out
    assert Path("a.h5").read_bytes() == before


@pytest.mark.usefixtures("protocol")
def test_leftovers_of_a_finished_run_do_not_hide_that_it_is_finished(capsys):
    assert run("--out", "count.h5", "--mode", "interrupt") == 130
    for name in ("count.h5.partial", "count.h5.partial.checkpoint"):
        shutil.copy(name, f"kept{name}")
    assert cli.main(["resume", "count.h5"]) == 0
    for left in (("count.h5.partial", "count.h5.partial.checkpoint"), ("count.h5.partial",)):
        for name in left:
            shutil.copy(f"kept{name}", name)
        capsys.readouterr()
        assert cli.main(["resume", "count.h5"]) == 0
        assert "already finished" in capsys.readouterr().out
        for name in left:
            Path(name).unlink()


@pytest.mark.usefixtures("protocol")
def test_an_overwriting_run_can_be_resumed_beside_the_old_file():
    assert run("--out", "count.h5", "--steps", "9") == 0
    assert run("--out", "count.h5", "--overwrite", "--mode", "interrupt") == 130
    assert cli.main(["resume", "count.h5"]) == 0
    with Run("count.h5") as stored:
        assert stored.settings["steps"] == 5


def test_resume_finds_the_protocol_after_the_folder_moved_and_notices_edits(
    protocol, tmp_path, monkeypatch, capsys
):
    assert run("--out", "runs/count.h5", "--mode", "interrupt") == 130
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.move("runs", moved)
    shutil.move(protocol, moved)
    monkeypatch.chdir("/")
    capsys.readouterr()
    (moved / "count.py").write_text((moved / "count.py").read_text() + "\n# edited\n")
    assert cli.main(["resume", str(moved / "runs" / "count.h5")]) == 0
    assert capsys.readouterr().err == "warning: count.py was edited since the run began\n"


def test_resume_without_its_protocol_or_file_is_bad_input(protocol, capsys):
    assert run("--out", "count.h5", "--mode", "interrupt") == 130
    protocol.unlink()
    capsys.readouterr()
    assert cli.main(["resume", "count.h5"]) == 2
    assert "'count'" in capsys.readouterr().err
    assert cli.main(["resume", "nothing.h5"]) == 2
    assert "nothing.h5" in capsys.readouterr().err


@pytest.mark.usefixtures("protocol")
def test_resume_works_from_the_checkpoint_when_the_partial_file_is_destroyed(capsys):
    assert run("--out", "whole.h5") == 0
    assert run("--out", "count.h5", "--mode", "interrupt") == 130
    Path("count.h5.partial").write_bytes(b"not a run any more")
    capsys.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert cli.main(["resume", "count.h5"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("warning: ") for line in lines)
    with Run("whole.h5") as whole, Run("count.h5") as resumed:
        assert resumed.weights_digest == whole.weights_digest


@pytest.mark.usefixtures("protocol")
def test_settings_options_and_reserved_names_do_not_mix(capsys):
    file = Path("count.py")
    file.write_text(file.read_text().replace("steps: int", "quiet: int"))
    assert run() == 2
    assert "Config.quiet" in capsys.readouterr().err


@pytest.mark.usefixtures("protocol")
def test_help_shows_the_protocols_own_settings(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["run", "./count.py", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for expected in ("Count to a number.", "How far to count.", "--inner.depth", "--out", "--seed"):
        assert expected in text


@pytest.mark.usefixtures("protocol")
def test_settings_survive_the_file(capsys):
    assert run("--out", "a.h5", "--inner.depth", "4") == 0
    capsys.readouterr()
    assert cli.main(["info", "a.h5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["protocol"] == "count"
