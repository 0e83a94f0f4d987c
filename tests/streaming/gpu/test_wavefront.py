"""Lanes wait for those they need and for nobody else, in whatever is captured as well."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurosim.checks import DeviceError
from neurosim.streaming.gpu.wavefront import Lane, Streams, Wavefront


class Cuda:
    """CUDA's rules for streams, events and captures; what runs knows what it comes after."""

    def __init__(self, complaint: str = "") -> None:
        self.capturing, self.complaint = False, complaint
        self.launches, self.events = 0, list[object]()
        self.null, self.made = _Stream(self, non_blocking=False), list[_Stream]()
        self.current = self.null

    def Stream(self, *, non_blocking):
        self.made.append(_Stream(self, non_blocking=non_blocking))
        return self.made[-1]

    def Event(self, *, disable_timing, block=False):
        assert disable_timing
        return _Event()

    def get_current_stream(self):
        return self.current


class _Event:
    def record(self, stream):
        self.after, self.captured = set(stream.after), stream.captured


class _Stream:
    def __init__(self, cuda, non_blocking):
        self.cuda, self.non_blocking = cuda, non_blocking
        self.after, self.captured = set(), False

    def __enter__(self):
        self.outer, self.cuda.current = self.cuda.current, self

    def __exit__(self, *_):
        self.cuda.current = self.outer

    def wait_event(self, event):
        assert event.captured or not self.captured, "no events from outside a capture"
        self.captured = self.captured or event.captured
        self.after |= event.after

    def begin_capture(self):
        assert self.non_blocking, "the null stream would be drawn in"
        self.captured = True

    def end_capture(self):
        inside = [stream for stream in self.cuda.made if stream.captured]
        for stream in inside:
            stream.captured = False
        if self.cuda.complaint:
            raise RuntimeError(self.cuda.complaint)
        work = set().union(*(stream.after for stream in inside))
        assert work <= self.after, "all streams are joined again"
        return _Graph(self.cuda, work)


class _Graph:
    def __init__(self, cuda, work):
        self._cuda, self._work = cuda, work

    def launch(self, stream):
        self._cuda.launches += 1
        stream.after |= self._work


@st.composite
def networks(draw):
    """Which lanes each lane sees, how many items there are and how many are kept."""
    lanes = draw(st.integers(1, 5))
    sees = [
        tuple(sorted(draw(st.sets(st.integers(0, k - 1), max_size=3)))) if k else ()
        for k in range(lanes)
    ]
    return sees, draw(st.integers(1, 7)), draw(st.integers(1, 4))


def wavefront(cuda, sees, items, slots, *, step=None, **ways):
    """A wavefront, and what each step came after, by lane and item."""
    came = {}

    def work(k):
        def do(item):
            stream = cuda.current
            came[k, item] = set(stream.after), stream.captured
            stream.after.add((k, item))
            if step is not None:
                step(k, item)

        return do

    streams = Streams(SimpleNamespace(cuda=cuda), len(sees))
    lanes = [Lane(work(k), some) for k, some in enumerate(sees)]
    return Wavefront(streams, lanes, range(items), slots, **ways), came


@given(networks())
def test_each_step_comes_after_those_it_needs(network):
    sees, items, slots = network
    cuda = Cuda()
    cuda.null.after.add("what was queued before")
    front, came = wavefront(cuda, sees, items, slots)
    for captured in (False, True):
        came.clear()
        front.pass_through()
        assert set(came) == {(k, item) for k in range(len(sees)) for item in range(items)}
        for (k, item), (after, inside) in came.items():
            assert inside is captured
            needed = {(other, item) for other in sees[k]} | ({(k, item - 1)} if item else set())
            needed |= {
                (follower, item - slots)
                for follower, some in enumerate(sees)
                if k in some and item >= slots
            }
            assert needed <= after
            assert captured or "what was queued before" in after
        assert set(came) <= cuda.null.after, "whoever queues more queues it behind"


def test_nobody_waits_for_more_than_is_needed():
    front, came = wavefront(Cuda(), [(), (0,), (1,)], 4, 3)
    front.pass_through()
    assert (1, 0) not in came[0, 1][0]
    assert (2, 0) not in came[1, 2][0]
    assert came[0, 3][0] >= {(1, 0)}
    assert (2, 0) not in came[0, 3][0]


def test_what_is_queued_is_captured_once():
    cuda = Cuda()
    front, came = wavefront(cuda, [(), (0,)], 3, 3)
    counts = []
    for _ in range(4):
        came.clear()
        front.pass_through()
        counts.append((len(came), cuda.launches))
    assert counts == [(6, 0), (6, 1), (0, 2), (0, 3)]


def test_without_graphs_everything_is_queued_each_time():
    cuda = Cuda()
    front, came = wavefront(cuda, [(), (0,)], 3, 3, graphs=False)
    for _ in range(3):
        came.clear()
        front.pass_through()
        assert len(came) == 6
    assert cuda.launches == 0


def test_without_a_gpu_the_steps_are_done_in_order():
    seen = []
    lanes = [Lane(lambda item, k=k: seen.append((k, item)), (k - 1,) if k else ()) for k in (0, 1)]
    Wavefront(Streams(SimpleNamespace(), 2), lanes, "ab", 2).pass_through()
    assert seen == [(0, "a"), (1, "a"), (0, "b"), (1, "b")]


def test_a_capture_that_fails_says_what_to_do():
    calls = []

    def step(k, item):
        calls.append(item)
        if len(calls) > 2:
            raise RuntimeError("an operation is not permitted\nwhen a stream is capturing")

    cuda = Cuda()
    front, _ = wavefront(cuda, [()], 2, 2, step=step)
    front.pass_through()
    with pytest.raises(DeviceError, match=r"got an operation is not permitted when .*graphs=False"):
        front.pass_through()
    assert not any(stream.captured for stream in cuda.made), "it was ended"
    other, _ = wavefront(Cuda("a dependency is missing"), [()], 1, 1)
    other.pass_through()
    with pytest.raises(DeviceError, match=r"got a dependency is missing\. Update driver"):
        other.pass_through()
