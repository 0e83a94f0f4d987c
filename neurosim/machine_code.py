"""Compiled functions are kept from run to run, and must not outlive their source."""

from __future__ import annotations

import contextlib
from pathlib import Path


def drop_stale(package: Path) -> int:
    """Delete compiled functions that are older than any source with compiled functions.

    numba looks at the file of a function, not at those of the functions it calls: without this a
    package that was edited or updated in place would go on with the machine code of before.

    Parameters
    ----------
    package : Path
        Folder with sources, and numba's files in each ``__pycache__``.

    Returns
    -------
    int
        Files deleted. A folder that cannot be written is left as it is: numba keeps its files
        elsewhere then.
    """
    made = dict[Path, float]()
    for path in package.rglob("__pycache__/*.nb[ic]"):
        with contextlib.suppress(OSError):  # another process does the same
            made[path] = path.stat().st_mtime
    oldest = min(made.values(), default=float("inf"))
    newer = [p for p in package.rglob("*.py") if p.stat().st_mtime > oldest]  # usually none
    compiled = [path.stat().st_mtime for path in newer if b"njit" in path.read_bytes()]
    stale = [path for path, time in made.items() if time < max(compiled, default=0)]
    for path in stale:
        with contextlib.suppress(OSError):
            path.unlink()
    return len(stale)
