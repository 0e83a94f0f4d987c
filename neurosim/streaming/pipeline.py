"""Stages that work on different items at once, each stage on its items in order.

Layer 2 can show one chunk while layer 1 shows the next: nothing flows back. Idle threads sleep on a
condition, they never spin, so that a busy core elsewhere costs no more than its share.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from typing import Any

Stage = Callable[[Any], Any]


def ahead(threads: int) -> int:
    """Items on their way while the caller looks at a result: few, because they take memory."""
    return threads + 1  # one each, and one that waits for its next stage


def pipeline(items: Iterable[Any], stages: list[Stage], threads: int) -> Iterator[Any]:
    """Pass every item through all stages, in order; yield the results in order.

    Parameters
    ----------
    items : iterable
        Drawn from one thread at a time, at most `ahead` of the results.
    stages : list of callable
        Each takes what the one before it returned; none runs twice at once.
    threads : int
        Working threads; 1 runs everything in the caller's.

    Raises
    ------
    Exception
        Whatever a stage or the iterable raised, once running stages have stopped.
    """
    if threads == 1:
        for item in items:
            for stage in stages:
                item = stage(item)
            yield item
        return
    work = _Work(iter(items), stages, ahead(threads))
    # what the caller has arranged for itself, such as a device's stand-in, holds for its workers
    contexts = [copy_context() for _ in range(threads)]
    workers = [threading.Thread(target=c.run, args=(work.run,), daemon=True) for c in contexts]
    for worker in workers:
        worker.start()
    try:
        yield from work.results()
    finally:
        work.stop()
        for worker in workers:
            worker.join()


class _Work:
    """Queues before each stage, guarded by one condition; stage 0 draws from the source."""

    def __init__(self, source: Iterator[Any], stages: list[Stage], limit: int) -> None:
        self._source = source
        self._stages = stages
        self._queues: list[deque[Any]] = [deque() for _ in range(len(stages) + 2)]
        self._busy = [False] * (len(stages) + 1)
        self._changed = threading.Condition()
        self._in_flight, self._limit = 0, limit
        self._exhausted = self._stopped = False
        self._failure: BaseException | None = None

    def _ready(self) -> int | None:
        """The latest stage that could work now: what is nearly done is finished first."""
        for k in reversed(range(1, len(self._busy))):
            if self._queues[k] and not self._busy[k]:
                return k
        drawing = self._busy[0] or self._exhausted or self._in_flight >= self._limit
        return None if drawing else 0

    def run(self) -> None:
        while True:
            with self._changed:
                while (k := self._ready()) is None and not self._over():
                    self._changed.wait()
                if k is None or self._stopped:
                    return
                item = self._queues[k].popleft() if k else None
                self._busy[k] = True
                self._in_flight += k == 0
            try:
                result = self._stages[k - 1](item) if k else next(self._source)
            except BaseException as failure:
                with self._changed:
                    self._busy[k] = False
                    if k == 0 and isinstance(failure, StopIteration):
                        self._exhausted = True
                        self._in_flight -= 1
                    else:
                        self._failure, self._stopped = failure, True
                    self._changed.notify_all()
                continue
            with self._changed:
                self._busy[k] = False
                self._queues[k + 1].append(result)
                self._changed.notify_all()

    def _over(self) -> bool:
        return self._stopped or (self._exhausted and self._in_flight == 0)

    def results(self) -> Iterator[Any]:
        finished = self._queues[-1]
        while True:
            with self._changed:
                while not finished and not (self._over() and not any(self._busy)):
                    self._changed.wait()
                if not finished:  # what is finished is not lost with what failed after it
                    if self._failure is not None:
                        raise self._failure
                    return
                item = finished.popleft()
                self._in_flight -= 1
                self._changed.notify_all()
            yield item

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
