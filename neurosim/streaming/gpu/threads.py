"""Which thread of a block owns which neurons."""

from __future__ import annotations

from typing import NamedTuple

from neurosim.checks import require

WARP = 32


class Threads(NamedTuple):
    """A block's threads, in teams: each team looks after some groups, one after the other.

    A layer without groups is one group. Everything is a number that a kernel is compiled with.

    n_post : neurons of the layer.
    groups, size : its groups and the neurons in each.
    lanes : threads of a team; a power of two, so that sums are butterflies.
    teams : teams that have groups; the last threads of a block may have none.
    rounds : groups a team looks after, at most.
    each : neurons of one group that a thread looks after, at most.
    total : threads of the block: whole warps, or less than one and a power of two.
    """

    n_post: int
    groups: int
    size: int
    lanes: int
    teams: int
    rounds: int
    each: int
    total: int

    @property
    def slots(self) -> int:
        """Neurons a thread owns, at most."""
        return self.rounds * self.each

    @property
    def warp(self) -> int:
        """Threads of a warp that exist."""
        return min(self.total, WARP)

    @property
    def warps(self) -> int:
        """Warps of the block."""
        return self.total // self.warp


def share_out(n_post: int, groups: int, most: int) -> Threads:
    """Neurons shared out among at most so many threads.

    Parameters
    ----------
    n_post : int
        Neurons of the layer.
    groups : int
        Its groups; 0 for none.
    most : int
        Threads a block may have; a power of two, at most 1024.
    """
    usable = 1 <= most <= 1024 and most & (most - 1) == 0
    require(usable, "GpuStack.threads", "be a power of two in [1, 1024]", most)
    groups = max(groups, 1)
    size = n_post // groups
    lanes = 1
    # a warp reduces without a barrier: a team grows beyond one only if threads would be idle
    while lanes * 2 <= min(size, most) and (lanes < WARP or groups * lanes * 2 <= most):
        lanes *= 2
    teams = min(groups, most // lanes)
    busy = teams * lanes
    total = -(-busy // WARP) * WARP if busy > WARP else 1 << (busy - 1).bit_length()
    rounds, each = -(-groups // teams), -(-size // lanes)
    return Threads(n_post, groups, size, lanes, teams, rounds, each, total)
