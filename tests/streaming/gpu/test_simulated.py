"""Every kernel runs under numba's simulator, which executes its source without a GPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba import cuda


@pytest.mark.skipif(bool(cuda.config.ENABLE_CUDASIM), reason="would start itself")
@pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="needs numba-cuda, as `dev` brings it"
)
def test_the_kernels_do_under_the_simulator_what_the_reference_does():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5"]
    folder = Path(__file__).parent
    done = subprocess.run(
        [*command, str(folder)], env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        cwd=folder.parents[2], capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
