"""Runs of one process on a device: they share stacks, and each is what it is alone."""

from __future__ import annotations

import functools
import os
import signal
import time

import pytest

from neurosim import Recorder, Run
from neurosim.cli import main
from neurosim.interruption import Interruption
from neurosim.protocol import find, to_json
from neurosim.protocol.origin import origin_of
from neurosim.recording.files import RunPaths
from neurosim.streaming.gpu import meeting

TINY = {
    "device": "gpu", "dataset": "clusters", "train": 10, "epochs": 1, "groups": 2, "chunk": 4,
    "evaluations": 1, "dtype": "float64", "rate": 0.1, "widths": (4,),
}  # fmt: skip
RUNS = {"slow": {"rate": 0.01}, "other": {"seed": 1, "sigma": 0.5}, "wide": {"widths": (6,)}}
ALONE: list[str] = []  # found once


class Stacks:
    """Sizes of the stacks that were made; what is to happen when one of a size is given work."""

    def __init__(self):
        self.sizes, self.then = [], {}
        self._small = functools.partial(meeting.GpuStack, inner=3, threads=2)

    def make(self, members):
        self.sizes.append(len(members))
        stack = self._small(members)
        present = stack.present

        def watched(shows):
            self.then.pop(len(members), lambda: None)()
            return present(shows)

        stack.present = watched
        return stack


@pytest.fixture
def stacks(device, monkeypatch, tmp_path):
    found = Stacks()
    monkeypatch.setattr(meeting, "GpuStack", found.make)
    monkeypatch.chdir(tmp_path)
    return found


def begin(name, **settings):
    """A run that has not begun yet, as a sweep leaves it."""
    protocol = find("pogodin2020_stream")
    config = protocol.config(**TINY | settings)
    paths = RunPaths.of(f"{name}.h5")
    Recorder.create(
        paths.final, protocol=protocol.name, settings=to_json(config), seed=config.seed,
        device="gpu", record=config.record, extra_provenance=origin_of(protocol, paths.final),
    ).close()  # fmt: skip
    return str(paths.partial)


def digests(*names):
    found = []
    for name in names:
        with Run(f"{name}.h5") as run:
            found.append(run.weights_digest)
    return found


@pytest.fixture
def alone(stacks):
    """Digests of the runs, each made by itself."""
    if not ALONE:
        for name, settings in RUNS.items():
            assert main(["resume", begin(f"{name}-alone", **settings), "--quiet"]) == 0
        ALONE.extend(digests(*(f"{name}-alone" for name in RUNS)))
        stacks.sizes.clear()
    return ALONE


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # of the simulator
def test_each_is_what_it_is_alone_though_one_diverges_and_another_is_wider(stacks, alone, capsys):
    files = [begin(name, **settings) for name, settings in RUNS.items()]
    assert main(["resume", *files, begin("diverges", rate=1e300), "--quiet"]) == 1
    assert sorted(stacks.sizes) == [1, 2, 3]
    assert digests(*RUNS) == alone
    lines = sorted(capsys.readouterr().err.splitlines())
    assert lines[1:] == [f"{name}.h5.partial: finished" for name in ("other", "slow", "wide")]
    assert lines[0].startswith("diverges.h5.partial: error: layer1 diverged at presentation ")
    with Run("diverges.h5") as run:
        assert run.status != "finished"


def test_a_signal_leaves_checkpoints_of_all_and_those_go_on_together(stacks, alone, capsys):
    def stop():
        os.kill(os.getpid(), signal.SIGINT)
        while not Interruption().requested:
            time.sleep(0.001)

    stacks.then[2] = stop
    files = {name: begin(name, threads=1, **settings) for name, settings in RUNS.items()}
    assert main(["resume", *files.values(), "--quiet"]) == 130
    told = capsys.readouterr().err
    for name in ("slow", "other"):
        assert f"{files[name]}: Interrupted after 4 presentations. It can be resumed." in told
        assert RunPaths.of(files[name]).checkpoint.exists()
    stacks.sizes.clear()
    assert main(["resume", *files.values(), "--quiet"]) == 0
    assert 2 in stacks.sizes
    assert digests(*RUNS) == alone


def test_what_the_device_cannot_do_is_told_by_all_who_asked_for_it(stacks, capsys):
    def full():
        raise type("OutOfMemoryError", (MemoryError,), {"__module__": "cupy.cuda.memory"})(
            "Out of memory allocating 1,048,576 bytes (allocated so far: 0 bytes)."
        )

    stacks.then[2] = full
    files = [begin(name, seed=seed) for seed, name in enumerate("ab")]
    assert main(["resume", *files, "--quiet"]) == 1
    for name, line in zip("ab", sorted(capsys.readouterr().err.splitlines()), strict=True):
        assert line.startswith(f"{name}.h5.partial: error: An ensemble of 2 runs must fit into")
        assert "1 MiB" in line
        assert "--replicas" in line
