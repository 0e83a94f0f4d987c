"""Arrays that travel as one: they arrive as they were sent, and nobody waits before he asks."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from neurosim.streaming.gpu.packing import ALIGNED, Pack
from neurosim.testing import pretend_device

SHAPES = {
    "labels": ((2, 3), np.int64), "none": ((2, 0), "float64"), "active": ((5,), np.uint8),
    "rates": ((2, 2), "float32"),
}  # fmt: skip


def fill(arrays):
    for number, array in enumerate(arrays.values()):
        array[...] = number + np.arange(array.size).reshape(array.shape)


class Copy:
    def __init__(self, to, source):
        self._to, self._source, self.done = to, source, False

    def make(self):
        if not self.done:
            self._to[...] = self._source
        self.done = True


class Memory(np.ndarray):
    """Memory of a GPU: copies are made when somebody waits for them."""

    def set(self, held, stream):
        assert stream is self.queue, "without one CuPy may wait"
        self.queue.append(Copy(self, held))

    def get(self, stream, *, out, blocking):
        assert stream is self.queue
        assert not blocking
        self.queue.append(Copy(out, self))

    def __array_finalize__(self, other):
        self.queue = getattr(other, "queue", [])


class Event:
    """Knows how much of the queue was before it."""

    waits = 0

    def __init__(self, *, block, disable_timing):
        assert block
        assert disable_timing

    def record(self, stream):
        self._before = list(stream)

    @property
    def done(self):
        return all(copy.done for copy in self._before)

    def synchronize(self):
        Event.waits += 1
        for copy in self._before:
            copy.make()


@pytest.fixture
def gpu(monkeypatch):
    """A module with CuPy's way of moving arrays."""
    queue = []

    def zeros(size, dtype):
        memory = np.zeros(size, dtype).view(Memory)
        memory.queue = queue
        return memory

    monkeypatch.setitem(sys.modules, "cupyx", SimpleNamespace(empty_pinned=np.empty))
    monkeypatch.setattr(Event, "waits", 0)
    cuda = SimpleNamespace(Event=Event, get_current_stream=lambda: queue)
    return SimpleNamespace(zeros=zeros, cuda=cuda)


def expect(found):
    sent = {name: np.zeros(shape, dtype) for name, (shape, dtype) in SHAPES.items()}
    fill(sent)
    for name, array in sent.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_arrays_travel_there_and_back_in_the_order_they_were_asked_for(gpu):
    pack = Pack(gpu, SHAPES)
    before = pack.fetch()
    pack.send(fill)
    after = pack.fetch()
    assert Event.waits == 0
    assert not after.done()
    assert all((array == 0).all() for array in before().values())
    expect(after())
    assert after.done()
    expect(pack.arrays)


def test_arrays_of_a_pretend_device_travel_the_same_way():
    with pretend_device() as device:
        pack = Pack(device, SHAPES)
        pack.send(fill)
        arrival = pack.fetch()
        pack.arrays["labels"][...] = 0
        assert (device.sends, device.fetches, device.synchronisations) == (1, 0, 0)
        expect(arrival())
        assert device.fetches == 1


def test_every_array_begins_where_any_type_may(gpu):
    arrays = Pack(gpu, SHAPES).arrays
    first = arrays["labels"].ctypes.data
    assert [(arrays[n].ctypes.data - first) % ALIGNED for n in ("active", "rates")] == [0, 0]
    assert len({arrays[n].ctypes.data for n in ("labels", "active", "rates")}) == 3
