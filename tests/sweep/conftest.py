"""A small protocol of a user's own, whose runs fail, die and hang when a test wants them to."""

from __future__ import annotations

from pathlib import Path

import pytest

# Files named after what should go wrong are the tests' way to tell a run in another process.
PROTOCOL = '''"""Add up random numbers."""

from __future__ import annotations

import os
import signal
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurosim.checks import DataError
from neurosim.protocol import ProtocolConfig
from neurosim.seeds import Seeds


@dataclass(frozen=True, kw_only=True)
class Inner:
    depth: int = 2


@dataclass(frozen=True, kw_only=True)
class Config(ProtocolConfig):
    steps: int = 3
    tau: float = 1.0
    switch: bool = False
    widths: tuple[int, ...] = (2, 3)
    inner: Inner = Inner()


def run(config, recorder):
    if Path(f"fail{config.seed}").exists():
        raise DataError("Data.file must exist; got nothing. Provide it.")
    if Path("warn").exists():
        warnings.warn("Layer 2 is silent.")
    recorder.declare_history({"presentations": ""})
    recorder.begin()
    past = recorder.checkpoint
    first, total = (past.position["step"], past.arrays["total"]) if past else (0, np.zeros(1))
    for step in range(first, config.steps):
        total = total + Seeds(config.seed).generator(f"step{step}").random()
        recorder.note(presentations=step + 1)
        recorder.save_checkpoint({"total": total}, {"step": step + 1})
        if step == 0 and Path("stubborn").exists():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if step == 0 and Path("die").exists():
            Path("die").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        while step == 0 and Path("hang").exists():
            time.sleep(0.01)
    recorder.finish({"test_accuracy": 0.5 + config.seed / 10, "seconds": 2.0}, {"total": total})
'''


@pytest.fixture
def protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The protocol's file, in the current folder."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "adding.py"
    file.write_text(PROTOCOL)
    return file
