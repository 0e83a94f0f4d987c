"""The command ``sweep``: a grid of settings times seeds, on this machine or on a cluster."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table

from neurosim.checks import Interrupted, require
from neurosim.cli.arguments import parse_with_settings, protocol_asked
from neurosim.cli.summary import console
from neurosim.progress import duration, silenced
from neurosim.protocol import Protocol, ProtocolConfig, to_json
from neurosim.recording.files import RunPaths
from neurosim.sweep import Job, Outcome, run_jobs
from neurosim.sweep.existing import fingerprint
from neurosim.sweep.grid import Point, file_name, points, require_not_given, seeds, words
from neurosim.sweep.results import Result, Spread, report, results, text, write
from neurosim.sweep.workers import cores

_HELP = """usage: neurosim sweep PROTOCOL [--grid KEY=V1,V2 ...] [--seeds N] [--out FOLDER]
                      [--workers W] [--replicas R] [--scheduler ADDRESS] [--retries N]
                      [--json] [--quiet] [--SETTING VALUE ...]

Run a protocol for every combination of settings and every seed. The same command continues what
was interrupted, tries again what failed, and skips what is finished.

  neurosim sweep PROTOCOL --help   shows the options and that protocol's settings

examples:
  neurosim sweep quickstart --grid same_class=0.1,0.5 --seeds 3
  neurosim sweep pogodin2020_table1 --grid rule=gaussian,backprop --grid epochs=1,3 --seeds 5
  neurosim sweep quickstart --grid widths="64,256 256" --seeds 3,5,7 --record.every 100
  neurosim sweep pogodin2020_stream --device gpu --grid rate=0.01,0.03,0.1 --seeds 20
  neurosim sweep quickstart --seeds 20 --scheduler tcp://host:8786

exit codes: 0 all finished, 1 some failed, 2 bad input (nothing was started), 130 interrupted

protocols:"""


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """Options of a sweep, beside the protocol's settings."""

    grid: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="KEY=V1,V2")
    ] = ()
    """A setting and its values, once a setting; words of one value are separated by blanks
    (widths="64,256 256"), switches are true or false."""
    seeds: str = "1"
    """How many (5 is 0 to 4), or which (3,5,7; 3, for one)."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Folder of the run files and of sweep.csv and sweep.json; by default runs/PROTOCOL-sweep."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="W")] = None
    """Processes at a time; by default as many as there are cores for the threads of a run, or one
    on a GPU."""
    replicas: Annotated[int, tyro.conf.arg(metavar="R")] = 64
    """Runs that share a GPU in one process, where the protocol can; fewer need less memory."""
    scheduler: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """Address of a dask.distributed scheduler that makes the runs, such as tcp://host:8786."""
    retries: int = 1
    """Times a failed run is tried again."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print the results as JSON."""
    quiet: tyro.conf.FlagCreatePairsOff[bool] = False
    """No progress and no table: print the folder only."""


def sweep_command(given: Sequence[str]) -> int:
    """Make every run of a grid and sum up."""
    protocol = protocol_asked("sweep", given, _HELP, "quickstart --seeds 3")
    if protocol is None:
        return 0
    options, settings = parse_with_settings(SweepOptions, protocol, given, command="sweep")
    folder = options.out or Path("runs", f"{protocol.name}-sweep")
    grid = points(options.grid, settings)
    jobs = _jobs(protocol, given, grid, seeds(options.seeds), settings, folder)
    with silenced(options.quiet):
        outcomes = run_jobs(
            jobs,
            workers=_workers(options, [job.settings for job in jobs]),
            scheduler=options.scheduler,
            replicas=options.replicas,
            retries=options.retries,
        )
    found = results(list(grid[0]), outcomes)
    write(folder, protocol.name, found)
    if options.json:
        print(json.dumps(report(protocol.name, found), indent=2))
    elif options.quiet:
        print(folder)
    else:
        _print(found, folder)
    return _conclude(outcomes)


def _jobs(
    protocol: Protocol,
    given: Sequence[str],
    grid: Sequence[Point],
    numbers: Sequence[int],
    settings: ProtocolConfig,
    folder: Path,
) -> list[Job]:
    """Every run, all of them checked."""
    jobs = []
    for point in grid:
        require_not_given(point, given[1:])
        line = [*given, *words(point, settings)]
        _, complete = parse_with_settings(SweepOptions, protocol, line, command="sweep")
        for seed in numbers:
            config = dataclasses.replace(complete, seed=seed)
            name = file_name(protocol.name, point, seed, fingerprint(protocol, to_json(config)))
            jobs.append(Job(protocol=given[0], settings=config, out=folder / name))
    return jobs


def _workers(options: SweepOptions, settings: Sequence[ProtocolConfig]) -> int:
    if options.workers is None or options.scheduler is not None:
        require(
            options.workers is None,
            "sweep.workers",
            "be left out where a scheduler has workers",
            options.workers,
        )
        if any(config.device == "gpu" for config in settings):
            return 1  # there is one, however many cores
        return max(1, cores() // max(getattr(config, "threads", 1) for config in settings))
    require(options.workers >= 1, "sweep.workers", "be at least 1", options.workers)
    return options.workers


def _print(found: Sequence[Result], folder: Path) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in [*found[0].settings, "runs", "test accuracy", "(min-max)", "time"]:
        table.add_column(title, justify="left" if title in found[0].settings else "right")
    for result in found:
        done = sum(run["status"] in ("finished", "skipped") for run in result.runs)
        seconds = result.seconds.mean
        table.add_row(
            *(text(value) for value in result.settings.values()),
            f"{done}/{len(result.runs)}",
            *_percent(result.test_accuracy),
            "-" if seconds is None else duration(seconds),
        )
    console().print(table)
    print(f"{folder / 'sweep.csv'}, {folder / 'sweep.json'}")


def _percent(accuracy: Spread) -> tuple[str, str]:
    if accuracy.mean is None or accuracy.min is None or accuracy.max is None:
        return "-", "-"
    return f"{accuracy.mean:.2%}", f"{100 * accuracy.min:.2f}-{100 * accuracy.max:.2f}"


def _conclude(outcomes: Sequence[Outcome]) -> int:
    """Say what is missing; the exit code."""
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    for outcome in failed:
        print(f"failed: {outcome.path}: {outcome.error}", file=sys.stderr)
    left = sum(outcome.status == "interrupted" for outcome in outcomes)
    if left:
        raise Interrupted(
            f"Interrupted; {len(outcomes) - left - len(failed)} of {len(outcomes)} runs are "
            "finished. The same command continues."
        )
    if failed:
        kept = [run.path for run in failed if RunPaths.of(run.path).partial.exists()]
        trace = f" For a traceback: neurosim resume {kept[0]} --debug" if kept else ""
        count = f"{len(failed)} of {len(outcomes)} runs failed."
        print(f"{count} The same command tries them again.{trace}", file=sys.stderr)
    return 1 if failed else 0
