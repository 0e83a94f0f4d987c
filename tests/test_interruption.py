"""Signals as a request: the first one is kept, the second one interrupts."""

import os
import signal
import threading

import pytest

from neurosim.interruption import Interruption

every_signal = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@pytest.fixture(autouse=True)
def handlers():
    """Whatever a test does, the process keeps its handlers; returns those of before."""
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number):
    os.kill(os.getpid(), number)


@every_signal
def test_the_first_signal_only_asks(number):
    with Interruption() as interruption:
        assert not interruption.requested
        send(number)
        assert interruption.requested


@every_signal
def test_the_second_signal_interrupts(number):
    with Interruption() as interruption:
        send(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            send(number)
        assert interruption.requested


def test_afterwards_everything_is_as_before(handlers):
    with pytest.raises(OSError, match="disk"), Interruption():
        raise OSError("disk")
    assert {n: signal.getsignal(n) for n in handlers} == handlers


def test_a_request_is_forgotten_afterwards(handlers):
    with Interruption():
        send(signal.SIGINT)
    assert not Interruption().requested
    assert {n: signal.getsignal(n) for n in handlers} == handlers


def test_outside_the_main_thread_it_does_nothing(handlers):
    found = []

    def work():
        with Interruption() as interruption:
            found.append((interruption.requested, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert found == [(False, handlers[signal.SIGINT])]
