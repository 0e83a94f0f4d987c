"""A meeting place: simulators in the threads of one process show their chunks together.

Every run keeps a thread, files and errors of its own; what runs share is a stack on the device.
Who has a chunk waits for the others of its kind, and the chunks of all are one call. A simulator
outside any crowd is a crowd of one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType

from neurosim.checks import Interrupted, require
from neurosim.streaming.gpu.meeting import Meeting, Party
from neurosim.streaming.gpu.stack import Answer, Member, Shows, traits

_PLACE: ContextVar[_Place | None] = ContextVar("place", default=None)


def enter(member: Member) -> Seat:
    """Take a seat for a network: in the crowd this thread belongs to, else in one of its own.

    A thread has one seat at a time: if it takes another one, the first leaves the crowd and shows
    its chunks alone.

    Parameters
    ----------
    member : Member
        The network; its state dicts are rewired to views whenever a stack takes it over.

    Returns
    -------
    Seat
        Shows chunks to it.
    """
    place = _PLACE.get() or _Place(Crowd(1))
    return place.sit(member)


class Seat(Party):
    """A network's place in a crowd; see `enter`.

    Parameters
    ----------
    member : Member
    crowd : Crowd
    """

    def __init__(self, member: Member, crowd: Crowd) -> None:
        super().__init__(member)
        self.kind = traits(member)
        self._crowd = crowd

    def present(self, shows: Shows) -> Callable[[], Answer]:
        """Show a chunk, together with all networks of the crowd that can share a stack with it.

        Waits for them to come with theirs, but not for the device.

        Parameters
        ----------
        shows : Shows

        Returns
        -------
        callable
            Waits for the device; returns what it did with this network's chunk.

        Raises
        ------
        Interrupted
            If the crowd was dissolved.
        NeurosimError
            If the device cannot do it, to each of those that came.
        """
        meeting, row = self._crowd.meet(self, shows)
        meeting.begin()
        return lambda: meeting.answer(row)


class Crowd:
    """Threads whose simulators show their chunks together.

    Nothing is shown before each thread has taken a seat or gone away again. After that, a chunk
    waits until every seat of its kind has one; seats that were left are not waited for. If an
    exception leaves the context the crowd is dissolved: who waits, or comes later, is interrupted.

    Parameters
    ----------
    size : int
        Threads that will come to a `place`.

    Raises
    ------
    SettingError
        If there are none.
    """

    def __init__(self, size: int) -> None:
        require(size >= 1, "Crowd.size", "be at least 1", size)
        self._changed = threading.Condition()
        self._expected = size
        self._kinds: dict[Hashable, _Kind] = {}
        self._dissolved = False

    def __enter__(self) -> Crowd:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            with self._changed:
                self._dissolved = True
                self._changed.notify_all()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Within the context this thread belongs to the crowd; at its end it leaves."""
        place = _Place(self)
        token = _PLACE.set(place)
        try:
            yield
        finally:
            _PLACE.reset(token)
            place.leave()

    def change(self, *, came: Seat | None, went: Seat | None, arrives: bool) -> None:
        """Wait for other seats from now on and, if a thread arrives, for one thread less."""
        with self._changed:
            self._expected -= arrives
            if came is not None:
                self._kinds.setdefault(came.kind, _Kind()).seats.append(came)
            if went is not None:
                kind = self._kinds[went.kind]
                kind.seats.remove(went)
                if went in kind.calls:
                    kind.open([went])
            for kind in self._kinds.values():
                self._open(kind)
            self._changed.notify_all()

    def meet(self, seat: Seat, shows: Shows) -> tuple[Meeting, int]:
        """Wait for the others; what is done together, and the seat's row in it."""
        with self._changed:
            kind = self._kinds[seat.kind]
            call = kind.calls[seat] = _Call(shows)
            if seat in kind.seats:
                self._open(kind)
            else:  # it left: nobody waits for it, and it for nobody
                kind.open([seat])
            try:
                while call.meeting is None:
                    if self._dissolved:
                        raise Interrupted("The ensemble was stopped.")
                    self._changed.wait()
            finally:
                kind.calls.pop(seat, None)
            return call.meeting, call.row

    def _open(self, kind: _Kind) -> None:
        """Let the chunks of a kind be shown if all have come; those of one shape together."""
        if self._expected > 0 or len(kind.calls) < len(kind.seats):
            return
        shapes: dict[tuple[int, ...], list[Seat]] = {}
        for seat in kind.seats:
            shapes.setdefault(_shape(kind.calls[seat].shows), []).append(seat)
        for seats in shapes.values():
            kind.open(seats)
        self._changed.notify_all()


class _Call:
    """A seat has come with a chunk; what it is shown in, once that is known."""

    def __init__(self, shows: Shows) -> None:
        self.shows = shows
        self.meeting: Meeting | None = None
        self.row = 0


class _Kind:
    """Seats that can share a stack, in the order they were taken, and those that have come."""

    def __init__(self) -> None:
        self.seats: list[Seat] = []
        self.calls: dict[Seat, _Call] = {}

    def open(self, seats: list[Seat]) -> None:
        """Show the chunks of these seats together."""
        calls = [self.calls.pop(seat) for seat in seats]
        meeting = Meeting(seats, [call.shows for call in calls])
        for row, call in enumerate(calls):
            call.meeting, call.row = meeting, row


class _Place:
    """A thread's place in a crowd, and the seat it has there."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._seat: Seat | None = None
        self._expected = True

    def sit(self, member: Member) -> Seat:
        seat = Seat(member, self._crowd)
        self._move(seat)
        return seat

    def leave(self) -> None:
        self._move(None)

    def _move(self, seat: Seat | None) -> None:
        self._crowd.change(came=seat, went=self._seat, arrives=self._expected)
        self._seat, self._expected = seat, False


def _shape(shows: Shows) -> tuple[int, ...]:
    """What chunks of one stack have in common: presentations, traces, instants and window."""
    plan = shows.plan
    return len(plan.eta), len(plan.at_rest), *plan.filter.shape[1:]
