"""Arms beside one another: read, measured, and what to know before believing the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.checks import require
from neurosim.comparison.arms import Arm, differing, gather
from neurosim.comparison.curves import common
from neurosim.comparison.likeness import require_alike
from neurosim.comparison.measures import Spread, measure
from neurosim.comparison.probe import RIDGE, Probes, probed
from neurosim.comparison.remarks import remarks
from neurosim.comparison.results import Result
from neurosim.progress import Progress


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """What `compare` found.

    Parameters
    ----------
    arms : tuple of Arm
    figures : tuple of dict of str to Spread
        One an arm; see `neurosim.comparison.measures.measure`.
    presentations, seconds : float
        Where arms are compared at equal presentations, and at equal time (s); NaN for nowhere.
    probe : int
        Training samples of the linear probes; 0: there are none.
    mixed : tuple of str
        In what data or networks differ.
    notes : tuple of str
        What to know before believing a difference, in sentences.
    """

    arms: tuple[Arm, ...]
    figures: tuple[dict[str, Spread], ...]
    presentations: float
    seconds: float
    probe: int
    mixed: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def results(self) -> list[Result]:
        """The runs of all arms."""
        return [result for arm in self.arms for result in arm.results]

    @property
    def measured_on(self) -> str:
        """``test``, ``validation`` or, in mixed company, both."""
        return " or ".join(sorted({result.measured_on for result in self.results}))

    @property
    def columns(self) -> list[str]:
        """Names of the figures that at least one arm has, in order."""
        found = dict.fromkeys(name for figures in self.figures for name in figures)
        layers = [name for name in found if name.startswith(("probe_", "alignment_"))]
        return [name for name in found if name not in layers] + sorted(
            layers, key=lambda name: (name.startswith("alignment_"), "input" not in name, name)
        )

    def table(self) -> list[dict[str, Any]]:
        """One row an arm: label, seeds, and mean, min and max of each figure; None if unknown."""
        rows = []
        for arm, figures in zip(self.arms, self.figures, strict=True):
            row: dict[str, Any] = {"arm": arm.label, "seeds": arm.seeds}
            for name in self.columns:
                spread = figures.get(name, Spread(())).to_json()
                row |= {f"{name}_{side}": spread[side] for side in ("mean", "min", "max")}
            rows.append(row)
        return rows

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain JSON values."""
        return {
            "arms": [
                {
                    "label": arm.label,
                    "protocol": arm.protocol,
                    "seeds": arm.seeds,
                    "figures": {name: spread.to_json() for name, spread in figures.items()},
                    "settings": arm.settings,
                    "runs": [_plain(result) for result in arm.results],
                }
                for arm, figures in zip(self.arms, self.figures, strict=True)
            ],
            "equal_presentations": _number(self.presentations),
            "equal_seconds": _number(self.seconds),
            "differing_settings": differing(self.arms),
            "probe": {"samples": self.probe, "ridge": RIDGE} if self.probe else None,
            "mixed": list(self.mixed),
            "notes": list(self.notes),
        }


def compare(
    paths: Sequence[Path],
    *,
    probe: int = 10_000,
    mixed: bool = False,
    label: Sequence[str] = (),
    progress: Progress | None = None,
) -> Comparison:
    """Read runs of any protocols that measured a test accuracy, and compare them.

    Parameters
    ----------
    paths : sequence of Path
        Run files, finished or partial. Those that differ only in their seed become one arm.
    probe : int
        Training samples of the linear probes; 0 for no probes.
    mixed : bool
        Compare runs of different data or networks, too.
    label : sequence of str
        Settings that are always part of an arm's label.
    progress : Progress, optional

    Returns
    -------
    Comparison

    Raises
    ------
    SettingError
        If runs do not belong together, or one is there twice.
    RunFileError
        If a file cannot be read.
    DataError
        If the data set of a probe cannot be loaded.
    """
    require(probe >= 0, "compare.probe", "be 0 or more samples", probe)
    arms = gather(paths, label)
    results = [result for arm in arms for result in arm.results]
    unlike = require_alike(results, mixed)
    presentations = common([result.curve("presentations") for result in results])
    seconds = common([result.curve("elapsed") for result in results])
    probes = {} if probe == 0 else _probe(results, probe, progress or Progress(quiet=True))
    figures = tuple(measure(arm, presentations, seconds, probes) for arm in arms)
    return Comparison(
        arms=arms,
        figures=figures,
        presentations=presentations,
        seconds=seconds,
        probe=probe if probes else 0,
        mixed=tuple(unlike),
        notes=tuple(remarks(arms, figures, unlike, probe)),
    )


def _probe(
    results: Sequence[Result], samples: int, progress: Progress
) -> dict[Path, dict[str, float]]:
    chosen, probes = [result for result in results if probed(result)], Probes(samples)
    found = {}
    progress.start(len(chosen), "probing layers")
    for done, result in enumerate(chosen, start=1):
        found[result.path] = probes.measure(result)
        progress.update(done)
    return found


def _plain(result: Result) -> dict[str, Any]:
    """A run as plain JSON values."""
    curve = {clock: result.curve(clock)[0].tolist() for clock in ("presentations", "elapsed")} | {
        "accuracy": result.curve("presentations")[1].tolist()
    }
    return {
        "file": str(result.path),
        "seed": result.seed,
        "status": result.status,
        "device": result.device,
        "test_accuracy": result.accuracy,
        "presentations": _number(result.presentations),
        "seconds": _number(result.seconds),
        "peak_memory": _number(result.peak_memory),
        "settings": result.settings,
        "versions": result.provenance.get("versions"),
        "commit": result.provenance.get("commit"),
        "started": result.provenance.get("started"),
        "curve": curve,
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
