"""Who makes the runs: processes on this machine, or the workers of a dask cluster."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from neurosim.checks import SettingError
from neurosim.sweep.child import GO_ON, KILL, STOP, Ending, Task, make


class Crew(NamedTuple):
    """Workers that take tasks."""

    submit: Callable[[Task], Future[list[Ending]]]
    width: Callable[[], int]  # how many tasks are worked on at a time
    stop: Callable[[], None]  # ask every run to leave a checkpoint and end


def cores() -> int:
    """Cores this process may use."""
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


@contextlib.contextmanager
def local(workers: int) -> Iterator[Crew]:
    """Work on ``workers`` tasks at a time here; each of these threads waits for one process."""
    asked = GO_ON

    def stop() -> None:
        nonlocal asked
        asked = STOP

    with ThreadPoolExecutor(workers) as pool:
        try:
            yield Crew(lambda task: pool.submit(make, task, lambda: asked), lambda: workers, stop)
        except BaseException:
            asked = KILL
            raise


@dataclass(frozen=True)
class _Flag:
    """What is asked, looked up from a worker of the cluster."""

    name: str

    def __call__(self) -> int:
        from distributed import Event

        return STOP if Event(self.name).is_set() else GO_ON


@contextlib.contextmanager
def cluster(address: str) -> Iterator[Crew]:
    """Work on the workers of a ``dask.distributed`` scheduler, one task a thread of theirs.

    They must see the same folders and have neurosim installed.

    Raises
    ------
    SettingError
        If the extra is not installed, or nothing answers at the address.
    """
    try:
        from distributed import Client, Event
    except ImportError as error:
        raise SettingError(
            f"sweep.scheduler must be reached through dask.distributed; got {address!r}, and "
            f"{error}. Install it: pip install 'neurosim[sweep]'"
        ) from error
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise SettingError(
            "sweep.scheduler must be the address of a dask scheduler, such as "
            f"tcp://host:8786; got {address!r} ({type(error).__name__}). Start one: dask scheduler"
        ) from error
    with client:
        flag = _Flag(f"neurosim-sweep-{uuid.uuid4().hex}")
        stopping = Event(flag.name, client=client)
        pool = client.get_executor(pure=False)

        def width() -> int:
            return sum(client.nthreads().values())

        try:
            yield Crew(lambda task: pool.submit(make, task, flag), width, stopping.set)
        except BaseException:
            stopping.set()
            raise
