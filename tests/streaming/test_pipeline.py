"""The pipeline: order, exclusion, failures, and threads that sleep."""

import itertools
import threading
import time

import pytest

from neurosim.streaming.pipeline import ahead, pipeline

PATIENCE = 20.0  # seconds until a test counts as deadlocked; none comes near it

many = pytest.mark.parametrize("threads", [1, 2, 3, 6])


@pytest.fixture(autouse=True)
def _no_thread_is_left_behind():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


def collect(items, stages, threads):
    """All results and what was raised, from a thread of its own: a deadlock fails, not hangs."""
    results, raised = [], []

    def consume():
        try:
            results.extend(pipeline(items, stages, threads))
        except BaseException as error:
            raised.append(error)

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    consumer.join(PATIENCE)
    assert not consumer.is_alive(), "deadlock"
    return results, raised[0] if raised else None


@many
@pytest.mark.parametrize("n", [0, 1, 50])
def test_results_come_in_order_after_all_stages(threads, n):
    stages = [lambda x: x + 1, lambda x: 2 * x, str]
    results, error = collect(range(n), stages, threads)
    assert error is None
    assert results == [str(2 * (x + 1)) for x in range(n)]


@many
def test_without_stages_items_pass(threads):
    assert collect(range(5), [], threads) == ([0, 1, 2, 3, 4], None)


@many
def test_each_stage_works_on_one_item_at_a_time_in_order(threads):
    busy, seen = [threading.Lock() for _ in range(3)], [[] for _ in range(3)]

    def stage(k):
        def work(item):
            assert busy[k].acquire(blocking=False), "two at once"
            time.sleep(0.0005 * ((item + k) % 3))
            seen[k].append(item)
            busy[k].release()
            return item

        return work

    _, error = collect(range(30), [stage(k) for k in range(3)], threads)
    assert error is None
    assert seen == [list(range(30))] * 3


def test_stages_work_at_the_same_time():
    """The first stage holds item 1 until the second one holds item 0."""
    meeting = threading.Barrier(2, timeout=PATIENCE)

    def first(item):
        if item == 1:
            meeting.wait()
        return item

    def second(item):
        if item == 0:
            meeting.wait()
        return item

    assert collect(range(2), [first, second], 2) == ([0, 1], None)


@many
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_what_a_stage_raises_arrives(threads, place, kind):
    def failing(item):
        if item == 7:
            raise kind("seven")
        return item

    stages = [lambda x: x] * 3
    stages[place] = failing
    results, error = collect(itertools.count(), stages, threads)
    assert isinstance(error, kind)
    assert error.args == ("seven",)
    assert results == list(range(len(results)))
    assert len(results) <= 7


@many
def test_what_the_source_raises_arrives(threads):
    def source():
        yield from range(3)
        raise OSError("gone")

    results, error = collect(source(), [lambda x: x] * 2, threads)
    assert isinstance(error, OSError)
    assert results == list(range(len(results)))


@many
def test_a_stage_that_stops_iterating_is_an_error_not_an_end(threads):
    def failing(item):
        return next(iter(())) if item == 3 else item

    _, error = collect(range(10), [failing], threads)
    assert isinstance(error, RuntimeError)
    assert isinstance(error.__cause__, StopIteration)


@many
def test_the_source_is_drawn_a_few_items_ahead_at_most(threads):
    drawn = itertools.count()
    source = pipeline((next(drawn) for _ in itertools.count()), [lambda x: x] * 3, threads)
    for expected in range(4):
        assert next(source) == expected
        time.sleep(0.02)  # time to draw too far
    more = next(drawn) - 4
    source.close()
    assert more <= (ahead(threads) if threads > 1 else 0)


@many
def test_a_consumer_may_leave_early(threads):
    running = threading.Event()

    def slow(item):
        running.set()
        time.sleep(0.01)
        running.clear()
        return item

    source = pipeline(itertools.count(), [slow], threads)
    assert next(source) == 0
    source.close()
    assert not running.is_set()  # it waited for what was under way


def test_waiting_threads_sleep():
    """Three threads, one at work (asleep itself): the others must not burn the processor."""

    def slow(item):
        time.sleep(0.1)
        return item

    began, used = time.monotonic(), time.process_time()
    results, _ = collect(range(4), [slow, lambda x: x, lambda x: x], 4)
    waited, used = time.monotonic() - began, time.process_time() - used
    assert results == [0, 1, 2, 3]
    assert waited >= 0.4
    assert used < 0.25 * waited
