"""A comparison on disk: figure, tables, and everything as JSON, beside one another."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from neurosim.checks import RunFileError
from neurosim.comparison.comparison import Comparison
from neurosim.comparison.wording import layer_tables, main_table, run_table, settings_table
from neurosim.recording.files import describe, replacing

SUFFIXES = (".png", ".svg", ".csv", ".md", ".json")


def write_report(comparison: Comparison, stem: Path) -> list[Path]:
    """Write ``STEM.png``, ``.svg``, ``.csv``, ``.md`` and ``.json``.

    Parameters
    ----------
    comparison : Comparison
    stem : Path
        Without suffix; the folder is made if there is none.

    Returns
    -------
    list of Path
        The files, each either complete or as it was before.

    Raises
    ------
    RunFileError
        If a file cannot be written.
    """
    from neurosim.comparison.figure import draw  # matplotlib takes a second to import

    make_folder(stem)
    files = [stem.with_name(stem.name + suffix) for suffix in SUFFIXES]
    draw(comparison, files[:2])
    texts = (
        csv_text(comparison),
        markdown(comparison, stem.name),
        json.dumps(comparison.to_json(), indent=2) + "\n",
    )
    for path, text in zip(files[2:], texts, strict=True):
        try:
            with replacing(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        except OSError as error:
            raise _refused(path, error) from error
    return files


def make_folder(stem: Path) -> None:
    """Make the folder of a report, before time is spent on it."""
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(stem, error) from error


def csv_text(comparison: Comparison) -> str:
    """The table as CSV: one line an arm; empty where not known."""
    rows = comparison.table()
    target = io.StringIO()
    writer = csv.DictWriter(target, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(row | {"seeds": " ".join(map(str, row["seeds"]))})
    return target.getvalue()


def markdown(comparison: Comparison, name: str) -> str:
    """The tables and remarks as Markdown, above the figure."""
    parts = [f"# {name}", "Mean (lowest-highest) over seeds.", main_table(comparison).markdown()]
    for about, layers in layer_tables(comparison):
        parts += [about, layers.markdown()]
    parts += [f"![Learning curves, accuracy, probes]({quote(name)}.png)"]
    parts += ["## Before you conclude", "\n".join(f"- {note}" for note in comparison.notes)]
    if settings := settings_table(comparison):
        parts += ["## Settings that differ", settings.markdown()]
    parts += ["## Runs", run_table(comparison).markdown()]
    parts += ["## All settings", *(_settings(arm.label, arm.settings) for arm in comparison.arms)]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _settings(label: str, settings: dict[str, Any]) -> str:
    return f"{label}:\n\n```json\n{json.dumps(settings)}\n```"


def _refused(path: Path, error: OSError) -> RunFileError:
    return RunFileError(
        f"compare.out must be writable; got {path} ({describe(error)}). "
        "Make room, or choose another folder."
    )
