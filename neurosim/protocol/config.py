"""What the settings of every protocol have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from neurosim.backend.products import KINDS, Products
from neurosim.checks import require, require_one_of
from neurosim.recording import RecordSettings


@dataclass(frozen=True, kw_only=True)
class ProtocolConfig:
    """Base of every protocol's ``Config``: a frozen dataclass with a default for each setting.

    A protocol whose arrays may be on a GPU says so with ``devices = ("cpu", "gpu")``, and with
    ``ensembles = True`` if all it computes there it leaves to a `Simulator`: many runs then share
    the GPU, each in a thread of one process.

    Each field becomes a command line option of the same name; a field that is itself a dataclass
    becomes dotted options, such as ``--record.every``.

    Parameters
    ----------
    seed : int
        The number all randomness of the run is derived from; not negative.
    device : {"cpu", "gpu"}
        Where the arrays live.
    products : {"float32", "tf32"}
        On a GPU, how exact products of float32 matrices are: tf32 is faster and keeps 10 bits of
        what is multiplied.
    record : RecordSettings
        What is written to the run file.

    Raises
    ------
    SettingError
        If the seed is negative, the device unknown or none the protocol can use, or tf32 is asked
        for where there is none.
    """

    seed: int = 0
    device: Literal["cpu", "gpu"] = "cpu"
    products: Products = "float32"
    record: RecordSettings = RecordSettings()

    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    ensembles: ClassVar[bool] = False

    def __post_init__(self) -> None:
        owner = type(self).__name__
        require(self.seed >= 0, f"{owner}.seed", "be a non-negative integer", self.seed)
        require_one_of(f"{owner}.device", self.device, ("cpu", "gpu"))
        here = "This protocol computes on the CPU only."
        require(self.device in self.devices, f"{owner}.device", "be cpu", self.device, here)
        require_one_of(f"{owner}.products", self.products, KINDS)
        if self.products == "tf32":
            field, dtype = f"{owner}.products", getattr(self, "dtype", "float32")
            there = "TF32 is a GPU's: --device gpu."
            require(self.device == "gpu", field, "be float32 on the CPU", self.products, there)
            require(dtype == "float32", field, f"be float32 for {dtype}", self.products)
