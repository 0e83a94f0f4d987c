"""A comparison as tables of text, for the screen and for Markdown."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neurosim.comparison.arms import Arm, differing, words
from neurosim.comparison.comparison import Comparison
from neurosim.comparison.measures import Spread
from neurosim.comparison.probe import RIDGE


class TextTable(NamedTuple):
    """A header and rows of as many cells."""

    header: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        escaped = [[cell.replace("|", "\\|") for cell in line] for line in lines]
        return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def name_of(arm: Arm) -> str:
    """An arm's label, and whether it is complete."""
    finished = all(result.finished for result in arm.results)
    return arm.label if finished else f"{arm.label}, partial"


def main_table(comparison: Comparison) -> TextTable:
    """What a user looks at first: accuracy, how many samples and seconds, memory."""
    names = [n for n in comparison.columns if not n.startswith(("probe_", "alignment_"))]
    header = ["arm", "seeds", *(_heading(name, comparison) for name in names)]
    return TextTable(header, _rows(comparison, names, seeds=True))


def layer_tables(comparison: Comparison) -> list[tuple[str, TextTable]]:
    """What each layer has learned and how close its learning is to backprop, each explained."""
    about = {
        "probe_": (
            f"Probe: {comparison.measured_on} accuracy of ridge regression "
            f"(penalty {RIDGE:g} a sample) on the standardised settled output of a layer, from at "
            f"most {comparison.probe:,} training samples; `input` is the stimulus itself."
        ),
        "alignment_": (
            "Alignment: cosine between a layer's weight change and minus the gradient of backprop, "
            "at the last evaluation and on average over training."
        ),
    }
    tables = []
    for kind, text in about.items():
        names = [name for name in comparison.columns if name.startswith(kind)]
        if names:
            header = ["arm", *(_heading(name, comparison) for name in names)]
            tables.append((text, TextTable(header, _rows(comparison, names, seeds=False))))
    return tables


def settings_table(comparison: Comparison) -> TextTable | None:
    """The settings in which arms differ, one row each; None for a single arm."""
    names = differing(comparison.arms)
    if not names:
        return None
    header = ["setting", *(name_of(arm) for arm in comparison.arms)]
    rows = [
        [name, *(words(a.settings[name]) if name in a.settings else "-" for a in comparison.arms)]
        for name in names
    ]
    return TextTable(header, rows)


def run_table(comparison: Comparison) -> TextTable:
    """Every run file."""
    header = ["arm", "seed", "file", "status", "accuracy (%)", "presentations", "seconds"]
    header += ["device", "threads", "started", "commit", "numpy"]
    rows = []
    for arm in comparison.arms:
        for result in arm.results:
            told = result.provenance
            figures = [
                cell(name, Spread((getattr(result, of),)))
                for name, of in (
                    ("test_accuracy", "accuracy"),
                    ("presentations", "presentations"),
                    ("seconds", "seconds"),
                )
            ]
            origin = [result.settings.get("threads"), told.get("started")]
            origin += [(told.get("commit") or "")[:12], (told.get("versions") or {}).get("numpy")]
            cells = [arm.label, str(result.seed), result.path.name, result.status, *figures]
            rows.append([*cells, result.device, *(str(item or "-") for item in origin)])
    return TextTable(header, rows)


def _rows(comparison: Comparison, names: list[str], *, seeds: bool) -> list[list[str]]:
    return [
        [
            name_of(arm),
            *([words(arm.seeds)] if seeds else []),
            *(cell(name, figures.get(name, Spread(()))) for name in names),
        ]
        for arm, figures in zip(comparison.arms, comparison.figures, strict=True)
    ]


def _heading(name: str, comparison: Comparison) -> str:
    if name.startswith("probe_"):
        return f"probe {name.removeprefix('probe_')} (%)"
    fixed = {
        "test_accuracy": f"{comparison.measured_on} accuracy (%)",
        "presentations_per_second": "presentations/s",
        "peak_memory": "peak memory (MB)",
        "accuracy_at_presentations": f"at {comparison.presentations:,.0f} presentations (%)",
        "accuracy_at_seconds": f"at {comparison.seconds:.3g} s (%)",
    }
    return fixed.get(name, name.replace("_", " "))


def cell(name: str, spread: Spread) -> str:
    """Mean and, of several values, the range."""
    if not spread.known:
        return "-"
    scale, digits = _scale(name, spread)
    texts = [f"{scale * v:,.{digits}f}" for v in (spread.mean, spread.low, spread.high)]
    if texts[1] == texts[2] and len(spread.values) == len(spread.known):
        return texts[0]
    # A minus sign needs another separator than a hyphen.
    missing = len(spread.values) - len(spread.known)
    absent = f", {missing} unknown" if missing else ""
    return f"{texts[0]} ({texts[1]}{' to ' if spread.low < 0 else '-'}{texts[2]}{absent})"


def _scale(name: str, spread: Spread) -> tuple[float, int]:
    """What to multiply a figure by, and how many decimals to show."""
    if "accuracy" in name or name.startswith("probe_"):
        return 100, 2
    if name.startswith("alignment_"):
        return 1, 3
    if name == "peak_memory":
        return 1e-6, 0
    if name == "presentations":
        return 1, 0
    size = np.log10(max(spread.high, 1e-9))
    return 1, int(np.clip(2 - np.floor(size), 0, 3))
