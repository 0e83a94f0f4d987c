"""A small protocol of a user's own, and a folder to run it in."""

from __future__ import annotations

from pathlib import Path

import pytest

# Adds up seeded numbers; stops after `stop_after` steps the way the simulator does on Ctrl-C.
PROTOCOL = '''"""Count to a number.

A protocol of a test.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurosim.checks import DataError, Interrupted, require
from neurosim.protocol import ProtocolConfig
from neurosim.seeds import Seeds


@dataclass(frozen=True, kw_only=True)
class Inner:
    """Part of the settings."""

    depth: int = 2


@dataclass(frozen=True, kw_only=True)
class Config(ProtocolConfig):
    """Settings of the count."""

    steps: int = 5
    """How far to count."""
    mode: Literal["add", "fail", "crash", "forget", "kill", "interrupt"] = "add"
    widths: tuple[int, ...] = (2, 3)
    inner: Inner = Inner()

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.steps > 0, "Config.steps", "be positive", self.steps)


def run(config, recorder):
    if config.mode == "fail":
        raise DataError("Data.file must exist; got nothing. Provide it.")
    recorder.declare_history({"presentations": "", "test_accuracy": ""})
    recorder.begin()
    checkpoint = recorder.checkpoint
    first, total = (checkpoint.position["step"], checkpoint.arrays["total"]) if checkpoint else (
        0, np.zeros(1))
    for step in range(first, config.steps):
        total = total + Seeds(config.seed).generator(f"step{step}").random()
        recorder.note(presentations=step + 1, test_accuracy=(step + 1) / config.steps)
        if step == 2 and not checkpoint and config.mode != "add":
            recorder.save_checkpoint({"total": total}, {"step": step + 1})
            if config.mode == "interrupt":
                raise Interrupted("Stopped at 3. Continue with: neurosim resume count.h5")
            if config.mode == "kill":
                os.kill(os.getpid(), signal.SIGTERM)
            if config.mode == "crash":
                raise ZeroDivisionError("count")
            if config.mode == "forget":
                return
    recorder.finish({"presentations": config.steps, "test_accuracy": 1.0}, {"total": total})
'''


@pytest.fixture
def protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The protocol's file, in the current folder."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "count.py"
    file.write_text(PROTOCOL)
    return file
