"""Accuracy of every layer's read-out over a run, from one or several run files.

    python -m analysis.learning_curves RUN... --out FILE.png

Runs that differ in their seed only are drawn as one curve, the mean, in a band from the lowest to
the highest. A table of the final accuracies is written beside the figure, as Markdown. To compare
rules with one another, use `neurosim compare`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from analysis._script import call
from neurosim.comparison import Arm
from neurosim.comparison.arms import gather, words
from neurosim.comparison.curves import band
from neurosim.comparison.measures import Spread
from neurosim.comparison.wording import TextTable, cell, name_of
from neurosim.plotting import PALETTE, context, figure, save
from neurosim.plotting.curves import log_axis, ribbon


def readouts(arm: Arm) -> dict[str, str]:
    """Columns of the history that measure a read-out, and what it reads."""
    columns = [c for c in arm.results[0].history if c.startswith("accuracy")]
    names = {c: c.removeprefix("accuracy").strip("_") or "network" for c in sorted(columns)}
    return {column: name for column, name in names.items() if name != "online"}


def draw(arms: Sequence[Arm], path: Path) -> None:
    """One panel an arm: mean over seeds, and a band from the lowest to the highest."""
    with context():
        drawing, axes = figure(1, len(arms), width=6.0, height=4.0, sharey=True)
        for arm, panel in zip(arms, axes.flat, strict=True):
            for colour, (column, name) in zip(PALETTE, readouts(arm).items(), strict=False):
                x, *accuracies = band([r.curve("presentations", column) for r in arm.results])
                width = 2.6 if column == "accuracy" else 1.4
                errors = (100 * (1 - accuracy) for accuracy in accuracies)
                ribbon(panel, x, *errors, color=colour, label=name, lw=width)
            title = name_of(arm) if len(arms) > 1 else ""
            measured_on = arm.results[0].measured_on
            panel.set(title=title, xlabel="presentation", ylabel=f"{measured_on} error (%)")
            panel.legend()
        log_axis(axes[0, 0].yaxis)
        save(drawing, path)


def table(arms: Sequence[Arm]) -> str:
    """Final accuracies as Markdown: mean and range over seeds."""
    named = {column: name for arm in arms for column, name in readouts(arm).items()}
    rows = []
    for arm in arms:
        figures = {
            "presentations": [r.presentations for r in arm.results],
            "seconds": [r.seconds for r in arm.results],
        }
        for column in named:
            curves = [r.curve("presentations", column)[1] for r in arm.results]
            figures[column] = [float(y[-1]) for y in curves if len(y)]
        cells = [cell(name, Spread(tuple(values))) for name, values in figures.items()]
        rows.append([name_of(arm), words(arm.seeds), *cells])
    header = ["settings", "seeds", "presentations", "seconds", *named.values()]
    return TextTable(header, rows).markdown()


def main(
    runs: Annotated[list[Path], tyro.conf.Positional], /, out: Path = Path("learning_curves.png")
) -> None:
    """Draw the learning curves of runs and write the table beside the figure.

    Parameters
    ----------
    runs : list of Path
        Run files.
    out : Path
        Figure to write; the table gets the same name with .md.
    """
    arms = gather(runs)
    draw(arms, out)
    out.with_suffix(".md").write_text(table(arms))
    print(table(arms), end="")


if __name__ == "__main__":
    raise SystemExit(call(main))
