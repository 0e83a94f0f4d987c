"""What is shown to the GPU's engine, under numba's simulator or on a GPU.

`test_simulated` runs these tests under the simulator, in a process of its own: numba decides when
it is imported what ``cuda`` means. With ``-m gpu`` they run on a GPU, and fail if there is none.
"""

from __future__ import annotations

import functools
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from numba import cuda

from neurosim.backend import to_device

HERE = Path(__file__).parent
SIMULATED = bool(cuda.config.ENABLE_CUDASIM)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent == HERE and "device" in item.fixturenames and not SIMULATED:
            item.add_marker(pytest.mark.gpu)


def shfl_xor_sync(self, mask, value, distance):
    """The shuffle that the simulator lacks; it expects all threads of the block to take part."""
    thread = threading.current_thread()
    held = vars(self).setdefault("_shuffled", {})
    turn = vars(thread).setdefault("shuffles", 0)
    thread.shuffles += 1
    partner = thread.thread_id ^ distance
    assert partner // 32 == thread.thread_id // 32
    assert mask >> (partner % 32) & 1
    held[thread.blockIdx.x, turn, thread.thread_id] = value
    self.syncthreads()
    return held[thread.blockIdx.x, turn, partner]


@pytest.fixture(scope="session", autouse=SIMULATED)
def complete_simulator():
    from numba.cuda.simulator.kernelapi import FakeCUDAModule

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)  # its threads wait for one another all the time
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeCUDAModule, "shfl_xor_sync", shfl_xor_sync, raising=False)
        yield
    sys.setswitchinterval(interval)


class Device:
    """Where the kernels run: here under the simulator, else on the GPU."""

    @staticmethod
    def put(thing):
        """An array, or a dict of arrays, on the device."""
        if isinstance(thing, dict):
            return {name: Device.put(array) for name, array in thing.items()}
        return thing if SIMULATED else to_device(thing, "gpu")

    @staticmethod
    def fetch(thing):
        """An array, dict or named tuple of arrays from the device."""
        if isinstance(thing, dict):
            return {name: Device.fetch(array) for name, array in thing.items()}
        if isinstance(thing, tuple):
            return type(thing)(*map(Device.fetch, thing))
        return to_device(thing, "cpu")

    def engine(self, threads):
        """Makes engines that take and return NumPy arrays, as `chunked.Engine` does."""
        return functools.partial(There, threads=threads)


class There:
    def __init__(self, circuit, threads):
        from neurosim.streaming.gpu import GpuEngine

        self._engine = GpuEngine(circuit, threads=threads)

    def present(self, state, plan, inputs, chosen):
        answer = self._engine.present(Device.put(state), plan, Device.put(inputs), chosen)
        return tuple(map(Device.fetch, answer))


@pytest.fixture(scope="session")
def device():
    return Device()


@pytest.fixture(scope="session")
def differences():
    """Largest difference in every array of state and record, relative to the array's size."""

    def compare(found, expected):
        pairs = {f"state {name}": (found[0][name], array) for name, array in expected[0].items()}
        pairs |= {n: (getattr(found[1], n), array) for n, array in expected[1]._asdict().items()}
        assert all(one.shape == other.shape for one, other in pairs.values())
        return {
            name: float(np.abs(one - other).max() / (1 + np.abs(other).max()))
            for name, (one, other) in pairs.items()
            if other.size
        }

    return compare
