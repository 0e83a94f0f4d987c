"""The commands that read a run file: ``info`` and ``plot``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from neurosim.checks import RunFileError, SettingError
from neurosim.cli.arguments import parse
from neurosim.cli.summary import print_table
from neurosim.protocol.origin import protocol_of
from neurosim.recording import Run
from neurosim.recording.files import RunPaths

RunFile = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]


@dataclass(frozen=True, kw_only=True)
class InfoOptions:
    """Options of ``neurosim info``."""

    file: RunFile
    """Run file, finished or partial."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON."""


@dataclass(frozen=True, kw_only=True)
class PlotOptions:
    """Options of ``neurosim plot``."""

    file: RunFile
    """Run file, finished or partial."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="IMAGE")] = None
    """Image to write: .png, .svg or .pdf; by default a .png beside the run file."""


def info_command(words: Sequence[str]) -> int:
    """Say what a run file holds."""
    options = parse(
        InfoOptions,
        words,
        prog="neurosim info",
        description="Say what a run file holds.\n\nexample:\n  neurosim info runs/mine.h5 --json",
    )
    with Run(options.file) as run:
        info = run.info()
        settings = dict(run.settings)
    if options.json:
        print(json.dumps(info, indent=2))
    else:
        print_table(_flat({**info, "settings": settings}))
    return 0


def plot_command(words: Sequence[str]) -> int:
    """Draw a run's figure: the protocol's own, else its history and scalar traces."""
    options = parse(
        PlotOptions,
        words,
        prog="neurosim plot",
        description=(
            "Draw a run's figure: the protocol's own, if it has one, else history and traces."
            "\n\nexample:\n  neurosim plot runs/mine.h5 --out figure.svg"
        ),
    )
    from neurosim.plotting import IMAGE_SUFFIXES, plot_run

    out = options.out or RunPaths.of(options.file).final.with_suffix(".png")
    if out.suffix not in IMAGE_SUFFIXES:
        known = ", ".join(IMAGE_SUFFIXES)
        raise SettingError(f"plot.out must end in one of {known}; got {str(out)!r}.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFileError(
            f"plot.out must lie in a folder; got {out}: {error.strerror}. Choose another file."
        ) from error
    with Run(options.file) as run:
        try:
            protocol = protocol_of(run, options.file)
        except SettingError as error:
            print(f"warning: {error} The default figure is drawn.", file=sys.stderr)
            protocol = None
        if protocol is not None and protocol.plot is not None:
            with protocol.importable():
                protocol.plot(run, out)
        else:
            plot_run(run, out)
    print(out)
    return 0


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    rows: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            rows[f"{prefix}{name}"] = ", ".join(map(str, value)) or "-"
        else:
            rows[f"{prefix}{name}"] = "-" if value is None else str(value)
    return rows
