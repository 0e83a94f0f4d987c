"""A simulation that was killed, at any moment, ends bit for bit like one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from neurosim import Run, cli

ROOT = Path(__file__).parents[2]
# Everything that has a state: momentum, memories, random gaps, averages, read-outs on every layer.
EVERYTHING = [
    *("pogodin2020_stream", "--dataset", "clusters", "--train", "700", "--epochs", "1"),
    *("--widths", "32", "24", "--groups", "8", "--dtype", "float64", "--chunk", "64"),
    *("--level", "memory", "--gap", "0.5", "--jitter", "0.5", "--nodes", "2"),
    *("--momentum", "0.5", "--weight-decay", "0.01", "--readout-momentum", "0.3"),
    *("--evaluations", "7", "--record.every", "5", "--record.synapses", "4"),
    *("--record.checkpoint-every", "50"),
]
# A generator without an end, in a file of one's own; its samples depend on all that came before.
ENDLESS = '''"""Samples that wander about, for as long as one likes."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from neurosim import IterableStream, Learning, Network, Presentation, Seeds, Simulator
from neurosim.ops.grouping import Grouping
from neurosim.optimizers import Schedule
from neurosim.plasticity import GroupedGaussian
from neurosim.protocol import ProtocolConfig


@dataclass(frozen=True, kw_only=True)
class Config(ProtocolConfig):
    """Settings."""

    presentations: int = 600
    slowly: bool = False


def wander(seeds, slowly):
    rng, place = seeds.generator("stream"), np.zeros(5)
    while True:
        place = 0.9 * place + rng.normal(size=5)
        if slowly:
            time.sleep(0.002)
        yield Presentation(place.copy(), int(place[0] > 0), float(rng.uniform(0.1, 0.2)))


def run(config, recorder):
    seeds = Seeds(config.seed)
    network = Network.dense(
        5, (12,), 2, seeds, grouping=Grouping(groups=4), gain=2.0, dtype="float64"
    )
    learning = Learning(rule=GroupedGaussian(), momentum=0.9, schedule=Schedule(rate=0.02))
    simulator = Simulator(network, learning, seeds, chunk=10)
    stream = IterableStream(wander(seeds, config.slowly), length=config.presentations)
    simulator.run(stream, recorder=recorder, evaluate_every=200)
    recorder.finish({"presentations": simulator.presentations}, simulator.network.parameters())
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    (place / "endless.py").write_text(ENDLESS)
    return place


@pytest.fixture(scope="module")
def neurosim(folder):
    """Start the command line in a process of its own."""

    def start(*words):
        return subprocess.Popen(
            [sys.executable, "-m", "neurosim", *words],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def finish(folder, monkeypatch, capsys):
    """Let a command end by itself, in this process; what it printed."""

    def run(*words):
        monkeypatch.chdir(folder)
        assert cli.main(words) == 0
        return capsys.readouterr().out

    return run


def contents(path):
    """All a run has recorded, without the time it took."""
    with Run(path) as run:
        found = {f"events {name}": values for name, values in run.events.items()}
        history = {name: values for name, values in run.history.items() if name != "elapsed"}
        found |= {f"history {name}": values for name, values in history.items()}
        for layer in run.layers:
            for name in run.traces(layer):
                found[f"{layer} {name}"] = run.trace(layer, name).values
        return run.weights_digest, found


def assert_same(path, expected):
    digest, found = contents(path)
    expected_digest, arrays = expected
    assert digest == expected_digest
    assert found.keys() == arrays.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name, strict=True)


@pytest.fixture
def whole(folder, finish):
    """The contents of the run that nothing interrupts."""
    if not (folder / "whole.h5").exists():
        finish("run", *EVERYTHING, "--out", "whole.h5", "--quiet")
    return contents(folder / "whole.h5")


def wait_for(path, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def killed_again_and_again(name, folder, neurosim, wait):
    """Kill a run and its resumptions until one ends; yield presentations after each kill."""
    partial, checkpoint = folder / f"{name}.partial", folder / f"{name}.partial.checkpoint"
    command = ("run", *EVERYTHING, "--out", name)
    while True:
        process = neurosim(*command)
        wait_for(checkpoint, process)
        begun = checkpoint.stat().st_mtime_ns
        if command[0] == "resume":  # until it has loaded and compiled, and is at work again
            while process.poll() is None and checkpoint.exists():
                if checkpoint.stat().st_mtime_ns != begun:
                    break
                time.sleep(0.005)
        time.sleep(wait())
        process.kill()
        process.communicate()
        if not partial.exists():
            return
        with Run(partial) as run:
            assert run.status == "partial"
            assert run.checkpoint.position["presentations"] >= 50
            shown = run.events["presentation"]
            np.testing.assert_array_equal(shown, 5 * np.arange(len(shown)))
            yield run.info()["presentations"]
        command = ("resume", name)


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_it_ends_the_same(folder, neurosim, finish, whole, kills):
    moments, killed = random.Random(kills), 0
    while killed < kills:
        name = f"killed-{kills}-{killed}.h5"
        attempts = killed_again_and_again(name, folder, neurosim, lambda: 0.1 * moments.random())
        reached = list(islice(attempts, kills - killed))
        assert reached, "the run ended before it could be killed"
        assert reached == sorted(reached)
        assert reached[0] < 700
        killed += len(reached)
        finish("resume", name, "--quiet")
        assert_same(folder / name, whole)
        assert not list(folder.glob(f"{name}.*"))


def test_an_interrupted_run_says_130_and_is_resumed_to_the_same_end(
    folder, neurosim, finish, whole
):
    process = neurosim("run", *EVERYTHING, "--out", "stopped.h5")
    wait_for(folder / "stopped.h5.partial.checkpoint", process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("Interrupted after ")
    with Run(folder / "stopped.h5.partial") as run:
        shown = run.checkpoint.position["presentations"]
        assert f"Interrupted after {shown} presentations" in said
        assert 0 < shown < 700
        assert len(run.events["presentation"]) == -(-shown // 5)
        assert run.weights("layer1").shape == (32, 20)
    finish("resume", "stopped.h5.partial", "--quiet")
    assert_same(folder / "stopped.h5", whole)
    out = finish("resume", "stopped.h5")
    assert "already finished" in out


def test_a_generator_without_an_end_is_resumed_too(folder, neurosim, finish):
    finish("run", "./endless.py", "--out", "endless.h5", "--quiet", "--record.every", "1")
    process = neurosim(
        "run", "./endless.py", "--out", "cut.h5", "--record.every", "1", "--slowly",
        "--record.checkpoint-every", "50",
    )  # fmt: skip
    wait_for(folder / "cut.h5.partial.checkpoint", process)
    time.sleep(0.3)
    process.kill()
    process.communicate()
    with Run(folder / "cut.h5.partial") as run:
        assert 50 <= run.checkpoint.position["presentations"] < 600
    finish("resume", "cut.h5", "--quiet")
    assert_same(folder / "cut.h5", contents(folder / "endless.h5"))


@pytest.mark.slow
def test_the_same_seed_repeats_and_another_differs(folder, finish, whole):
    finish("run", *EVERYTHING, "--out", "again.h5", "--quiet", "--threads", "1")
    assert_same(folder / "again.h5", whole)
    finish("run", *EVERYTHING, "--out", "other.h5", "--quiet", "--seed", "1")
    assert contents(folder / "other.h5")[0] != whole[0]
