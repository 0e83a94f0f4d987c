"""The figures of an arm: each a spread over its seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.comparison.arms import Arm
from neurosim.comparison.curves import at
from neurosim.comparison.results import Result

ALIGNMENT = "alignment_"
"""What columns of the history begin with that hold a cosine with the backprop gradient."""


@dataclass(frozen=True)
class Spread:
    """One figure of all seeds of an arm.

    Parameters
    ----------
    values : tuple of float
        In order of the seeds; NaN where not measured.
    """

    values: tuple[float, ...]

    @property
    def known(self) -> list[float]:
        """The values that were measured."""
        return [value for value in self.values if np.isfinite(value)]

    @property
    def mean(self) -> float:
        """Mean of the values that were measured; NaN if there are none."""
        return float(np.mean(self.known)) if self.known else float("nan")

    @property
    def low(self) -> float:
        """The lowest."""
        return min(self.known, default=float("nan"))

    @property
    def high(self) -> float:
        """The highest."""
        return max(self.known, default=float("nan"))

    def to_json(self) -> dict[str, Any]:
        """Mean, range and values; None where not measured."""
        figures = {"mean": self.mean, "min": self.low, "max": self.high}
        plain = {name: value if self.known else None for name, value in figures.items()}
        return plain | {"values": [v if np.isfinite(v) else None for v in self.values]}


def measure(
    arm: Arm, presentations: float, seconds: float, probes: Mapping[Path, Mapping[str, float]]
) -> dict[str, Spread]:
    """All figures of an arm that were measured in at least one run.

    Parameters
    ----------
    arm : Arm
    presentations, seconds : float
        Where arms are compared at equal presentations and at equal time; NaN for nowhere.
    probes : mapping of Path to mapping
        What `Probes.measure` found, by run file.

    Returns
    -------
    dict of str to Spread
        ``test_accuracy``, ``presentations``, ``seconds`` (s), ``presentations_per_second`` (1/s),
        ``peak_memory`` (bytes), ``accuracy_at_presentations``, ``accuracy_at_seconds``,
        ``probe_input``, ``probe_layer1``, ..., ``alignment_layer1_last``,
        ``alignment_layer1_mean``, ...
    """
    found: dict[str, list[float]] = {}
    for index, result in enumerate(arm.results):
        for name, value in _of_run(
            result, presentations, seconds, probes.get(result.path, {})
        ).items():
            found.setdefault(name, [np.nan] * len(arm.results))[index] = value
    spreads = {name: Spread(tuple(values)) for name, values in found.items()}
    return {name: spread for name, spread in spreads.items() if spread.known}


def aligned(result: Result) -> list[str]:
    """Places, such as ``layer1``, where alignment with backprop was looked for."""
    columns = [name for name in result.history if name.startswith(ALIGNMENT)]
    return sorted(name.removeprefix(ALIGNMENT) for name in columns)


def _of_run(
    result: Result, presentations: float, seconds: float, probes: Mapping[str, float]
) -> dict[str, float]:
    figures = {
        "test_accuracy": result.accuracy,
        "presentations": result.presentations,
        "seconds": result.seconds,
        "presentations_per_second": result.presentations / result.seconds
        if result.seconds > 0
        else np.nan,
        "peak_memory": result.peak_memory,
        "accuracy_at_presentations": at(result.curve("presentations"), presentations),
        "accuracy_at_seconds": at(result.curve("elapsed"), seconds),
    }
    figures |= {f"probe_{place}": accuracy for place, accuracy in probes.items()}
    for place in aligned(result):
        _, cosines = result.curve("presentations", ALIGNMENT + place)
        if len(cosines):
            figures[f"{ALIGNMENT}{place}_last"] = float(cosines[-1])
            figures[f"{ALIGNMENT}{place}_mean"] = float(cosines.mean())
    return figures
