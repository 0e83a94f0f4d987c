"""Timing sides against one another: interleaved rounds, medians, and a report."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeVar

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks._machine import machine
from neurosim.cli.arguments import parse
from neurosim.cli.entry import guarded

S = TypeVar("S")
Side = Callable[[int], float]  # shows n presentations, returns the seconds they took


class Timing(NamedTuple):
    """Seconds a presentation, in every round."""

    rounds: list[float]

    @property
    def seconds(self) -> float:
        """Median over rounds."""
        return median(self.rounds)

    @property
    def spread(self) -> float:
        """Range over rounds, relative to the median."""
        return (max(self.rounds) - min(self.rounds)) / self.seconds


def interleave(
    sides: Mapping[str, Side], *, rounds: int, seconds: float, longest: int
) -> dict[str, Timing]:
    """Time all sides in turn, round after round, each time starting with another one.

    Parameters
    ----------
    sides : mapping of str to callable
    rounds : int
    seconds : float
        About how long a side works in a round.
    longest : int
        Most presentations a side may show in a round.
    """
    counts = {}
    for name, show in sides.items():
        show(8)  # compiles
        trial = min(256, longest)
        counts[name] = max(8, min(longest, int(seconds * trial / show(trial))))
    found: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            found[name].append(sides[name](counts[name]) / counts[name])
    return {name: Timing(values) for name, values in found.items()}


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of results, and what has to be known to read it."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    notes: tuple[str, ...] = ()

    def lines(self) -> list[list[str]]:
        """Cells as text: four digits of every number."""
        return [[_text(cell) for cell in row] for row in self.rows]

    def show(self, console: Console) -> None:
        """Print it."""
        table = RichTable(title=self.title, title_justify="left")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left")
        for line in self.lines():
            table.add_row(*line)
        console.print(table)
        for note in self.notes:
            console.print(note, style="dim")

    def markdown(self) -> str:
        """The same for a file."""
        head = ["| " + " | ".join(self.columns) + " |", "|" + "---|" * len(self.columns)]
        body = ["| " + " | ".join(line) + " |" for line in self.lines()]
        notes = [f"* {note}" for note in self.notes]
        return "\n".join([f"## {self.title}", "", *head, *body, "", *notes])


def _text(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:.4g}" if abs(cell) < 1e4 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def start(main: Callable[[S], None], settings: type[S], description: str | None) -> None:
    """Run a benchmark with settings from the command line; errors are one line, exit code 2."""

    def run(words: list[str]) -> None:
        main(parse(settings, words, prog=prog, description=description or ""))

    prog = f"python -m benchmarks.{Path(sys.argv[0]).stem}"
    sys.exit(guarded(run))


def report(name: str, tables: Mapping[str, list[Table]], out: Path | None, others: float) -> None:
    """Print tables by section; write them, with those measured earlier, to ``out``."""
    console = Console(width=110)
    for table in (table for section in tables.values() for table in section):
        table.show(console)
    console.print(f"other processes used {others:.2f} cores meanwhile")
    if out is None:
        return
    path = out / f"{name}.json"
    command = shlex.join(["python", "-m", f"benchmarks.{name}", *sys.argv[1:]])
    origin = {"command": command, "machine": machine(), "other_processes_cores": others}
    known = json.loads(path.read_text()) if path.exists() else {}
    for section, found in tables.items():
        kept = [vars(table) | {"markdown": table.markdown()} for table in found]
        known[section] = origin | {"tables": kept}
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    (out / f"{name}.md").write_text(_document(name, known))


def _document(name: str, sections: Mapping[str, Any]) -> str:
    parts = [f"# Benchmark: {name}"]
    for _, section in sorted(sections.items()):
        m = section["machine"]
        versions = ", ".join(f"{k} {v}" for k, v in m["versions"].items())
        parts += [table["markdown"] for table in section["tables"]]
        parts.append(
            f"`{section['command']}` on {m['cpu']}, {m['cores']} cores, {m['system']}; {versions}, "
            f"{', '.join(m['blas'])}; commit {m['commit']}. Other processes used "
            f"{section['other_processes_cores']:.2f} cores meanwhile."
        )
    return "\n\n".join(parts) + "\n"
