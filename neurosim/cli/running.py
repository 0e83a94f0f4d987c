"""The command ``run``: make a run of a protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from neurosim.checks import NeurosimError
from neurosim.cli.arguments import parse_with_settings, protocol_asked
from neurosim.cli.execution import Execution
from neurosim.protocol import to_json
from neurosim.protocol.origin import holds_nothing, origin_of
from neurosim.recording import Recorder
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
    execution = Execution(protocol, config, recorder)
    try:
        execution.show(quiet=options.quiet)
        return 0
    except NeurosimError:
        # A mistyped setting should not leave a file behind.
        if holds_nothing(execution.paths):
            execution.paths.partial.unlink()
        raise


def _output_path(options: RunOptions, protocol: str, seed: int) -> Path:
    if options.out is not None:
        return options.out
    stem = f"{protocol}-seed{seed}"
    path, number = Path("runs", f"{stem}.h5"), 1
    while not options.overwrite and (path.exists() or RunPaths.of(path).partial.exists()):
        number += 1
        path = Path("runs", f"{stem}-{number}.h5")
    return path
