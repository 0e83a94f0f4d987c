"""What a comparison needs of one run file, read once."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.checks import SettingError
from neurosim.recording import Run

ACCURACY = ("accuracy", "test_accuracy")
"""Columns of the history that hold the test accuracy, the first choice first."""


UNTOLD = {"products": "float32"}
"""What run files of earlier versions do not tell of every run's settings, and how it was."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """One run.

    Parameters
    ----------
    path : Path
        The file that was read.
    protocol : str
    settings : dict
        As stored, without the seed and what was recorded.
    seed : int
    status : str
        finished or partial.
    device : str
    history : dict of str to ndarray, shape (n_evaluations,)
        See `neurosim.Run.history`.
    summary : dict
        Empty for a partial run.
    provenance : dict
    shapes : dict of str to tuple of int
        Neurons and inputs of ``layer1``, ..., and of ``readout/weights``, as far as they are known.
    """

    path: Path
    protocol: str
    settings: dict[str, Any]
    seed: int
    status: str
    device: str
    history: dict[str, np.ndarray]
    summary: dict[str, Any]
    provenance: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return self.status == "finished"

    @property
    def measured_on(self) -> str:
        """``test``, or ``validation`` for a part of the training set."""
        held_out = "validation" if self.settings.get("validation") else "test"
        return str(self.summary.get("measured_on", held_out))

    @property
    def accuracy(self) -> float:
        """Test accuracy at the end, or when a partial run was last evaluated; NaN if never."""
        last = self.curve("presentations")[1][-1:]
        return float(self.summary.get("test_accuracy", last[0] if len(last) else np.nan))

    @property
    def presentations(self) -> float:
        """Samples shown, repetitions counted; of a partial run, until the last evaluation."""
        return self._final("presentations", "presentations")

    @property
    def seconds(self) -> float:
        """Time spent on learning (s); of a partial run, until the last evaluation."""
        return self._final("seconds", "elapsed")

    @property
    def peak_memory(self) -> float:
        """Largest memory the process had (bytes); NaN if not measured."""
        return float(self.summary.get("peak_memory", np.nan))

    def curve(self, clock: str, column: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Moments and values of a column of the history, as far as it was measured.

        Parameters
        ----------
        clock : str
            presentations or elapsed (s).
        column : str, optional
            The test accuracy if not given.

        Returns
        -------
        x, y : ndarray, shape (n,)
            Empty if there is no such clock or column.
        """
        held = (c for c in ACCURACY if c in self.history)
        y = self.history.get(column or next(held, ""), np.zeros(0))
        x = self.history.get(clock, np.full(len(y), np.nan))
        known = np.isfinite(x[: len(y)]) & np.isfinite(y)
        return x[: len(y)][known], y[known]

    def _final(self, name: str, column: str) -> float:
        moments = self.history.get(column, np.zeros(0))
        moments = moments[np.isfinite(moments)]
        return float(self.summary.get(name, moments[-1] if len(moments) else np.nan))


def read(path: Path) -> Result:
    """Read a run file, finished or partial.

    Raises
    ------
    RunFileError
        If the file is missing or damaged.
    SettingError
        If the run has not measured a test accuracy.
    """
    with Run(path) as run:
        told = UNTOLD | run.settings
        settings = {k: v for k, v in told.items() if k not in ("seed", "record")}
        result = Result(
            path=run.path,
            protocol=run.protocol,
            settings=settings,
            seed=run.seed,
            status=run.status,
            device=run.device,
            history=run.history,
            summary=run.summary,
            provenance=run.provenance,
            shapes=_shapes(run),
        )
    if not np.isfinite(result.accuracy):
        raise SettingError(
            f"compare.runs must have measured a test accuracy; got {path}, a {result.status} run "
            f"of {result.protocol} without one. Leave it out, or let it run to an evaluation."
        )
    return result


def _shapes(run: Run) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights that are there, by the names of `neurosim.Network.parameters`."""
    found: dict[str, tuple[int, ...]] = {}
    layers = (f"layer{k}" for k in itertools.count(1))
    for names in (layers, ("readout/weights",)):
        with contextlib.suppress(SettingError):  # one layer more than there are
            for name in names:
                found[name] = run.weights(name).shape
    return found
