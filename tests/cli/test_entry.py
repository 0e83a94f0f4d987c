"""The top of the command line: help, unknown words, exit codes, a fast start."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from neurosim import cli
from neurosim.checks import SettingError
from neurosim.cli import entry


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"]])
def test_help_names_every_command(words, capsys):
    assert cli.main(words) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in entry.COMMANDS)


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("neurosim ")


@pytest.mark.parametrize("name", sorted(entry.COMMANDS))
def test_every_command_has_help(name, capsys):
    try:
        code = cli.main([name, "--help"])
    except SystemExit as stop:
        code = stop.code
    assert code == 0
    assert f"usage: neurosim {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["rnu"], "Did you mean run?"),
        (["fly"], f"Command must be one of {', '.join(entry.COMMANDS)}; got 'fly'"),
        (["run"], "run must be given a protocol first; got nothing"),
        (["run", "--seed", "3"], "run must be given a protocol first; got --seed"),
        (["run", "no_such_protocol"], "no_such_protocol"),
        (["info"], "FILE"),
        (["info", "no_such_file.h5"], "no_such_file.h5"),
        (["list", "--jsno"], "Did you mean --json?"),
    ],
)
def test_bad_words_are_one_line_and_code_2(words, text, capsys):
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert text in captured.err
    assert captured.err.count("\n") == 1


def test_errors_of_several_lines_become_one(monkeypatch, capsys):
    def fail(words):
        raise SettingError("first\n  second")

    monkeypatch.setattr(entry, "_dispatch", fail)
    assert cli.main(["anything"]) == 2
    assert capsys.readouterr().err == "error: first second\n"


def test_a_keyboard_interrupt_outside_a_run_is_code_130(monkeypatch, capsys):
    def stop(words):
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "_dispatch", stop)
    assert cli.main(["anything"]) == 130
    assert capsys.readouterr().err.startswith("Interrupted")


def test_help_starts_without_the_heavy_libraries():
    heavy = ("numba", "matplotlib", "sklearn", "scipy", "h5py")
    code = (
        "import sys; from neurosim.cli import main; code = main(['--help']); "
        f"print(code, [name for name in {heavy} if name in sys.modules])"
    )
    words = [sys.executable, "-c", code]
    answer = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert answer.stdout.splitlines()[-1] == "0 []", answer.stderr


def test_the_module_runs_as_a_script_and_a_reader_that_left_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "neurosim", "--help"]
    answer = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert (answer.returncode, answer.stderr) == (0, "")
