"""What a finished run says on stdout: one small table."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from neurosim.progress import duration
from neurosim.recording import Run


def print_table(rows: dict[str, str]) -> None:
    """Print names and values in two columns."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(Text(name), Text(value))
    console().print(table)


def print_columns(title: str, rows: Sequence[tuple[str, ...]]) -> None:
    """Print a titled list in aligned columns; an empty one says so."""
    print(title)
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    for row in rows or [("(none)",)]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths or [0], strict=True)]
        print("  " + "  ".join(cells).rstrip())
    print()


def console() -> Console:
    """The console of stdout; a pipe or file gets long lines instead of folded file names."""
    return Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 200)


def print_summary(path: Path, seconds: float, *, whole: bool) -> None:
    """Print what came out of a run.

    Parameters
    ----------
    path : Path
        The finished run file.
    seconds : float
        Wall-clock time of this command (s).
    whole : bool
        Whether the run happened in this command from its first presentation on.
    """
    with Run(path) as run:
        info, summary = run.info(), run.summary
    shown = info.get("presentations")
    # The protocol knows best: its own figure leaves out compilation, loading and testing.
    rate = summary.get("presentations_per_second", shown / seconds if shown and whole else None)
    file = shlex.quote(str(path))
    print_table(
        {
            "protocol": str(info["protocol"]),
            "status": str(info["status"]),
            "presentations": _text(shown, "{:,}"),
            "time": duration(seconds),
            "rate": _text(rate, "{:,.0f} presentations/s" if rate and rate >= 10 else "{:.2g} /s"),
            "test accuracy": _text(info.get("test_accuracy"), "{:.2%}"),
            "file": str(path),
            "next": f"neurosim plot {file}\nneurosim info {file}",
        }
    )


def _text(value: Any, pattern: str) -> str:
    """Format a number; what a protocol does not report is a dash."""
    return "-" if value is None else pattern.format(value)
