"""Networks on a GPU that stream at once: replicas, each with numbers and presentations of its own.

A chunk is cut into inner chunks. Each goes through the layers and then the read-outs, which keep
what it needs in arrays that stay where they are; only what the host asked for leaves them.
"""

from __future__ import annotations

from collections.abc import Sequence

from neurosim.checks import require
from neurosim.streaming.gpu.course import Course
from neurosim.streaming.gpu.layers import Layer
from neurosim.streaming.gpu.matrices import Matrices
from neurosim.streaming.gpu.member import Member, require_alike, stacked, traits
from neurosim.streaming.gpu.reader import Reader
from neurosim.streaming.gpu.told import Answer, Columns, Extent, Pending, Shows, Told, extent_of
from neurosim.streaming.gpu.wavefront import Streams

__all__ = ["Answer", "Columns", "GpuStack", "Member", "Pending", "Shows", "Told", "traits"]

COURSES = 4
"""Shapes of chunks that a stack is prepared for at the same time."""


class GpuStack:
    """Networks that can share a stack, taken over: their state is the stack's from now on.

    Every array of a member's state becomes a view of the stack's, which is always current, in the
    order of CuPy's current stream; whoever restores a state copies into these views.

    Parameters
    ----------
    members : sequence of Member
        Alike in `traits`; all on the GPU.
    inner : int
        Traces of an inner chunk. Results do not depend on it (to rounding).
    threads : int
        Threads a block of a kernel may have; a power of two, at most 1024.
    graphs : bool
        Whether what is queued is captured into CUDA graphs.

    Raises
    ------
    SettingError
        If the members are not alike or not on a GPU, or their normalization is recurrent.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        inner: int = 64,
        threads: int = 1024,
        graphs: bool = True,
    ) -> None:
        require(inner >= 1, "GpuStack.inner", "be at least 1", inner)
        require_alike(members)
        first = members[0]
        slots = len(first.circuits) + 1  # as many inner chunks are under way at once
        self._layers = [
            Layer(
                [member.circuits[k] for member in members],
                stacked([member.states[k] for member in members]), slots, threads,
            )
            for k in range(len(first.circuits))
        ]  # fmt: skip
        self._readers = {
            name: Reader(
                [member.readout for member in members],
                stacked([member.readouts[name] for member in members]), threads,
            )
            for name in first.sources
        }  # fmt: skip
        self._sources, self._inner, self._replicas = first.sources, inner, len(members)
        lanes = len(self._layers) + len(self._readers)
        self._streams, self._graphs = Streams(self._layers[0].xp, lanes), graphs
        self._matrices: dict[tuple[int, ...], Matrices] = {}
        self._courses: dict[Extent, Course] = {}
        self._under_way: list[Pending] = []

    def present(self, shows: Sequence[Shows]) -> Pending:
        """Queue a chunk of every member; nobody waits.

        Parameters
        ----------
        shows : sequence of Shows
            One a member, all of T presentations, P traces, and one window and number of instants.

        Returns
        -------
        Pending

        Raises
        ------
        SettingError
            If the chunks are not of one shape.
        """
        extent = extent_of(shows, self._replicas)
        matrices = self._matrices_for(extent, shows)
        course = self._course(extent, matrices)
        sent = [matrices.hold([show.plan for show in shows]), course.send(shows)]
        course.run()
        wanted = [(show.chosen, show.columns) for show in shows]
        pending = Pending(course.fetch(), lambda arrays: course.read(wanted, arrays), sent)
        # what nobody waits for must not go before the device has done with its memory
        self._under_way = [*(other for other in self._under_way if not other.done), pending]
        return pending

    def _matrices_for(self, extent: Extent, shows: Sequence[Shows]) -> Matrices:
        plans = [show.plan for show in shows]
        key = (extent.samples, extent.window, extent.instants)
        if key not in self._matrices or not self._matrices[key].fits(plans):
            layer = self._layers[0]
            self._matrices[key] = Matrices(layer.xp, plans, layer.form.dtype)
            self._courses.clear()  # they look at the old ones
        return self._matrices[key]

    def _course(self, extent: Extent, matrices: Matrices) -> Course:
        course = self._courses.pop(extent, None) or Course(
            self._layers,
            self._readers,
            self._sources,
            extent,
            matrices.times,
            self._inner,
            self._streams,
            self._graphs,
        )
        self._courses[extent] = course  # the last one was used last
        if len(self._courses) > COURSES:
            del self._courses[next(iter(self._courses))]
        return course
