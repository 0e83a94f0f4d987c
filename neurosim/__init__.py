"""neurosim: streaming, biologically grounded learning, one sample at a time.

The names below are imported when first used, so that ``import neurosim`` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurosim.machine_code import drop_stale

if TYPE_CHECKING:
    from neurosim.batched import Trainer
    from neurosim.network import Network
    from neurosim.recording import Recorder, RecordSettings, Run
    from neurosim.seeds import Seeds
    from neurosim.streaming.learning import Learning
    from neurosim.streaming.presentations import (
        DatasetStream,
        IterableStream,
        Presentation,
    )
    from neurosim.streaming.simulator import Simulator

_HOMES = {
    "DatasetStream": "neurosim.streaming.presentations",
    "IterableStream": "neurosim.streaming.presentations",
    "Learning": "neurosim.streaming.learning",
    "Network": "neurosim.network",
    "Presentation": "neurosim.streaming.presentations",
    "RecordSettings": "neurosim.recording",
    "Recorder": "neurosim.recording",
    "Run": "neurosim.recording",
    "Seeds": "neurosim.seeds",
    "Simulator": "neurosim.streaming.simulator",
    "Trainer": "neurosim.batched",
}

__all__ = [
    "DatasetStream",
    "IterableStream",
    "Learning",
    "Network",
    "Presentation",
    "RecordSettings",
    "Recorder",
    "Run",
    "Seeds",
    "Simulator",
    "Trainer",
]

drop_stale(Path(__file__).parent)  # before anything of it is loaded


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'neurosim' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
