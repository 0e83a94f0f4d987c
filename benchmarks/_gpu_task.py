"""How the benchmark on a GPU is run, and what every side of it does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._batched_task import BatchedTask
from benchmarks._task import Task
from neurosim.backend import cupy_or_none, require_device
from neurosim.checks import SettingError, require, require_one_of

CPU_TOO = ("a", "c", "d")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the benchmark is run.

    Parameters
    ----------
    only : str
        Letters of the sections to run, as in ``a,b``; by default all the device can.
    device : {"gpu", "cpu"}
        Where both sides compute; the CPU is for trying the script, and for sections a, c and d.
    quick : bool
        A small network and a single short round, to try the script itself; writes no results.
    dataset : str
        What is shown; by default mnist where NEUROSIM_DATA names its folder, else synthetic data of
        the same size.
    width : int
        Neurons of each of three layers.
    replicas : int
        Networks of an ensemble.
    rounds : int
        Interleaved rounds; medians are reported.
    seconds : float
        About how long a side works in a round.
    out : Path
        Folder of the results.
    """

    only: str = ""
    device: str = "gpu"
    quick: bool = False
    dataset: str = ""
    width: int = 1024
    replicas: int = 64
    rounds: int = 5
    seconds: float = 2.0
    out: Path = Path("results/benchmarks")

    def __post_init__(self) -> None:
        require_device("Settings.device", self.device)
        for letter in self.letters:
            require_one_of("Settings.only", letter, "abcde")
            usable = self.device == "gpu" or letter in CPU_TOO
            require(usable, "Settings.only", f"be among {', '.join(CPU_TOO)} on the CPU", letter)
        for field in ("width", "replicas", "rounds"):
            value = getattr(self, field)
            require(value >= 1, f"Settings.{field}", "be at least 1", value)

    @property
    def letters(self) -> tuple[str, ...]:
        """The sections to run."""
        everything = tuple("abcde") if self.device == "gpu" else CPU_TOO
        return tuple(self.only.split(",")) if self.only else everything

    @property
    def shown(self) -> str:
        """The data set."""
        if self.quick:
            return self.dataset or "digits"
        return self.dataset or ("mnist" if "NEUROSIM_DATA" in os.environ else "synthetic")

    @property
    def widths(self) -> tuple[int, int, int]:
        """Neurons of each layer."""
        return (64 if self.quick else self.width,) * 3

    @property
    def streaming(self) -> Task:
        """Streaming, on the device."""
        return Task(dataset=self.shown, widths=self.widths, device=self.device)

    @property
    def batched(self) -> BatchedTask:
        """Batches."""
        return BatchedTask(dataset=self.shown, widths=self.widths)

    @property
    def torch(self) -> str:
        """PyTorch's name of the device; refused where it has none."""
        try:
            import torch
        except ImportError:
            raise SettingError(
                "The comparison must have PyTorch; got none. Install it: pip install -e '.[bench]'."
            ) from None
        if self.device == "gpu" and not torch.cuda.is_available():
            raise SettingError(
                f"PyTorch must see the GPU; got {torch.__version__}, which does not. Install one "
                "that is built for CUDA."
            )
        return "cuda" if self.device == "gpu" else "cpu"

    def timing(self, longest: int) -> dict[str, Any]:
        """Arguments of `interleave`."""
        rounds, seconds = (1, 0.05) if self.quick else (self.rounds, self.seconds)
        return {"rounds": rounds, "seconds": seconds, "longest": longest}


def where(settings: Settings) -> str:
    """The GPU and its software, for the notes of a table."""
    cupy = cupy_or_none() if settings.device == "gpu" else None
    if cupy is None or not hasattr(cupy, "cuda"):
        return "No GPU took part."
    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    runtime = cupy.cuda.runtime
    return (
        f"{properties['name'].decode()}, CUDA driver {runtime.driverGetVersion()}, runtime "
        f"{runtime.runtimeGetVersion()}, CuPy {cupy.__version__}."
    )
