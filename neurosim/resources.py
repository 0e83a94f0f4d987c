"""What a run takes from the machine besides time."""

from __future__ import annotations

import sys
from pathlib import Path


def usage() -> dict[str, int]:
    """``peak_memory`` in bytes, for a run's summary; without it where the system does not tell."""
    peak = peak_memory()
    return {} if peak is None else {"peak_memory": peak}


def peak_memory() -> int | None:
    """Most memory this process has held so far, in bytes; None where the system does not tell.

    On Linux it is the process's own high-water mark: what ``getrusage`` tells there begins with the
    peak of the process that started this one.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return _by_usage()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _by_usage() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
