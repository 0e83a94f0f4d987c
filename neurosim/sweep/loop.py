"""Hand tasks to workers, try failed ones again, and show how it goes."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from pathlib import Path

from neurosim.interruption import Interruption
from neurosim.progress import Progress
from neurosim.sweep.child import Ending, Task
from neurosim.sweep.existing import measured
from neurosim.sweep.workers import Crew

_REDRAW = 0.2  # seconds


def work(
    tasks: Mapping[int, Task], crew: Crew, *, retries: int, progress: Progress, there: int
) -> dict[int, Ending]:
    """Make all runs.

    Parameters
    ----------
    tasks : mapping of int to Task
        The runs, by the number of their job.
    crew : Crew
        Who makes them.
    retries : int
        Times a failed one is tried again.
    progress : Progress
        The display.
    there : int
        Runs that need not be made.

    Returns
    -------
    dict of int to Ending
        The last ending of each.
    """
    endings: dict[int, Ending] = {}
    failures = dict.fromkeys(tasks, 0)
    figures: dict[str, float] = {}
    progress.start(there + len(tasks), "sweep", done=there)
    with Interruption() as interruption:
        pending = {crew.submit(task): index for index, task in tasks.items()}
        told = False
        while pending:
            for future in wait(pending, timeout=_REDRAW, return_when=FIRST_COMPLETED).done:
                index = pending.pop(future)
                ending = _ending(future)
                failures[index] += ending.status == "failed"
                again = ending.status == "failed" and failures[index] <= retries and not told
                accuracy = _tell(tasks[index].path, ending, progress, again)
                if accuracy is not None:
                    figures["best"] = max(accuracy, figures.get("best", accuracy))
                if again:
                    pending[crew.submit(tasks[index])] = index
                else:
                    endings[index] = ending
            if interruption.requested and not told:
                told = True
                progress.message("Stopping: runs under way leave a checkpoint; once more kills.")
                crew.stop()
            running = min(len(pending), crew.width()) if pending else 0
            done = sum(ending.status != "interrupted" for ending in endings.values())
            failed = sum(ending.status == "failed" for ending in endings.values())
            figures |= {"running": running, "waiting": len(tasks) - done - running}
            figures |= {"failed": failed} if failed else {}
            progress.update(there + done, **figures)
    return endings


def _ending(future: Future[Ending]) -> Ending:
    """What the worker answered, or what became of the worker."""
    try:
        return future.result()
    except (Exception, CancelledError) as error:
        return Ending("failed", " ".join(f"{type(error).__name__}: {error}".split()))


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
