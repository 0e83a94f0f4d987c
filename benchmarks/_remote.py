"""A side of a benchmark in a process of its own, with an environment of its own.

Thread pools of different libraries then cannot get in each other's way, and settings that are read
when a library is loaded, such as ``OMP_WAIT_POLICY``, hold for one side only.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any


class Remote:
    """Calls the methods of an object that lives in another process.

    Parameters
    ----------
    make : callable
        Makes the object there; importable by name.
    *arguments
        Of ``make``.
    environment : dict of str to str
        Variables that are set before the process starts.
    """

    def __init__(
        self, make: Callable[..., Any], *arguments: Any, environment: dict[str, str] | None = None
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
        with _variables(environment or {}):
            self._process.start()
        theirs.close()
        self._answer()

    def call(self, method: str, *arguments: Any) -> Any:
        """What the object's method returns; an exception there is raised here."""
        self._pipe.send((method, arguments))
        return self._answer()

    def _answer(self) -> Any:
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            self.close()
            raise answer
        return answer

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()


def _serve(pipe: Connection, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        made = make(*arguments)
        pipe.send(None)
        while True:
            method, arguments = pipe.recv()
            pipe.send(getattr(made, method)(*arguments))
    except EOFError:
        return
    except Exception as error:
        pipe.send(error)


@contextmanager
def _variables(changed: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changed)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
