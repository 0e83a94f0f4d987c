"""A sweep whose runs share a device, in a process that only pretends to have one."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest

from neurosim import Run
from neurosim.cli import main
from neurosim.testing import pretend_device

# Every Python started in this environment computes on a pretend device with simulated kernels.
SITE = """
import functools
import runpy

from neurosim.backend.presence import standing_in
from neurosim.streaming.gpu import meeting
from neurosim.testing.pretend import PretendDevice

runpy.run_path({completing!r})["complete"]()
meeting.GpuStack = functools.partial(meeting.GpuStack, inner=3, threads=2)  # others are slow
device = standing_in(PretendDevice())
device.__enter__()
"""
COMPLETING = Path(__file__).parents[1] / "streaming" / "gpu" / "simulator.py"
TINY = [
    "pogodin2020_stream", "--dataset", "clusters", "--train", "6", "--epochs", "1",
    "--groups", "2", "--widths", "4", "--no-probes", "--evaluations", "1", "--dtype", "float64",
]  # fmt: skip


@pytest.fixture
def simulated(tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE.format(completing=str(COMPLETING)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=os.pathsep)
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    monkeypatch.chdir(tmp_path)
    with pretend_device():
        yield


@pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="needs numba-cuda, as `dev` brings it"
)
@pytest.mark.usefixtures("simulated")
def test_a_sweep_on_a_device_is_that_on_the_cpu_and_who_diverges_is_told(capsys):
    words = ["--device", "gpu", "--grid", "rate=0.1,1e300", "--seeds", "2", "--retries", "0"]
    assert main(["sweep", *TINY, *words, "--out", "all", "--json"]) == 1
    told = capsys.readouterr()
    good, bad = json.loads(told.out)["points"]
    assert [run["status"] for run in bad["runs"]] == ["failed", "failed"]
    assert all(run["error"].startswith("layer1 diverged at") for run in bad["runs"])
    assert "2 of 4 runs failed." in told.err
    for run in good["runs"]:
        same = ["--rate", "0.1", "--seed", str(run["seed"]), "--out", "cpu.h5", "--overwrite"]
        assert main(["run", *TINY, *same, "--quiet"]) == 0
        with Run("cpu.h5") as here, Run(run["file"]) as there:
            for name in ("layer1", "readout/weights"):
                assert there.weights(name) == pytest.approx(here.weights(name), abs=1e-9)
