"""What a user gets wrong is one line on stderr and exit code 2, and nothing is lost by it."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neurosim import Run, cli

ROOT = Path(__file__).parents[2]
SMALL = [
    *("pogodin2020_stream", "--dataset", "clusters", "--train", "200", "--epochs", "1"),
    *("--widths", "12", "--groups", "3", "--dtype", "float64", "--evaluations", "4"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refuse(capsys):
    """Run a command that is refused; its one line."""

    def run(*words):
        code = cli.main(words)
        said = capsys.readouterr()
        assert code == 2, said
        lines = said.err.splitlines()
        assert len(lines) == 1, said.err
        assert "Traceback" not in said.err
        assert "bug" not in said.err
        return lines[0]

    return run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--dataset", "mnits"], ["mnits", "mnist"]),
        (["--rule", "hebbian"], ["Streaming.rule must be one of", "'hebbian'"]),
        (["--level", "three-point"], ["three-point"]),
        (["--sigmas", "1"], ["--sigmas", "Did you mean --sigma?"]),
        (["--widths", "13"], ["Grouping.groups must divide", "13", "Choose a divisor"]),
        (["--groups", "0"], ["GroupedGaussian needs a layer with groups", "PlainGaussian"]),
        (["--sigma", "0"], ["ThirdFactorCircuit.sigma must be positive; got 0.0"]),
        (["--sigma", "-1"], ["ThirdFactorCircuit.sigma must be positive; got -1.0"]),
        (["--beta", "0"], ["ThirdFactorCircuit.beta must be in (0, 1)"]),
        (["--rate", "-1"], ["Schedule.rate must not be negative"]),
        (["--momentum", "1"], ["momentum must be in [0, 1)"]),
        (["--gap", "-0.1"], ["gap must not be negative"]),
        (["--duration", "0", "--level", "smoothed"], ["duration must be positive"]),
        (["--nonlinearity", "sigmoid"], ["Nonlinearity.name must be one of", "'sigmoid'"]),
        (["--p", "1"], ["Grouping.p must be in [0, 1)"]),
        (["--train", "100000"], ["100000", "clusters"]),
        (["--chunk", "-1"], ["Simulator.chunk must not be negative"]),
        (["--epochs", "0"], ["Config.epochs must be at least 1"]),
        (["--widths"], ["Streaming.widths must name at least one layer"]),
        (["--recurrent", "--groups", "3"], ["Continuous"]),
        (["--out", "file/run.h5"], ["file"]),
        (["--out", "/proc/run.h5"], ["/proc"]),
        (["--record.every", "1", "--record.budget", "1000"], ["budget", "1"]),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("--") else "",
)
def test_settings_that_cannot_be_used(refuse, folder, words, expected):
    (folder / "file").write_text("not a folder")
    line = refuse("run", *SMALL, "--out", "a.h5", *words)
    for text in expected:
        assert text in line
    assert not list(folder.glob("*.h5*")), "a mistyped setting leaves no file behind"


PROTOCOL = '''"""A stream with something wrong in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim import IterableStream, Learning, Network, Presentation, Seeds, Simulator
from neurosim.plasticity import PlainGaussian
from neurosim.protocol import ProtocolConfig


@dataclass(frozen=True, kw_only=True)
class Config(ProtocolConfig):
    """Settings."""

    wrong: str = "nan"


def presentations(wrong):
    rng = np.random.default_rng(0)
    for k in range(100):
        presentation = Presentation(rng.normal(size=4), k % 3)
        if k == 70:
            presentation = presentation._replace(**{
                "nan": {"stimulus": np.array([0, np.nan, 0, 0])},
                "long": {"stimulus": np.zeros(5)},
                "label": {"label": 3},
                "gap": {"gap": -1.0},
            }[wrong])
        yield presentation


def run(config, recorder):
    seeds = Seeds(config.seed)
    network = Network.dense(4, (6,), 3, seeds, dtype="float64")
    simulator = Simulator(network, Learning(rule=PlainGaussian()), seeds, chunk=10, threads=1)
    stream = IterableStream(presentations(config.wrong), length=100)
    simulator.run(stream, recorder=recorder, evaluate_every=20)
    recorder.finish({"presentations": simulator.presentations}, simulator.network.parameters())
'''


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("nan", "Presentation.stimulus must be finite; got NaN or infinity in presentation 70"),
        ("long", "Presentation.stimulus must"),
        ("label", "Presentation.label must be in [0, 3)"),
        ("gap", "Presentation.gap must"),
    ],
)
def test_a_bad_sample_stops_the_run_and_what_came_before_is_kept(refuse, folder, wrong, words):
    (folder / "stream.py").write_text(PROTOCOL)
    line = refuse("run", "./stream.py", "--wrong", wrong, "--out", "a.h5")
    assert words in line
    assert "a.h5.partial" in line
    with Run("a.h5") as run:
        assert run.status == "partial"
        assert list(run.history["presentations"]) == [20, 40, 60]


@pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")
def test_divergence_says_where_and_what_to_do(folder, capsys):
    words = [
        *("--rule", "hebb", "--rate", "1", "--final", "1", "--nonlinearity", "identity"),
        *("--groups", "0", "--train", "600", "--chunk", "4", "--evaluations", "150"),
    ]
    assert cli.main(["run", *SMALL, *words, "--out", "a.h5"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "layer1 diverged at presentation " in line
    assert "Lower the learning rate (Schedule.rate)" in line
    assert "a.h5.partial" in line
    with Run("a.h5") as run:
        assert len(run.history["presentations"]) >= 1


def test_a_truncated_run_file(refuse, folder, capsys):
    assert cli.main(["run", *SMALL, "--out", "a.h5", "--quiet"]) == 0
    capsys.readouterr()
    whole = (folder / "a.h5").read_bytes()
    for share in (0.0, 0.3, 0.9):
        (folder / "a.h5").write_bytes(whole[: int(share * len(whole))])
        for command in (["info"], ["info", "--json"], ["plot"], ["resume"]):
            assert "a.h5" in refuse(command[0], "a.h5", *command[1:])
    assert "none.h5" in refuse("info", "none.h5")


def test_a_full_disk_keeps_what_was_recorded(folder):
    """A limit on the size of files stands for the disk."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "neurosim", "run", *SMALL, "--out", "a.h5"]
    process = subprocess.run(
        [*command, "--record.every", "1", "--record.synapses", "100", "--chunk", "10",
         "--train", "2000", "--record.checkpoint-every", "100"],
        env=environment,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000)),
    )  # fmt: skip
    assert process.returncode == 2, process.stderr
    lines = [line for line in process.stderr.splitlines() if "must be writable" in line]
    assert len(lines) == 1
    assert "Traceback" not in process.stderr
    with Run("a.h5") as run:
        assert run.checkpoint.position["presentations"] >= 100
        shown = run.events["presentation"]
        np.testing.assert_array_equal(shown, np.arange(len(shown)))
