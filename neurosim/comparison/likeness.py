"""Whether runs can be compared at all: the same data, and networks of the same make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neurosim.checks import SettingError
from neurosim.comparison.arms import words
from neurosim.comparison.results import Result


def facts(result: Result) -> dict[str, Any]:
    """What must be the same in all runs; what is not known of a run is left out."""
    settings, summary = result.settings, result.summary
    layers = [shape for name, shape in result.shapes.items() if name.startswith("layer")]
    readout = result.shapes.get("readout/weights")
    digest = "data digest"
    if result.measured_on == "validation":
        digest += f" (seed {result.seed})"  # each seed holds out samples of its own
    found = {
        "data": summary.get("data", settings.get("dataset")),
        "part measured": result.measured_on,
        "training samples": settings.get("train"),
        digest: summary.get("data_digest"),
        "inputs": layers[0][1] if layers else None,
        "widths": [shape[0] for shape in layers] or settings.get("widths"),
        "classes": readout[0] if readout else None,
        "nonlinearity": settings.get("nonlinearity"),
        "slope": settings.get("slope") if settings.get("nonlinearity") == "leaky_relu" else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def differences(results: Sequence[Result]) -> list[str]:
    """One sentence for each fact in which runs differ, with the files."""
    found: dict[str, dict[str, list[str]]] = {}
    for result in results:
        for name, value in facts(result).items():
            found.setdefault(name, {}).setdefault(words(value), []).append(result.path.name)
    return [
        f"{name}: " + "; ".join(f"{value} in {_some(files)}" for value, files in sides.items())
        for name, sides in found.items()
        if len(sides) > 1
    ]


def _some(files: Sequence[str], most: int = 3) -> str:
    """A few file names, and how many more there are."""
    more = f" and {len(files) - most} more" if len(files) > most else ""
    return ", ".join(files[:most]) + more


def require_alike(results: Sequence[Result], mixed: bool) -> list[str]:
    """Refuse different data or networks unless ``mixed``; return what differs.

    Raises
    ------
    SettingError
        Naming what differs first, and the files.
    """
    found = differences(results)
    if found and not mixed:
        raise SettingError(
            f"compare.runs must share data and network; got {found[0]}. "
            "Compare them apart, or say --mixed to have them side by side."
        )
    return found
