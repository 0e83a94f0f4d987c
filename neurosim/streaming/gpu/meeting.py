"""What several networks show together: one call of a stack, made once and told to each of them."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, NamedTuple, TypeVar

from neurosim.backend import device_errors
from neurosim.streaming.gpu.stack import Answer, GpuStack, Member, Pending, Shows

Result = TypeVar("Result")

_QUEUE = threading.Lock()  # one stack at a time is built or given work


class Party:
    """A network among those that come to meetings, and the stack that its state is in.

    Parameters
    ----------
    member : Member
        Its state dicts are rewired whenever a stack takes it over.
    """

    def __init__(self, member: Member) -> None:
        self.member = member
        self.shared: Shared | None = None


class Shared(NamedTuple):
    """A stack and whose it is."""

    parties: list[Party]
    stack: GpuStack


class Meeting:
    """Chunks that are shown at once; whoever asks first does the work, on behalf of all.

    Parameters
    ----------
    parties : sequence of Party
        Of one kind.
    shows : sequence of Shows
        Their chunks, all of one shape.
    """

    def __init__(self, parties: Sequence[Party], shows: Sequence[Shows]) -> None:
        self._parties, self._shows = list(parties), list(shows)
        self._queued = _Once(self._queue)
        self._answers = _Once(self._wait)

    def begin(self) -> None:
        """Queue the work on the device; raises whatever that raised, to everybody."""
        self._queued()

    def answer(self, row: int) -> Answer:
        """Wait for the device; what it did with the chunk of the network in this row."""
        return self._answers()[row]

    def _queue(self) -> Pending:
        with _QUEUE, self._errors():
            return self._stack().present(self._shows)

    def _wait(self) -> list[Answer]:
        pending = self._queued()
        with self._errors():
            return pending.wait()

    def _errors(self) -> AbstractContextManager[None]:
        """Tell that it was the work of several that failed; who is alone tells it himself."""
        if len(self._parties) == 1:
            return nullcontext()
        remedy = "Lower --replicas, or choose smaller layers or a smaller chunk."
        return device_errors(f"An ensemble of {len(self._parties)} runs", remedy)

    def _stack(self) -> GpuStack:
        """The stack of exactly these networks: the one they share, else a new one."""
        shared = self._parties[0].shared
        alike = all(party.shared is shared for party in self._parties)
        if shared is None or not alike or shared.parties != self._parties:
            for party in self._parties:
                party.shared = None  # its memory is needed for the next one
            del shared
            stack = GpuStack([party.member for party in self._parties])
            shared = Shared(self._parties, stack)
            for party in self._parties:
                party.shared = shared
        return shared.stack


class _Once(Generic[Result]):
    """Work that is done by whoever asks first, while the others wait for what comes of it."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._lock = threading.Lock()
        self._work: Callable[[], Result] | None = work
        self._result: Result
        self._error: BaseException | None = None

    def __call__(self) -> Result:
        with self._lock:
            if self._work is not None:
                work, self._work = self._work, None
                try:
                    self._result = work()
                except BaseException as error:
                    self._error = error
            if self._error is not None:
                raise _own(self._error).with_traceback(self._error.__traceback__)
            return self._result


def _own(error: BaseException) -> BaseException:
    """The error for one more thread, which may add notes to it."""
    try:
        return copy.copy(error)
    except Exception:  # its class does not take the arguments that it tells
        return error
