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


def in_a_thread(work):
    """What a function returns in another thread."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join(10)
    (answer,) = found
    return answer


def asked():
    with Interruption() as interruption:
        return interruption.requested, signal.getsignal(signal.SIGINT)


def test_other_threads_hear_of_a_request_of_the_main_thread(handlers):
    assert in_a_thread(asked) == (False, handlers[signal.SIGINT])
    with Interruption():
        assert not in_a_thread(asked)[0]
        with Interruption() as inner:
            send(signal.SIGINT)
            assert inner.requested
            assert in_a_thread(asked)[0]
        assert not in_a_thread(asked)[0]  # the request was the inner one's, as in the main thread
    assert in_a_thread(asked) == (False, handlers[signal.SIGINT])


def test_a_thread_hears_of_a_request_made_while_it_works():
    began, sent = threading.Event(), threading.Event()
    heard = []

    def work():
        with Interruption() as interruption:
            heard.append(interruption.requested)
            began.set()
            assert sent.wait(10)
            heard.append(interruption.requested)

    thread = threading.Thread(target=work)
    with Interruption():
        thread.start()
        assert began.wait(10)
        send(signal.SIGTERM)
        sent.set()
        thread.join(10)
    assert heard == [False, True]
