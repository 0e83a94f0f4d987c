"""Test accuracies beside those of tables 4 and 5 of Pogodin & Latham 2020.

    python -m analysis.pogodin2020_table4 RUN... --out FILE.png

Takes run files of `pogodin2020_table1`, of any data sets of the tables and any seeds. Draws one
panel a data set, and writes the table beside the figure, as Markdown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import tyro

from analysis._script import call
from neurosim import Run
from neurosim.checks import SettingError, require
from neurosim.comparison.wording import TextTable
from neurosim.plotting import PALETTE, context, figure, save

ROWS = (
    "backprop/plain", "backprop/divisive", "last/plain", "last/divisive", "cosine/plain",
    "cosine/grouped", "cosine/divisive", "gaussian/plain", "gaussian/grouped", "gaussian/divisive",
)  # fmt: skip
# Mean over five seeds, and highest minus lowest, in %, in the order of ROWS.
PUBLISHED = {
    "mnist": (
        (98.6, 98.4, 92.0, 95.4, 94.9, 95.8, 96.3, 94.6, 98.4, 98.1),
        (0.2, 0.1, 0.3, 0.3, 1.4, 0.5, 0.6, 0.2, 0.3, 0.2),
    ),
    "fashion-mnist": (
        (90.2, 90.8, 83.3, 85.7, 86.3, 88.7, 88.1, 86.5, 88.6, 88.8),
        (0.2, 0.4, 0.3, 0.2, 0.6, 1.1, 0.3, 0.2, 0.6, 0.2),
    ),
    "kmnist": (
        (93.4, 93.5, 71.2, 78.2, 80.4, 86.2, 87.2, 80.2, 92.7, 91.1),
        (0.3, 0.3, 1.1, 0.8, 1.0, 1.0, 0.9, 1.0, 0.4, 1.2),
    ),
}


class Result(NamedTuple):
    """What is taken from a run: epochs, seed, test accuracy in %."""

    epochs: int
    seed: int
    accuracy: float


def collect(paths: Sequence[Path]) -> dict[str, dict[str, list[Result]]]:
    """Results by data set and row.

    Raises
    ------
    SettingError
        If there is no run, one has no place in the tables, or a seed comes twice.
    """
    require(len(paths) > 0, "RUN", "name at least one run file", "none")
    found: dict[str, dict[str, list[Result]]] = {}
    for path in paths:
        with Run(path) as run:
            settings, summary, seed = run.settings, run.summary, run.seed
        dataset = str(settings.get("dataset"))
        row = f"{settings.get('rule')}/{settings.get('normalization')}"
        if dataset not in PUBLISHED or row not in ROWS or summary.get("measured_on") != "test":
            raise SettingError(
                f"RUN must be a finished run of pogodin2020_table1, tested on a data set and with "
                f"a rule of table 4; got {path} ({dataset}, {row})."
            )
        results = found.setdefault(dataset, {}).setdefault(row, [])
        if any(seed == other.seed for other in results):
            raise SettingError(f"RUN must be one for each seed; got seed {seed} of {row} twice.")
        results.append(Result(settings["epochs"], seed, 100 * summary["test_accuracy"]))
    return found


def table(found: Mapping[str, Mapping[str, Sequence[Result]]]) -> str:
    """Ours beside the published ones, as Markdown."""
    lines = []
    for dataset, rows in found.items():
        for row, mean, spread in zip(ROWS, *PUBLISHED[dataset], strict=True):
            if row not in rows:
                continue
            here = [result.accuracy for result in rows[row]]
            epochs = sorted({result.epochs for result in rows[row]})
            lines.append([
                dataset, row, f"{np.mean(here):.2f}",
                f"{min(here):.2f}-{max(here):.2f}" if len(here) > 1 else "-",
                " ".join(str(result.seed) for result in sorted(rows[row])),
                " ".join(map(str, epochs)), f"{mean:.1f}", f"{spread:.1f}",
                f"{np.mean(here) - mean:+.1f}",
            ])  # fmt: skip
    ours, theirs = ["test %", "range", "seeds", "epochs"], ["paper", "paper's range", "difference"]
    header = ["data", "rule", *ours, *theirs]
    return TextTable(header, lines).markdown()


def draw(found: Mapping[str, Mapping[str, Sequence[Result]]], path: Path) -> None:
    """One panel a data set: bars for the published ranges, a point for each of our runs."""
    with context():
        drawing, axes = figure(1, len(found), width=5.2, height=4.0, sharey=True)
        for panel, (dataset, rows) in zip(axes.flat, found.items(), strict=True):
            means, spreads = (np.array(values) for values in PUBLISHED[dataset])
            places = np.arange(len(ROWS))[::-1]
            panel.barh(
                places, np.maximum(spreads, 0.05), left=means - spreads / 2, height=0.6,
                color=PALETTE[4], alpha=0.6, label="paper: its range (5 seeds), about its mean",
            )  # fmt: skip
            points = [(r.accuracy, places[ROWS.index(row)]) for row in rows for r in rows[row]]
            panel.plot(*zip(*points, strict=True), "o", color=PALETTE[5], label="neurosim: a run")
            panel.set(yticks=places, yticklabels=ROWS, xlabel="test accuracy (%)", title=dataset)
            panel.use_sticky_edges = False  # room around the bars as around the points
            panel.margins(x=0.05)
        drawing.legend(
            *axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2
        )
        save(drawing, path)


def main(
    runs: Annotated[list[Path], tyro.conf.Positional],
    /,
    out: Path = Path("pogodin2020_table4.png"),
) -> None:
    """Set accuracies of runs beside the published ones.

    Parameters
    ----------
    runs : list of Path
        Run files of pogodin2020_table1.
    out : Path
        Figure to write; the table gets the same name with .md.
    """
    found = collect(runs)
    draw(found, out)
    out.with_suffix(".md").write_text(table(found))
    print(table(found), end="")


if __name__ == "__main__":
    raise SystemExit(call(main))
