"""Where a run came from: versions, commit, machine, command line."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from neurosim.backend import cuda_of, cupy_or_none

PACKAGES = ("neurosim", "numpy", "numba", "h5py")


def provenance(device: str = "cpu") -> dict[str, object]:
    """What is needed to repeat a run, besides its settings.

    Parameters
    ----------
    device : {"cpu", "gpu"}
        What the run computes on.

    Returns
    -------
    dict
        ``versions``, ``commit`` (None outside a git checkout), ``host``, ``gpu`` (what CuPy tells
        of it; only of runs there), ``started`` (UTC), ``command`` (absolute paths shortened to file
        names: where a user keeps files is private).
    """
    gpu = {"gpu": _gpu()} if device == "gpu" else {}
    return {
        "versions": {"python": platform.python_version()} | {p: _version(p) for p in PACKAGES},
        "commit": _commit(),
        "host": {
            "system": platform.platform(),
            "machine": platform.machine(),
            "cpus": os.cpu_count(),
        },
        **gpu,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [_without_folders(argument) for argument in sys.argv],
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _gpu() -> dict[str, object] | None:
    cupy = cupy_or_none()
    if cupy is None or cuda_of(cupy) is None:
        return None
    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(runtime.getDevice())
    return {
        "name": properties["name"].decode(),
        "memory": int(properties["totalGlobalMem"]),
        "driver": int(runtime.driverGetVersion()),
        "cuda": int(runtime.runtimeGetVersion()),
        "cupy": cupy.__version__,
        "numba-cuda": _version("numba-cuda"),
    }


@cache
def _commit() -> str | None:
    """Commit of the checkout this package lies in, with ``+changes`` where files differ."""
    checkout = Path(__file__).resolve().parents[2]
    # An installed package may lie inside some other project's repository: that one is not ours.
    if not (checkout / ".git").exists():
        return None
    commit = _git(checkout, "rev-parse", "HEAD")
    changes = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+changes" if commit and changes else commit


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _without_folders(argument: str) -> str:
    option, equals, value = argument.rpartition("=")
    return option + equals + (Path(value).name if Path(value).is_absolute() else value)
