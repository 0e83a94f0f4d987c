"""Peak memory: of one process, in bytes, whatever started it."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from neurosim import resources
from neurosim.resources import _by_usage, peak_memory

# Holds 100 MB for a moment, then starts a process that holds nothing.
PROGRAM = """
import json, subprocess, sys
from neurosim.resources import peak_memory
peaks = [peak_memory()]
held = bytearray(100_000_000)
peaks.append(peak_memory())
del held
peaks.append(peak_memory())
child = "from neurosim.resources import peak_memory; print(peak_memory())"
peaks.append(int(subprocess.check_output([sys.executable, "-c", child])))
print(json.dumps(peaks))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child begins with what it was")
def test_it_is_the_most_one_process_held():
    before, during, after, child = json.loads(
        subprocess.check_output([sys.executable, "-c", PROGRAM])
    )
    assert 1e6 < before < 90e6
    assert 90e6 < during - before < 130e6
    assert after > 0.99 * during  # the system counts in strides
    assert 1e6 < child < 90e6


@pytest.mark.skipif(sys.platform == "win32", reason="has no getrusage")
def test_the_systems_accounts_agree_on_the_unit():
    assert 0.5 < _by_usage() / peak_memory() < 2


def test_a_summary_goes_without_what_is_not_known(monkeypatch):
    assert resources.usage()["peak_memory"] > 1e6
    monkeypatch.setattr(resources, "peak_memory", lambda: None)
    assert resources.usage() == {}


@pytest.mark.parametrize(("taken", "told"), [(0, {}), (4096, {"peak_memory_gpu": 4096})])
def test_what_a_gpu_gave_is_told_if_it_was_asked(monkeypatch, taken, told):
    pool = SimpleNamespace(total_bytes=lambda: taken)
    cupy = SimpleNamespace(get_default_memory_pool=lambda: pool)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(resources, "peak_memory", lambda: None)
    assert resources.usage() == told
