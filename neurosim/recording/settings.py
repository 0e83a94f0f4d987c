"""What a run records, how often, and how large its file may become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from neurosim.checks import require, require_one_of

Compression = Literal["gzip", "lzf", "none"]


@dataclass(frozen=True, kw_only=True)
class RecordSettings:
    """Which traces of a run are kept.

    Parameters
    ----------
    every : int
        Record traces at every k-th presentation; 0 keeps history and events only.
    neurons : int
        Neurons per layer whose traces are kept, evenly spaced; 0 keeps none.
    synapses : int
        Synapses per layer whose traces are kept, drawn from the seed; 0 keeps none.
    instants : tuple of int, optional
        Presentations ``first, stop`` that are recorded at every instant.
    budget : float
        Largest file allowed (bytes); a run predicted to exceed it does not start.
    checkpoint_every : int
        Presentations between checkpoints; 0 lets the simulator choose by the clock.
    compression : {"gzip", "lzf", "none"}
        How the finished file is compressed; a running file never is, so that rows are written in
        place and a crash cannot leave a half-compressed block.
    """

    every: int = 0
    neurons: int = 8
    synapses: int = 16
    instants: tuple[int, int] | None = None
    budget: float = 2e9
    checkpoint_every: int = 0
    compression: Compression = "lzf"

    def __post_init__(self) -> None:
        for field in ("every", "neurons", "synapses", "checkpoint_every"):
            value = getattr(self, field)
            whole = isinstance(value, int | np.integer) and bool(value >= 0)
            require(whole, f"RecordSettings.{field}", "be a whole number, 0 or more", value)
        require(self.budget > 0, "RecordSettings.budget", "be positive (bytes)", self.budget)
        require_one_of("RecordSettings.compression", self.compression, get_args(Compression))
        if self.instants is not None:
            whole = all(isinstance(at, int | np.integer) for at in self.instants)
            require(
                whole and len(self.instants) == 2 and 0 <= self.instants[0] < self.instants[1],
                "RecordSettings.instants",
                "be two presentation numbers, 0 <= first < stop",
                self.instants,
            )
