"""Randomness addressed by name: one seed, and a generator for every path below it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from neurosim.checks import require


@dataclass(frozen=True)
class Seeds:
    """A tree of random generators, addressed by paths such as ``layer2/weights``.

    A path always names the same stream of numbers, whatever else was drawn before: adding a layer,
    a probe or a second data set changes no other draw.

    Parameters
    ----------
    seed : int
        The one number a run is reproduced from; not negative.
    prefix : str
        Path of this subtree; users leave it empty and call `child`.

    Examples
    --------
    >>> Seeds(3).generator("a/b").integers(100) == Seeds(3).child("a").generator("b").integers(100)
    np.True_
    """

    seed: int
    prefix: str = ""

    def __post_init__(self) -> None:
        require(self.seed >= 0, "Seeds.seed", "be a non-negative integer", self.seed)

    def child(self, name: str) -> Seeds:
        """The subtree below ``name``."""
        return Seeds(self.seed, f"{self.prefix}{name}/")

    def generator(self, name: str) -> np.random.Generator:
        """A fresh generator at ``name``; calling twice gives the same numbers twice."""
        digest = hashlib.sha256(f"{self.prefix}{name}".encode()).digest()
        words = np.frombuffer(digest, dtype=np.uint32).tolist()
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, *words])))
