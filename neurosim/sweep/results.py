"""What came out of a sweep: accuracy over the seeds of each combination, as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from neurosim.protocol import to_json
from neurosim.recording.files import replacing, writing
from neurosim.sweep.existing import measured
from neurosim.sweep.jobs import Outcome


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Mean and range of a quantity over seeds.

    Parameters
    ----------
    mean, min, max : float or None
        None if no run tells.
    """

    mean: float | None
    min: float | None
    max: float | None

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Spread:
        """The spread of the values that are known."""
        known = [value for value in values if value is not None]
        if not known:
            return cls(mean=None, min=None, max=None)
        return cls(mean=fmean(known), min=min(known), max=max(known))


@dataclass(frozen=True, kw_only=True)
class Result:
    """One combination of settings.

    Parameters
    ----------
    settings : dict
        Dotted name to value, of the settings that vary.
    runs : list of dict
        Seed, status, file, error, test accuracy (fraction) and seconds of each run.
    test_accuracy : Spread
        Over the seeds that are finished (fraction).
    seconds : Spread
        Time spent on learning (s).
    """

    settings: dict[str, Any]
    runs: list[dict[str, Any]]
    test_accuracy: Spread
    seconds: Spread


def results(keys: Sequence[str], outcomes: Sequence[Outcome]) -> list[Result]:
    """Group runs that differ in their seed only.

    Parameters
    ----------
    keys : sequence of str
        Dotted names of the settings that vary.
    outcomes : sequence of Outcome
        The runs.

    Returns
    -------
    list of Result
        One a combination, in the order of the runs.
    """
    groups: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    for outcome in outcomes:
        stored = to_json(outcome.job.settings)
        varied = {key: _dig(stored, key) for key in keys}
        groups.setdefault(json.dumps(varied), (varied, []))[1].append(_run(outcome))
    return [
        Result(
            settings=settings,
            runs=runs,
            test_accuracy=Spread.of([run["test_accuracy"] for run in runs]),
            seconds=Spread.of([run["seconds"] for run in runs]),
        )
        for settings, runs in groups.values()
    ]


def report(protocol: str, found: Sequence[Result]) -> dict[str, Any]:
    """The results as JSON values.

    Parameters
    ----------
    protocol : str
        The protocol's name.
    found : sequence of Result
        Its results.

    Returns
    -------
    dict
        Protocol and ``points``, each with settings, spreads and runs.
    """
    return {
        "protocol": protocol,
        "points": [
            {
                "settings": result.settings,
                "test_accuracy": vars(result.test_accuracy),
                "seconds": vars(result.seconds),
                "runs": result.runs,
            }
            for result in found
        ],
    }


def write(folder: Path, protocol: str, found: Sequence[Result]) -> None:
    """Write ``sweep.csv``, a row a combination, and ``sweep.json``, with every run.

    Parameters
    ----------
    folder : Path
        Where to; what an earlier sweep wrote there is replaced, whole or not at all.
    protocol : str
        The protocol's name.
    found : sequence of Result
        Its results.

    Raises
    ------
    RunFileError
        If a file cannot be written.
    """
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(_rows(found))
    contents = {
        "sweep.json": json.dumps(report(protocol, found), indent=2) + "\n",
        "sweep.csv": table.getvalue(),
    }
    for name, content in contents.items():
        with writing(folder / name), replacing(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")


def text(value: Any) -> str:
    """A setting's value the way it is written in a grid."""
    if isinstance(value, list):
        return " ".join(map(text, value))
    return json.dumps(value) if value is None or isinstance(value, bool | Mapping) else str(value)


def _rows(found: Sequence[Result]) -> list[list[Any]]:
    keys = list(found[0].settings)
    spread = [f"test_accuracy_{name}" for name in ("mean", "min", "max")]
    rows: list[list[Any]] = [[*keys, "runs", "finished", *spread, "seconds_mean"]]
    for result in found:
        accuracy = result.test_accuracy
        values = [text(result.settings[key]) for key in keys]
        done = sum(run["status"] in ("finished", "skipped") for run in result.runs)
        numbers = [accuracy.mean, accuracy.min, accuracy.max, result.seconds.mean]
        rows.append([*values, len(result.runs), done, *numbers])
    return rows


def _run(outcome: Outcome) -> dict[str, Any]:
    there = outcome.status in ("finished", "skipped")
    accuracy, seconds = measured(outcome.path) if there else (None, None)
    return {
        "seed": outcome.job.settings.seed,
        "status": outcome.status,
        "file": str(outcome.path),
        "error": outcome.error,
        "test_accuracy": accuracy,
        "seconds": seconds,
    }


def _dig(stored: Mapping[str, Any], key: str) -> Any:
    value: Any = stored
    for part in key.split("."):
        value = value[part]
    return value
