import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neurosim.recording import Recorder, Run

HERE = Path(__file__).parent
PROGRAM = HERE / "walk_program.py"


@pytest.fixture(scope="session")
def walk():
    """`walk_program.walk`: a run to interrupt, in this process."""
    spec = importlib.util.spec_from_file_location("walk_program", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.walk


@pytest.fixture(scope="session")
def start_walk():
    """The same in a process of its own, to be killed or starved."""

    def start(*arguments):
        environment = os.environ | {"PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(PROGRAM), *map(str, arguments)]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    return start


@pytest.fixture
def make(tmp_path):
    """A recorder of a new file, closed when the test ends."""
    opened = []

    def create(name="run.h5", **arguments):
        settings = {"protocol": "demo", "settings": {}, "seed": 1} | arguments
        opened.append(Recorder.create(tmp_path / name, **settings))
        return opened[-1]

    yield create
    for recorder in opened:
        recorder.close()


@pytest.fixture
def contents():
    """Everything a run recorded, as plain arrays."""

    def read(path):
        with Run(path) as run:
            series = {name: run.trace("layer1", name).values for name in run.traces("layer1")}
            return {**run.events, **run.history, **series, "weights": run.weights("layer1")}

    return read


@pytest.fixture
def assert_equal():
    """Two such contents are equal bit for bit."""

    def check(one, other):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name, strict=True)

    return check
