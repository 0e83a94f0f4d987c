"""What is shown to the GPU's engine, under numba's simulator or on a GPU.

`test_simulated` runs these tests under the simulator, in a process of its own: numba decides when
it is imported what ``cuda`` means. With ``-m gpu`` they run on a GPU, and fail if there is none.
"""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path

import numpy as np
import pytest
from numba import cuda

from neurosim.backend import to_device
from neurosim.streaming.readout import ReadOut
from neurosim.testing import pretend_device

HERE = Path(__file__).parent
SIMULATED = bool(cuda.config.ENABLE_CUDASIM)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent == HERE and "device" in item.fixturenames and not SIMULATED:
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(scope="session", autouse=SIMULATED)
def complete_simulator():
    from tests.streaming.gpu.simulator import complete

    with pytest.MonkeyPatch.context() as patch:
        complete(functools.partial(patch.setattr, raising=False))
        yield


class Device:
    """Where the kernels run: on a pretend device under the simulator, else on the GPU."""

    @staticmethod
    def put(thing):
        """An array, or a dict of arrays, on the device."""
        if isinstance(thing, dict):
            return {name: Device.put(array) for name, array in thing.items()}
        return to_device(thing, "gpu")

    @staticmethod
    def fetch(thing):
        """An array, or a dict of arrays, from the device."""
        if isinstance(thing, dict):
            return {name: Device.fetch(array) for name, array in thing.items()}
        return to_device(thing, "cpu")

    def engine(self, threads, inner=2):
        """Makes engines that take and return NumPy arrays, as `chunked.Engine` does."""
        return functools.partial(There, threads=threads, inner=inner)


class There:
    """A stack of one layer, which keeps the state it is given first."""

    def __init__(self, circuit, threads, inner):
        self._circuit, self._sizes = circuit, {"threads": threads, "inner": inner}
        self._stack = None

    def present(self, state, plan, inputs, chosen):
        from neurosim.streaming.gpu import GpuStack, Member, Shows

        if self._stack is None:
            self._state = Device.put(state)
            member = Member([self._circuit], [self._state], ReadOut(n_classes=2), {}, {})
            self._stack = GpuStack([member], **self._sizes)
        lessons, rates = np.full(len(plan.eta), -1), np.zeros(len(plan.eta))
        pending = self._stack.present([Shows(plan, inputs, lessons, rates, [chosen])])
        told = pending.wait()[0].layers[0]
        return Device.fetch(self._state), told.shown


@pytest.fixture
def device():
    with contextlib.ExitStack() as stack:
        if SIMULATED:
            stack.enter_context(pretend_device())
        yield Device()


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
