"""What numba's simulator lacks: a shuffle, and threads that do not poll while they wait.

A block's threads take turns: each runs until it waits for others, and then another one does. A warp
goes on alone as far as it can, to the next barrier. The order is turned round each time, the same
in every run: whoever reads what nobody has written yet, or writes what somebody has still to read,
is found out in one direction or the other.
"""

from __future__ import annotations

import threading

import numpy as np
from numba.cuda.simulator import kernel, kernelapi

WARP = 32


def closed() -> threading.Lock:
    """A gate that whoever comes waits at, until somebody releases it; for one at a time."""
    gate = threading.Lock()
    gate.acquire()
    return gate


class Turns:
    """Whose turn it is, among the threads of a block; only the one at work asks."""

    def __init__(self, threads) -> None:
        warps = [threads[first : first + WARP][::-1] for first in range(0, len(threads), WARP)]
        self._warps, self._later = warps[::-1], []
        self._now, self._shuffling, self._arrived = [], [], []
        self.over, self.error = closed(), None

    def give(self) -> None:
        """Let the next thread work: of this warp, as long as one can, and then of another."""
        if not self._now:
            self._now, self._shuffling = self._shuffling, []
        if not self._now and self._arrived:
            self._later.append(self._arrived)
            self._arrived = []
        if not self._now:
            if not self._warps:
                self._warps, self._later = self._later, []
            if not self._warps:
                self.over.release()
                return
            self._now = self._warps.pop()
        self._now.pop().turn.release()

    def wait(self, thread, *, for_warp=False) -> None:
        """Come back when all threads, or those of the warp, have come so far."""
        (self._shuffling if for_warp else self._arrived).append(thread)
        self.give()
        thread.turn.acquire()
        if self.error is not None:
            raise RuntimeError("another thread has failed")


def run_thread(self) -> None:
    """A thread's work, when its turn has come; its first error ends the block."""
    self.turn.acquire()
    if self.turns.error is None:
        PLAIN_RUN(self)
    if self.exception is not None and self.turns.error is None:
        self.turns.error = self.exception
    self.turns.give()


def wait_for_all(self) -> None:
    """The barrier."""
    self.turns.wait(self)


def run_block(self, grid_point, *args) -> None:
    """All threads of a block."""
    threads = [
        kernel.BlockThread(lambda: self._f(*args), self, grid_point, point, self._debug)
        for point in np.ndindex(*self._block_dim)
    ]
    turns = Turns(threads)
    for thread in threads:
        thread.turn, thread.turns = closed(), turns
        thread.start()
    turns.give()
    turns.over.acquire()
    for thread in threads:
        thread.join()
    if turns.error is not None:
        raise turns.error[0].with_traceback(turns.error[1])


def shuffle(self, mask, value, distance):
    """``shfl_xor_sync``; all threads of the warp take part."""
    thread = threading.current_thread()
    partner = thread.thread_id ^ distance
    assert partner // WARP == thread.thread_id // WARP
    assert mask >> (partner % WARP) & 1
    held = vars(thread.turns).setdefault("held", {})
    turn = vars(thread).setdefault("shuffles", 0)
    thread.shuffles += 1
    held[turn, thread.thread_id] = value
    thread.turns.wait(thread, for_warp=True)
    return held.pop((turn, partner))


PLAIN_RUN = kernel.BlockThread.run


def complete(put=setattr) -> None:
    """Give the simulator what it lacks; ``put`` sets an attribute."""
    put(kernelapi.FakeCUDAModule, "shfl_xor_sync", shuffle)
    put(kernel.BlockThread, "run", run_thread)
    put(kernel.BlockThread, "syncthreads", wait_for_all)
    put(kernel.BlockManager, "run", run_block)
