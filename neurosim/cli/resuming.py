"""The command ``resume``: continue a run, or several at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from neurosim.checks import require
from neurosim.cli.arguments import parse
from neurosim.cli.execution import reopen
from neurosim.protocol.origin import is_finished
from neurosim.recording.files import RunPaths


@dataclass(frozen=True, kw_only=True)
class ResumeOptions:
    """Options of a resumed run: its settings come from the file."""

    files: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN [RUN ...]")]
    """Run file to continue: run.h5 or run.h5.partial; several that learn on a GPU share it."""
    quiet: tyro.conf.FlagCreatePairsOff[bool] = False
    """No progress and no summary: print the run file's name only."""


def resume_command(words: Sequence[str]) -> int:
    """Continue a run from its last checkpoint."""
    options = parse(
        ResumeOptions,
        words,
        prog="neurosim resume",
        description=(
            "Continue an interrupted run from its last checkpoint; the result is the same as if "
            "it had not been interrupted. Several runs share a GPU, where their protocol can.\n\n"
            "examples:\n  neurosim resume runs/mine.h5.partial\n"
            "  neurosim resume runs/on-gpu-*.partial\n\n"
            "exit codes of several: 0 all finished, 1 some failed, 130 interrupted"
        ),
    )
    require(len(options.files) > 0, "resume.files", "name a run file", list(options.files))
    if len(options.files) > 1:
        from neurosim.cli.together import resume_together

        return resume_together(options.files)
    (file,) = options.files
    if is_finished(RunPaths.of(file)):
        print(f"{RunPaths.of(file).final} is already finished; nothing to resume.")
        return 0
    reopen(file, tell=lambda line: print(line, file=sys.stderr)).show(quiet=options.quiet)
    return 0
