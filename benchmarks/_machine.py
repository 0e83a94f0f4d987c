"""The machine a benchmark runs on, and what else it was busy with."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from time import perf_counter
from typing import Any

from threadpoolctl import threadpool_info

from neurosim.recording.provenance import provenance

_HERTZ = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def machine() -> dict[str, Any]:
    """What the figures depend on, without the machine's name."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if "model name" in line), cpu)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    source = provenance()
    blas = sorted({f"{b['internal_api']} {b['version']}" for b in threadpool_info()})
    kept = {name: source[name] for name in ("versions", "commit", "started")}
    return {"cpu": cpu, "cores": cores, "system": platform.system(), "blas": blas, **kept}


class Quiet:
    """Share of one core that other processes used within the context; NaN where unknown."""

    def __enter__(self) -> Quiet:
        self._began, self._before, self.others = perf_counter(), _busy(), float("nan")
        return self

    def __exit__(self, *error: object) -> None:
        everyone, own = (now - then for now, then in zip(_busy(), self._before, strict=True))
        self.others = max(0.0, everyone - own) / (perf_counter() - self._began)


def _busy() -> tuple[float, float]:
    """CPU seconds used so far by everyone, and by this process with its children."""
    try:
        ticks = Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
        family = [os.getpid(), *map(int, _children())]
        own = sum(float(t) for pid in family for t in _stat(pid)) + sum(os.times()[2:4]) * _HERTZ
    except (OSError, ValueError):
        return float("nan"), float("nan")
    total = sum(map(float, ticks)) - float(ticks[3]) - float(ticks[4])
    return total / _HERTZ, own / _HERTZ


def _children() -> list[str]:
    tasks = Path("/proc/self/task").iterdir()
    return [pid for task in tasks for pid in (task / "children").read_text().split()]


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
