"""The command ``compare``: several runs beside one another, on the screen and on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table
from rich.text import Text

from neurosim.checks import SettingError
from neurosim.cli.arguments import parse
from neurosim.cli.summary import console
from neurosim.comparison import compare, write_report
from neurosim.comparison.report import make_folder
from neurosim.comparison.wording import TextTable, layer_tables, main_table
from neurosim.progress import Progress
from neurosim.recording.files import RunPaths

RunFiles = Annotated[
    tuple[Path, ...],
    tyro.conf.Positional,
    tyro.conf.arg(metavar="RUN", help_behavior_hint="(at least one)"),
]


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Options of ``neurosim compare``."""

    runs: RunFiles
    """Run files, finished or partial; those that differ only in their seed become one arm."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="STEM")] = None
    """Write STEM.png, .svg, .csv, .md and .json; by default `comparison` beside the first run."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON."""
    probe: int = 10_000
    """Training samples of a linear probe on each layer; 0 for no probes."""
    label: Annotated[tuple[str, ...], tyro.conf.arg(help_behavior_hint="")] = ()
    """Settings that are always part of an arm's name."""
    mixed: tyro.conf.FlagCreatePairsOff[bool] = False
    """Compare runs of different data or networks, too."""


def compare_command(words: Sequence[str]) -> int:
    """Compare runs: tables, figure, remarks."""
    options = parse(
        CompareOptions,
        words,
        prog="neurosim compare",
        description=(
            "Compare runs: accuracy over seeds, learning curves, what each layer has learned."
            "\n\nexample:\n  neurosim compare runs/*.h5 --out results/comparison"
        ),
    )
    if not options.runs:
        raise SettingError("compare.runs must name at least one run file; got none.")
    stem = options.out or RunPaths.of(options.runs[0]).final.with_name("comparison")
    if options.out is not None:
        make_folder(stem)
    with Progress(unit="networks") as progress:
        comparison = compare(
            options.runs,
            probe=options.probe,
            mixed=options.mixed,
            label=options.label,
            progress=progress,
        )
    files = write_report(comparison, stem)
    if options.json:
        told = comparison.to_json() | {"files": [str(file) for file in files]}
        print(json.dumps(told, indent=2))
        return 0
    for table in (main_table(comparison), *(t for _, t in layer_tables(comparison))):
        _print(table)
    for note in comparison.notes:
        print(f"note: {note}")
    print("\n".join(map(str, files)))
    return 0


def _print(table: TextTable) -> None:
    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for index, title in enumerate(table.header):
        number = index > 0 and title != "seeds"
        shown.add_column(title, justify="right" if number else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*map(Text, row))
    console().print(shown)
    print()
