"""Ctrl-C and SIGTERM as a request to stop at the next safe place."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, ClassVar


class Interruption:
    """Within the context, the first signal only sets `requested`; the second one interrupts.

    Python delivers signals to the main thread only. Other threads hear of a request as long as the
    main thread is within such a context of its own.
    """

    _heard: ClassVar[Interruption | None] = None  # the main thread's, where signals arrive

    def __init__(self) -> None:
        self._requested = False
        self._before: dict[int, Any] = {}
        self._outer: Interruption | None = None

    @property
    def requested(self) -> bool:
        """Whether somebody asked to stop."""
        heard = None if self._before else Interruption._heard
        return self._requested or (heard is not None and heard._requested)

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._request)
            self._outer, Interruption._heard = Interruption._heard, self
        return self

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._before:
            Interruption._heard = self._outer
