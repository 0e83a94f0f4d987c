"""Threads that meet: nobody is forgotten, nobody waits for who left, errors find their thread.

A stack that only counts stands in for the device's.
"""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.checks import DivergenceError, Interrupted, SettingError
from neurosim.streaming.gpu import crowd as crowds
from neurosim.streaming.gpu import meeting
from neurosim.streaming.gpu.crowd import Crowd, enter

PATIENCE = 20.0
OUT_OF_MEMORY, BROKEN_KERNEL = -1, -2
MADE, CALLS = [], []  # names of the networks of each stack, and of each call


class Plan(NamedTuple):
    """As much of a plan as tells the shape of a chunk."""

    eta: np.ndarray
    at_rest: np.ndarray
    filter: np.ndarray


class Shows(NamedTuple):
    plan: Plan
    value: int


class Network:
    """A member that remembers in which stack its state is."""

    def __init__(self, name, kind="same"):
        self.name, self.kind, self.stack, self.seen = name, kind, None, []


class Stack:
    """Takes networks over; answers with their names and what they were shown."""

    def __init__(self, members):
        self.members = list(members)
        assert len({member.kind for member in members}) == 1
        for member in members:
            member.stack = self
        MADE.append([member.name for member in members])

    def present(self, shows):
        assert all(member.stack is self for member in self.members)
        assert len({len(one.plan.eta) for one in shows}) == 1
        assert len(shows) == len(self.members)
        if any(one.value == OUT_OF_MEMORY for one in shows):
            raise MemoryError("full")
        for member, one in zip(self.members, shows, strict=True):
            member.seen.append(one.value)
        CALLS.append([member.name for member in self.members])
        return Waiting([(m.name, one.value) for m, one in zip(self.members, shows, strict=True)])


class Waiting:
    def __init__(self, answers):
        self.answers, self.waits = answers, 0

    def wait(self):
        self.waits += 1
        assert self.waits == 1
        if any(value == BROKEN_KERNEL for _, value in self.answers):
            raise RuntimeError("illegal address")
        return self.answers


@pytest.fixture(autouse=True)
def stacks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meeting, "GpuStack", Stack)
        patch.setattr(crowds, "traits", lambda member: member.kind)
        yield
    MADE.clear()
    CALLS.clear()


def chunk(value, length=8):
    return Shows(Plan(np.zeros(length), np.zeros(1), np.zeros((1, 2, 3))), value)


def together(*bodies):
    """What each body returns or raises, each in its thread and place."""
    found = [None] * len(bodies)

    def work(k, body, crowd):
        try:
            with crowd.place():
                found[k] = body()
        except BaseException as error:
            found[k] = error

    with Crowd(len(bodies)) as crowd:
        threads = [
            threading.Thread(target=work, args=(k, body, crowd), daemon=True)
            for k, body in enumerate(bodies)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
    return found


def shower(network, values, length=8):
    """Shows values to a network, each answer looked at after the next chunk was queued."""

    def body():
        seat, answers = enter(network), []
        for value in values:
            answers.append(seat.present(chunk(value, length)))
        return [answer() for answer in answers]

    return body


def test_all_chunks_of_a_kind_are_one_call():
    networks = [Network(k, "even" if k % 2 == 0 else "odd") for k in range(5)]
    found = together(*(shower(network, range(4)) for network in networks))
    assert found == [[(k, value) for value in range(4)] for k in range(5)]
    assert sorted(map(sorted, MADE)) == [[0, 2, 4], [1, 3]]
    assert len(CALLS) == 8


def test_nothing_is_shown_before_everybody_came_or_went_away():
    late = threading.Event()

    def slow():
        assert late.wait(PATIENCE)
        return shower(Network("slow"), [1])()

    def gone():
        time.sleep(0.05)
        assert CALLS == []
        late.set()

    found = together(shower(Network("quick"), [1]), slow, gone)
    assert found == [[("quick", 1)], [("slow", 1)], None]
    assert sorted(CALLS[0]) == ["quick", "slow"]
    assert len(CALLS) == 1


def test_who_ends_or_fails_is_not_waited_for():
    def fails():
        seat = enter(Network("fails"))
        seat.present(chunk(0))()
        raise DivergenceError("layer1 diverged")

    long, short, failed = together(
        shower(Network("long"), range(5)), shower(Network("short"), range(2)), fails
    )
    assert len(long) == 5
    assert len(short) == 2
    assert isinstance(failed, DivergenceError)
    assert [len(call) for call in CALLS] == [3, 2, 1, 1, 1]
    assert [len(made) for made in MADE] == [3, 2, 1]


def test_chunks_of_another_shape_are_shown_apart_and_then_together_again():
    def uneven():
        seat = enter(Network("uneven"))
        return [seat.present(chunk(value, length))() for value, length in enumerate((8, 3, 8))]

    one, two, three = together(
        uneven, shower(Network("b"), range(3)), shower(Network("c"), range(3))
    )
    assert one == [("uneven", value) for value in range(3)]
    assert [len(two), len(three)] == [3, 3]
    assert sorted(map(len, CALLS)) == [1, 2, 3, 3]
    assert sorted(map(len, MADE)) == [1, 2, 3, 3]


def test_a_call_that_fails_reaches_all_of_its_kind_each_with_an_error_of_its_own():
    found = together(
        shower(Network("a"), [0, OUT_OF_MEMORY]),
        shower(Network("b"), [0, 1]),
        shower(Network("other", "other"), [0, 1]),
    )
    errors = found[:2]
    assert [type(error) for error in errors] == [MemoryError] * 2
    assert [str(error) for error in errors] == ["full"] * 2
    errors[0].add_note("mine")
    assert not hasattr(errors[1], "__notes__")
    assert found[2] == [("other", 0), ("other", 1)]


def test_what_goes_wrong_on_the_device_reaches_all_who_wait_for_it():
    found = together(shower(Network("a"), [BROKEN_KERNEL]), shower(Network("b"), [1]))
    assert [type(error) for error in found] == [RuntimeError] * 2


def test_an_exception_outside_sends_those_who_wait_home():
    found = []
    came = threading.Event()

    def waits(crowd):
        with crowd.place():
            seat = enter(Network("waits"))
            came.set()
            for _ in range(2):
                with pytest.raises(Interrupted):
                    seat.present(chunk(0))
            found.append("home")

    def gives_up():
        with Crowd(2) as crowd:
            threading.Thread(target=waits, args=(crowd,), daemon=True).start()
            assert came.wait(PATIENCE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gives_up()
    until = time.monotonic() + PATIENCE
    while not found and time.monotonic() < until:
        time.sleep(0.01)
    assert found == ["home"]
    assert CALLS == []


def test_outside_a_crowd_everybody_is_alone_and_a_second_network_leaves_the_first_alone():
    assert shower(Network("alone"), range(3))() == [("alone", value) for value in range(3)]
    assert MADE == [["alone"]]

    def two():
        first = enter(Network("first"))
        second = enter(Network("second"))
        return [first.present(chunk(1))(), second.present(chunk(2))(), first.present(chunk(3))()]

    found = together(two, shower(Network("other"), [4]))
    assert found[0] == [("first", 1), ("second", 2), ("first", 3)]
    assert [sorted(call) for call in CALLS[3:]] == [["first"], ["other", "second"], ["first"]]


def test_a_network_is_shown_its_last_chunk_though_its_thread_has_left():
    seats = []

    def leaves():
        seats.append(enter(Network("left")))

    together(leaves, shower(Network("stays"), [1]))
    assert seats[0].present(chunk(2))() == ("left", 2)


def test_a_crowd_of_nobody_is_refused():
    with pytest.raises(SettingError, match=r"Crowd\.size must be at least 1; got 0"):
        Crowd(0)


class Script(NamedTuple):
    """What a thread does: waits, lengths of its chunks, how it looks at answers, how it ends."""

    kind: str
    naps: list
    lengths: list
    behind: int
    fails: bool


scripts = st.builds(
    Script,
    kind=st.sampled_from("ab"),
    naps=st.lists(st.sampled_from([0, 0, 0, 0.002]), min_size=7, max_size=7),
    lengths=st.lists(st.sampled_from([8, 8, 8, 3]), max_size=6),
    behind=st.integers(0, 2),
    fails=st.booleans(),
)


@given(every=st.lists(scripts, min_size=1, max_size=6))
@settings(max_examples=40)
def test_whatever_threads_do_each_is_shown_all_its_chunks_in_order_and_nobody_waits_for_ever(every):
    networks = [Network(k, script.kind) for k, script in enumerate(every)]

    def actor(network, script):
        def body():
            time.sleep(script.naps[-1])
            seat, answers, found = enter(network), [], []
            for value, length in enumerate(script.lengths):
                time.sleep(script.naps[value])
                answers.append(seat.present(chunk(value, length)))
                if len(answers) > script.behind:
                    found.append(answers.pop(0)())
            found += [answer() for answer in answers]
            if script.fails:
                raise DivergenceError(str(found))
            return found

        return body

    ends = together(*(actor(*pair) for pair in zip(networks, every, strict=True)))
    for network, script, end in zip(networks, every, ends, strict=True):
        shown = list(range(len(script.lengths)))
        assert network.seen == shown
        answers = [(network.name, value) for value in shown]
        assert str(end) == str(answers)
        assert isinstance(end, DivergenceError) == script.fails
