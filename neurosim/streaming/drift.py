"""Images that drift under the eye: each is seen a little displaced, anew every time."""

from __future__ import annotations

import numpy as np
from numba import njit

from neurosim.backend import Array, namespace


def look(scenes: Array, samples: Array, moves: Array, darkest: np.generic) -> Array:
    """Some of the scenes, each displaced by its own numbers of pixels.

    Parameters
    ----------
    scenes : array, shape (n_scenes, rows, columns)
    samples : array of int, shape (n,)
        Which are seen.
    moves : array of int, shape (n, 2)
        Pixels that the eye moves down and to the right.
    darkest : number
        What comes into view from beyond the edges.

    Returns
    -------
    array, shape (n, rows, columns)
    """
    there, (_, rows, columns) = namespace(scenes, samples, moves), scenes.shape
    if there is np:
        seen: Array = np.empty((len(samples), rows, columns), scenes.dtype)
        _look(scenes, samples, moves, darkest, seen)
        return seen
    return look_reference(scenes, samples, moves, darkest)


def look_reference(scenes: Array, samples: Array, moves: Array, darkest: np.generic) -> Array:
    """What `look` does, as array code for any device."""
    there, (_, rows, columns) = namespace(scenes), scenes.shape
    down = there.arange(rows)[:, None] + moves[:, 0, None, None]
    right = there.arange(columns) + moves[:, 1, None, None]
    visible = (down >= 0) & (down < rows) & (right >= 0) & (right < columns)
    found = scenes[samples[:, None, None], down.clip(0, rows - 1), right.clip(0, columns - 1)]
    seen: Array = np.where(visible, found, darkest)
    return seen


@njit(cache=True, nogil=True)
def _look(scenes, samples, moves, darkest, seen):  # type: ignore[no-untyped-def]
    n, rows, columns = seen.shape
    for t in range(n):
        down, right = moves[t]
        for i in range(rows):
            inside = 0 <= i + down < rows
            for j in range(columns):
                visible = inside and 0 <= j + right < columns
                seen[t, i, j] = scenes[samples[t], i + down, j + right] if visible else darkest
