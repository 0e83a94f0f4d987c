"""Make many runs: those that are there are skipped, those that were interrupted go on."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from neurosim.backend import require_device
from neurosim.checks import RunFileError, require
from neurosim.progress import Progress
from neurosim.protocol import Protocol, ProtocolConfig, find, to_json
from neurosim.protocol.origin import origin_of
from neurosim.recording.files import RunPaths, WriterLock, writing
from neurosim.sweep.child import Ending, Task, Wanted
from neurosim.sweep.existing import Found, fingerprint, runs_in
from neurosim.sweep.loop import work
from neurosim.sweep.workers import cluster, cores, local


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run to be made.

    Parameters
    ----------
    protocol : str
        Name or path, as given to ``neurosim run``.
    settings : ProtocolConfig
        Complete settings, seed included.
    out : Path
        Run file to write, unless there is one of the same settings beside or below it.
    """

    protocol: str
    settings: ProtocolConfig
    out: Path


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a job.

    Parameters
    ----------
    job : Job
        The job.
    status : {"finished", "skipped", "failed", "interrupted"}
        Skipped: it was there already.
    path : Path
        Its run file, which may have another name than ``job.out`` if it was there.
    error : str or None
        Why it failed, in one line.
    """

    job: Job
    status: Literal["finished", "skipped", "failed", "interrupted"]
    path: Path
    error: str | None


def run_jobs(
    jobs: Sequence[Job],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    replicas: int = 1,
    retries: int = 1,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Make every run that is not there yet, in processes of their own.

    Ctrl-C or SIGTERM lets the runs under way leave a checkpoint; the same call continues them. A
    second one kills them, and they go on from their last checkpoint.

    Parameters
    ----------
    jobs : sequence of Job
        The runs, all different.
    workers : int
        Processes at a time on this machine; each may use its share of the cores.
    scheduler : str or None
        Address of a ``dask.distributed`` scheduler, whose workers then make the runs.
    replicas : int
        Runs of one process, where they can share a GPU (``ProtocolConfig.ensembles``).
    retries : int
        Times a failed run is tried again, after the others and alone.
    progress : Progress or None
        The display, entered by the caller; None shows one of its own.

    Returns
    -------
    list of Outcome
        One a job, in their order.

    Raises
    ------
    SettingError
        If jobs are equal, a number is out of range, a protocol unknown, the scheduler silent, or
        there is no GPU where one is needed.
    RunFileError
        If a file is in the way, or the folder is in use by another sweep.
    """
    require(workers >= 1, "run_jobs.workers", "be at least 1", workers)
    require(replicas >= 1, "run_jobs.replicas", "be at least 1", replicas)
    require(retries >= 0, "run_jobs.retries", "be at least 0", retries)
    with contextlib.ExitStack() as stack:
        for folder in sorted({job.out.expanduser().resolve().parent for job in jobs}):
            stack.enter_context(_claimed(folder))
        plans = _plan(jobs)
        left = [
            (job, Wanted(plan.path.resolve(), plan.header))
            for job, plan in zip(jobs, plans, strict=True)
            if plan.header is not None
        ]
        endings: dict[Path, Ending] = {}
        if left:
            tasks = _tasks(left, replicas, 1 if scheduler else max(1, cores() // workers))
            for settings in (job.settings for job, _ in left if not scheduler):
                require_device(f"{type(settings).__name__}.device", settings.device)
            crew = stack.enter_context(cluster(scheduler) if scheduler else local(workers))
            display = progress or stack.enter_context(Progress(unit="runs"))
            there = len(jobs) - len(left)
            endings = work(tasks, crew, retries=retries, progress=display, there=there)
    return [_outcome(job, plan, endings) for job, plan in zip(jobs, plans, strict=True)]


def _outcome(job: Job, plan: _Plan, endings: dict[Path, Ending]) -> Outcome:
    ending = endings.get(plan.path.resolve())
    return Outcome(
        job=job,
        status=ending.status if ending else "skipped",
        path=plan.path,
        error=ending.error if ending else None,
    )


class _Plan(NamedTuple):
    """Which file, and the arguments of `Recorder.create`; None if the run is finished."""

    path: Path
    header: dict[str, Any] | None


@contextlib.contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Have the folder: two sweeps would make the same runs twice, and one of each would fail."""
    new = [part for part in (folder, *folder.parents) if not part.exists()]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = WriterLock(folder)
    except RunFileError:
        raise RunFileError(
            f"Job.out must lie in a folder that no other sweep is using; got {folder}. "
            "Wait for that sweep to end, or choose another folder."
        ) from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # unless there is something in them
            for part in new:
                part.rmdir()
        lock.release()


def _plan(jobs: Sequence[Job]) -> list[_Plan]:
    """Compare what is to be made with what is there; nothing is changed."""
    protocols = {name: find(name) for name in {job.protocol for job in jobs}}
    keys = [fingerprint(protocols[job.protocol], to_json(job.settings)) for job in jobs]
    finals = [RunPaths.of(job.out).final.resolve() for job in jobs]
    for things, rule in ((keys, "have different settings"), (finals, "have different files")):
        for index, thing in enumerate(things):
            require(thing not in things[:index], "run_jobs.jobs", rule, str(jobs[index].out))
    found = runs_in({final.parent for final in finals}, protocols.values())
    old = [found[key].paths.final.name for key in keys if key in found and found[key].edited]
    if old:
        warnings.warn(
            f"{len(old)} of the runs found began before their protocol was edited, such as "
            f"{old[0]}; they are kept. Move them away to make them anew.",
            stacklevel=3,
        )
    return [
        _plan_one(job, protocols[job.protocol], found.get(key))
        for job, key in zip(jobs, keys, strict=True)
    ]


def _plan_one(job: Job, protocol: Protocol, found: Found | None) -> _Plan:
    paths = RunPaths.of(job.out)
    if found is None and any(map(os.path.lexists, (paths.final, paths.partial, paths.checkpoint))):
        raise RunFileError(
            f"Job.out must be a new file, or a run of the same settings; got {paths.final}, which "
            "is damaged or something else. Move it away, or choose another folder."
        )
    path, home = paths.final, paths.final.parent
    if found is not None and found.paths.final != path.resolve():
        path = found.paths.final
        if path.is_relative_to(home.resolve()):
            path = home / path.relative_to(home.resolve())
    if found is not None and found.finished:
        return _Plan(path, None)
    return _Plan(
        path,
        {
            "protocol": protocol.name,
            "settings": to_json(job.settings),
            "seed": job.settings.seed,
            "device": job.settings.device,
            "record": job.settings.record,
            "extra_provenance": origin_of(protocol, path),
        },
    )


def _tasks(left: Sequence[tuple[Job, Wanted]], replicas: int, threads: int) -> list[Task]:
    """Runs by process: alone, or with others of their protocol that can share a GPU."""
    packs: dict[Hashable, list[Wanted]] = {}
    for job, run in left:
        settings = job.settings
        together = settings.ensembles and settings.device == "gpu"
        key = (job.protocol, settings.products) if together else run.path
        packs.setdefault(key, []).append(run)
    return [
        Task(runs=tuple(pack[first : first + replicas]), threads=threads, folder=Path.cwd())
        for pack in packs.values()
        for first in range(0, len(pack), replicas)
    ]
