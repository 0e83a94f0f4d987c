"""A chunk's way, wherever the network is: its stages in order, and how long chunks should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from neurosim.streaming.assembly import Assembly
from neurosim.streaming.chunk import Chunk
from neurosim.streaming.oncpu import OnCpu
from neurosim.streaming.pipeline import ahead

TRACES = {"cpu": 128, "gpu": 1024}
"""Traces that pass a layer at once if nobody says otherwise."""


class Way(Protocol):
    """What `OnCpu` and `OnGpu` have in common."""

    def prepare(self) -> None:
        """Do what a run needs before the clock starts."""

    def stages(self) -> list[Callable[[Chunk], Chunk]]:
        """What happens to a chunk, in order; each stage may work on another chunk meanwhile."""


def way_of(parts: Assembly, engine: str, threads: int) -> Way:
    """The way on the parts' device; see `Simulator` for the arguments."""
    if parts.device == "cpu":
        return OnCpu(parts, engine, keep=ahead(threads))
    from neurosim.streaming.ongpu import OnGpu  # compiles for GPUs: not for those who have none

    return OnGpu(parts, engine)
