"""Accuracy of every layer's read-out over a run, from one or several run files.

    python -m analysis.learning_curves RUN... --out FILE.png

Runs that differ in their seed only are drawn as one curve, the mean, in a band from the lowest to
the highest. A table of the final accuracies is written beside the figure, as Markdown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from matplotlib.ticker import ScalarFormatter

from neurosim import Run
from neurosim.checks import SettingError
from neurosim.plotting import PALETTE, context, figure, save


@dataclass(frozen=True, kw_only=True)
class Group:
    """Runs of the same settings, whatever their seed.

    Parameters
    ----------
    label : str
        What sets them apart from the other groups.
    seeds : list of int
    shown : ndarray, shape (n_points,)
        Presentations at which accuracy was measured.
    curves : dict of str to ndarray, shape (n_seeds, n_points)
        Accuracy of each read-out.
    measured_on : str
        test or validation.
    seconds : ndarray, shape (n_seeds,)
        Time each run took.
    """

    label: str
    seeds: list[int]
    shown: np.ndarray
    curves: dict[str, np.ndarray]
    measured_on: str
    seconds: np.ndarray


def gather(paths: list[Path]) -> list[Group]:
    """Read finished runs and group them by their settings."""
    found: dict[str, list[tuple[dict[str, Any], dict[str, np.ndarray], dict[str, Any]]]] = {}
    for path in paths:
        with Run(path) as run:
            settings = {k: v for k, v in run.settings.items() if k not in ("seed", "record")}
            key = json.dumps(settings, sort_keys=True)
            entry = (dict(run.settings), dict(run.history), dict(run.summary))
        if "test_accuracy" not in entry[2]:
            raise SettingError(f"learning_curves needs finished runs; got {path}. Resume it first.")
        found.setdefault(key, []).append(entry)
    different = _differences([json.loads(key) for key in found])
    return [
        _group(members, ", ".join(f"{k} {members[0][0][k]}" for k in different) or "network")
        for members in found.values()
    ]


def _differences(settings: list[dict[str, Any]]) -> list[str]:
    """Names of the settings in which the groups differ."""
    names = settings[0].keys()
    return [n for n in names if len({json.dumps(s.get(n)) for s in settings}) > 1]


def _group(
    members: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]], label: str
) -> Group:
    history = [entry[1] for entry in members]
    columns = [c for c in history[0] if c.startswith("accuracy") and c != "accuracy_online"]
    return Group(
        label=label,
        seeds=[entry[0]["seed"] for entry in members],
        shown=history[0]["presentations"],
        curves={c: np.stack([h[c] for h in history]) for c in columns},
        measured_on=members[0][2]["measured_on"],
        seconds=np.array([entry[2]["seconds"] for entry in members]),
    )


def draw(groups: list[Group], path: Path) -> None:
    """One panel a group: mean over seeds, and a band from the lowest to the highest."""
    with context():
        drawing, axes = figure(1, len(groups), width=6.0, height=4.0, sharey=True)
        for group, panel in zip(groups, axes.flat, strict=True):
            for colour, (column, values) in zip(
                PALETTE, sorted(group.curves.items()), strict=False
            ):
                name = column.removeprefix("accuracy").strip("_") or "network's read-out"
                width = 2.6 if column == "accuracy" else 1.4
                error = 100 * (1 - values)
                panel.plot(group.shown, error.mean(axis=0), color=colour, label=name, lw=width)
                panel.fill_between(
                    group.shown, error.min(axis=0), error.max(axis=0), color=colour, alpha=0.2, lw=0
                )
            panel.set(
                title=group.label if len(groups) > 1 else "", xlabel="presentation", yscale="log",
                ylabel=f"{group.measured_on} error (%)",
            )  # fmt: skip
            panel.yaxis.set_major_formatter(ScalarFormatter())
            panel.yaxis.set_minor_formatter(ScalarFormatter())
            panel.legend()
        save(drawing, path)


def table(groups: list[Group]) -> str:
    """Final accuracies as Markdown: mean and range over seeds."""
    columns = sorted({column for group in groups for column in group.curves})
    titles = [c.removeprefix("accuracy").strip("_") or "network" for c in columns]
    lines = [
        "| settings | seeds | presentations | seconds | " + " | ".join(titles) + " |",
        "|---|---|---|---|" + "---|" * len(titles),
    ]
    for group in groups:
        cells = []
        for column in columns:
            last = (
                100 * group.curves[column][:, -1] if column in group.curves else np.full(1, np.nan)
            )
            cells.append(f"{last.mean():.2f} ({last.min():.2f}-{last.max():.2f})")
        seeds = " ".join(map(str, group.seeds))
        took = f"{group.seconds.mean():.0f}"
        lines.append(
            f"| {group.label} | {seeds} | {int(group.shown[-1])} | {took} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines) + "\n"


def main(
    runs: Annotated[list[Path], tyro.conf.Positional], /, out: Path = Path("learning_curves.png")
) -> None:
    """Draw the learning curves of finished runs and write the table beside the figure.

    Parameters
    ----------
    runs : list of Path
        Run files.
    out : Path
        Figure to write; the table gets the same name with .md.
    """
    groups = gather(runs)
    draw(groups, out)
    out.with_suffix(".md").write_text(table(groups))
    print(table(groups), end="")


if __name__ == "__main__":
    tyro.cli(main)
