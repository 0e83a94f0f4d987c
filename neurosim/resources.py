"""What a run takes from the machine besides time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurosim.checks import SettingError


def usage() -> dict[str, int]:
    """``peak_memory`` in bytes, for a run's summary, and ``peak_memory_gpu`` if one was used.

    Without what the system does not tell.
    """
    peaks = {"peak_memory": peak_memory(), "peak_memory_gpu": peak_memory_gpu()}
    return {name: peak for name, peak in peaks.items() if peak is not None}


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


def peak_memory_gpu() -> int | None:
    """Most memory this process has taken from a GPU for arrays, in bytes; None if it took none.

    CuPy keeps what it has taken, for later arrays.
    """
    cupy = sys.modules.get("cupy")  # without it there are no arrays on a GPU
    return None if cupy is None else int(cupy.get_default_memory_pool().total_bytes()) or None


@contextmanager
def within_memory(field: str, remedy: str) -> Iterator[None]:
    """Say what to lower if memory runs out within the context, that of a GPU or the machine's own.

    Parameters
    ----------
    field : str
        ``Owner.field`` that decides how much is needed.
    remedy : str
        One sentence that says what to do instead.

    Raises
    ------
    SettingError
        In place of any `MemoryError`, which says how much was asked for.
    """
    try:
        yield
    except MemoryError as error:
        raise SettingError(f"{field} must fit into memory; got: {error} {remedy}") from error


def _by_usage() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
