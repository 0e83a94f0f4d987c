"""Hand tasks to workers, try failed ones again, and show how it goes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import replace
from itertools import islice
from pathlib import Path

from neurosim.interruption import Interruption
from neurosim.progress import Progress
from neurosim.sweep.child import Ending, Task
from neurosim.sweep.existing import measured
from neurosim.sweep.workers import Crew

_REDRAW = 0.2  # seconds


def work(
    tasks: Sequence[Task], crew: Crew, *, retries: int, progress: Progress, there: int
) -> dict[Path, Ending]:
    """Make all runs.

    Parameters
    ----------
    tasks : sequence of Task
        The runs, all different.
    crew : Crew
        Who makes them.
    retries : int
        Times a failed one is tried again, then alone.
    progress : Progress
        The display.
    there : int
        Runs that need not be made.

    Returns
    -------
    dict of Path to Ending
        The last ending of each, by its file.
    """
    endings: dict[Path, Ending] = {}
    failures = {run.path: 0 for task in tasks for run in task.runs}
    figures: dict[str, float] = {}
    progress.start(there + len(failures), "sweep", done=there)
    with Interruption() as interruption:
        pending = {crew.submit(task): task for task in tasks}
        told = False
        while pending:
            for future in wait(pending, timeout=_REDRAW, return_when=FIRST_COMPLETED).done:
                task = pending.pop(future)
                for run, ending in zip(task.runs, _endings(future, task), strict=True):
                    failures[run.path] += ending.status == "failed"
                    again = ending.status == "failed" and failures[run.path] <= retries
                    again = again and not told
                    accuracy = _tell(run.path, ending, progress, again)
                    if accuracy is not None:
                        figures["best"] = max(accuracy, figures.get("best", accuracy))
                    if again:
                        alone = replace(task, runs=(run,))
                        pending[crew.submit(alone)] = alone
                    else:
                        endings[run.path] = ending
            if interruption.requested and not told:
                told = True
                progress.message("Stopping: runs under way leave a checkpoint; once more kills.")
                crew.stop()
            under_way = islice(pending.values(), crew.width())
            running = sum(len(task.runs) for task in under_way)
            done = sum(ending.status != "interrupted" for ending in endings.values())
            failed = sum(ending.status == "failed" for ending in endings.values())
            figures |= {"running": running, "waiting": len(failures) - done - running}
            figures |= {"failed": failed} if failed else {}
            progress.update(there + done, **figures)
    return endings


def _endings(future: Future[list[Ending]], task: Task) -> list[Ending]:
    """What the worker answered, or what became of the worker."""
    try:
        return future.result()
    except (Exception, CancelledError) as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return [Ending("failed", text) for _ in task.runs]


def _tell(path: Path, ending: Ending, progress: Progress, again: bool) -> float | None:
    """Say how a run ended and what it warned of; its accuracy, if it has one."""
    for warning in ending.warnings:
        progress.message(f"{path.name}: {warning}")
    if ending.status == "failed":
        later = " It is tried again later." if again else ""
        progress.message(f"failed {path.name}: {ending.error}{later}")
    if ending.status != "finished":
        return None
    accuracy, _ = measured(path)
    result = "" if accuracy is None else f": test accuracy {accuracy:.2%}"
    progress.message(f"finished {path.name}{result}")
    return accuracy
