"""The commands that simulate: ``run`` and ``resume``."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from neurosim.checks import Interrupted, NeurosimError, RunFileError
from neurosim.cli.arguments import parse, parse_with_settings, protocol_asked
from neurosim.cli.summary import print_summary
from neurosim.progress import silenced
from neurosim.protocol import Protocol, ProtocolConfig, from_json, to_json
from neurosim.protocol.origin import (
    holds_nothing,
    is_finished,
    origin_of,
    protocol_of,
    was_edited,
)
from neurosim.recording import Recorder, Run
from neurosim.recording.files import RunPaths

_RUN_HELP = """usage: neurosim run PROTOCOL [--out FILE] [--overwrite] [--quiet] [--SETTING VALUE]

Run a protocol: a name from the list below, or the path of your own Python file.

  neurosim run PROTOCOL --help   shows that protocol's settings

examples:
  neurosim run quickstart
  neurosim run quickstart --seed 1 --out runs/second.h5
  neurosim run ./my_protocol.py --record.every 10

protocols:"""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of every run, beside the protocol's settings."""

    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Run file to write; by default runs/PROTOCOL-seedN.h5, numbered if that exists."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace an existing run file."""
    quiet: tyro.conf.FlagCreatePairsOff[bool] = False
    """No progress and no summary: print the run file's name only."""


@dataclass(frozen=True, kw_only=True)
class ResumeOptions:
    """Options of a resumed run: its settings come from the file."""

    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Run file to continue: run.h5 or run.h5.partial."""
    quiet: tyro.conf.FlagCreatePairsOff[bool] = False
    """No progress and no summary: print the run file's name only."""


def run_command(words: Sequence[str]) -> int:
    """Run a protocol from its name or path and its settings."""
    protocol = protocol_asked("run", words, _RUN_HELP, "quickstart --seed 1")
    if protocol is None:
        return 0
    options, config = parse_with_settings(RunOptions, protocol, words, command="run")
    path = _output_path(options, protocol.name, config.seed)
    recorder = Recorder.create(
        path,
        protocol=protocol.name,
        settings=to_json(config),
        seed=config.seed,
        device=config.device,
        record=config.record,
        overwrite=options.overwrite,
        extra_provenance=origin_of(protocol, path),
    )
    paths = RunPaths.of(path)
    try:
        return _execute(protocol, config, recorder, paths, quiet=options.quiet)
    except NeurosimError:
        # A mistyped setting should not leave a file behind.
        if holds_nothing(paths):
            paths.partial.unlink()
        raise


def resume_command(words: Sequence[str]) -> int:
    """Continue a run from its last checkpoint."""
    options = parse(
        ResumeOptions,
        words,
        prog="neurosim resume",
        description=(
            "Continue an interrupted run from its last checkpoint; the result is the same as if "
            "it had not been interrupted.\n\nexample:\n  neurosim resume runs/mine.h5.partial"
        ),
    )
    paths = RunPaths.of(options.file)
    if is_finished(paths):
        print(f"{paths.final} is already finished; nothing to resume.")
        return 0
    with Recorder.resume(options.file) as recorder:
        with contextlib.ExitStack() as stack:
            # The checkpoint's header is there even if the partial file is beyond reading.
            checkpoint = recorder.checkpoint
            origin = checkpoint.header if checkpoint else stack.enter_context(Run(paths.partial))
            protocol = protocol_of(origin, paths.final)
            if was_edited(origin, protocol):
                name = protocol.path.name
                print(f"warning: {name} was edited since the run began", file=sys.stderr)
        config = from_json(protocol.config, recorder.settings)
        return _execute(protocol, config, recorder, paths, quiet=options.quiet)


def _output_path(options: RunOptions, protocol: str, seed: int) -> Path:
    if options.out is not None:
        return options.out
    stem = f"{protocol}-seed{seed}"
    path, number = Path("runs", f"{stem}.h5"), 1
    while not options.overwrite and (path.exists() or RunPaths.of(path).partial.exists()):
        number += 1
        path = Path("runs", f"{stem}-{number}.h5")
    return path


def _execute(
    protocol: Protocol, config: ProtocolConfig, recorder: Recorder, paths: RunPaths, *, quiet: bool
) -> int:
    began, whole = time.monotonic(), recorder.checkpoint is None
    try:
        with recorder, silenced(quiet), protocol.importable():
            protocol.run(config, recorder)
        if paths.partial.exists():
            raise RunFileError(
                f"Protocol {protocol.name} must end with recorder.finish(summary, weights); "
                "got a run that was not finished."
            )
    except BaseException as error:
        kept = paths.partial.exists() and not holds_nothing(paths)
        if kept and paths.final.name not in str(error):
            error.add_note(f"What was recorded is kept: {paths.partial}.")
            if isinstance(error, Interrupted | KeyboardInterrupt):
                error.add_note(f"Continue with: neurosim resume {paths.partial}")
        raise
    if quiet:
        print(paths.final)
    else:
        print_summary(paths.final, seconds=time.monotonic() - began, whole=whole)
    return 0
