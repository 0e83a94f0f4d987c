"""Inner chunks pass lanes as a wavefront: each lane on a stream, events between them, in a graph.

While a lane works on an inner chunk, the lane behind it works on the one before. All streams fork
from the caller's current one and join it again. What is queued for one shape of chunks is always
the same: it is queued for real at first, which compiles and loads whatever it needs, captured into
a CUDA graph the second time, and launched from then on. Without a GPU the steps are just done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Generic, NamedTuple, TypeVar

from neurosim.backend import cuda_of
from neurosim.checks import DeviceError

Item = TypeVar("Item")


class Lane(NamedTuple, Generic[Item]):
    """What is done with items, one after the other.

    step : does it; it must not wait, nor allocate memory after the first time.
    sees : numbers of the lanes before it that give it what they make of the item.
    """

    step: Callable[[Item], None]
    sees: tuple[int, ...]


class Streams:
    """A stream for the whole and one for every lane; none of them waits for the null stream.

    Parameters
    ----------
    xp : module
        Of the arrays.
    lanes : int
    """

    def __init__(self, xp: ModuleType, lanes: int) -> None:
        self.cuda: Any = cuda_of(xp)
        self.all: list[Any] = []
        if self.cuda is not None:
            # the null stream takes no part in what is captured, whoever uses it meanwhile
            self.all = [self.cuda.Stream(non_blocking=True) for _ in range(lanes + 1)]


class Wavefront(Generic[Item]):
    """Items passing lanes.

    Parameters
    ----------
    streams : Streams
    lanes : sequence of Lane
    items : sequence
    slots : int
        How many items of a lane are kept: it takes the next when who sees it is done with the one
        that was there.
    graphs : bool
        Whether to capture; without, everything is queued anew each time.
    """

    def __init__(
        self,
        streams: Streams,
        lanes: Sequence[Lane[Item]],
        items: Sequence[Item],
        slots: int,
        *,
        graphs: bool = True,
    ) -> None:
        self._cuda, self._lanes, self._items, self._slots = streams.cuda, lanes, items, slots
        self._streams, self._graphs = streams.all, graphs
        self._graph: Any = None
        self._queued = False

    def pass_through(self) -> None:
        """Queue all steps on all items, behind what is queued on the current stream."""
        if not self._streams:
            for item in self._items:
                for lane in self._lanes:
                    lane.step(item)
            return
        here, whole = self._cuda.get_current_stream(), self._streams[0]
        whole.wait_event(self._mark(here))
        if self._queued and self._graphs and self._graph is None:
            self._graph = self._capture(whole)
        if self._graph is not None:
            self._graph.launch(whole)
        else:
            self._queue()
        self._queued = True
        here.wait_event(self._mark(whole))

    def _queue(self) -> None:
        """Every step on its lane's stream, behind those it needs."""
        whole, *streams = self._streams
        began = self._mark(whole)
        for stream in streams:
            stream.wait_event(began)
        done: list[list[Any]] = []
        for number, item in enumerate(self._items):
            marks: list[Any] = []
            for k, (lane, stream) in enumerate(zip(self._lanes, streams, strict=True)):
                for other in lane.sees:
                    stream.wait_event(marks[other])
                if number >= self._slots:
                    for other, follower in enumerate(self._lanes):
                        if k in follower.sees:
                            stream.wait_event(done[number - self._slots][other])
                with stream:
                    lane.step(item)
                marks.append(self._mark(stream))
            done.append(marks)
        for mark in done[-1]:
            whole.wait_event(mark)

    def _capture(self, whole: Any) -> Any:
        """All steps as one graph; nothing is done yet."""
        whole.begin_capture()
        try:
            self._queue()
        except Exception as error:
            self._give_up(whole)
            raise self._told(error) from error
        try:
            return whole.end_capture()
        except Exception as error:
            raise self._told(error) from error

    @staticmethod
    def _give_up(whole: Any) -> None:
        """Leave a capture that failed; what CUDA says about it is known already."""
        try:
            whole.end_capture()
        except Exception:
            return

    @staticmethod
    def _told(error: Exception) -> DeviceError:
        text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        return DeviceError(
            f"Wavefront.graphs must be captured by this CUDA; got {text}. Update driver and CuPy; "
            "GpuStack(graphs=False) does without, and keeps Python busy."
        )

    def _mark(self, stream: Any) -> Any:
        """An event behind what is queued on a stream."""
        event = self._cuda.Event(disable_timing=True)
        event.record(stream)
        return event
