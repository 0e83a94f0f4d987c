"""Where one run lives on disk, and replacing files so that a crash leaves the old or the new."""

from __future__ import annotations

import errno
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from neurosim.checks import NeurosimError, RunFileError

if sys.platform != "win32":
    import fcntl

PATIENCE = 5


@dataclass(frozen=True)
class RunPaths:
    """The names of one run: the finished file, and the two it is made of while running."""

    final: Path

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> RunPaths:
        """The names of the run that ``path`` (finished, partial or checkpoint) belongs to."""
        path = Path(path).expanduser()
        return cls(path.with_name(re.sub(r"\.partial(\.checkpoint)?$", "", path.name)))

    @property
    def partial(self) -> Path:
        """The HDF5 file while the run is not finished."""
        return self.final.with_name(self.final.name + ".partial")

    @property
    def checkpoint(self) -> Path:
        """The last checkpoint, beside the partial file."""
        return self.final.with_name(self.final.name + ".partial.checkpoint")


def describe(error: Exception) -> str:
    """One line that says what went wrong with a file."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error).split("\n")[0]


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system or HDF5 raises on a failed write into one clear line."""
    try:
        yield
    except NeurosimError:
        raise
    except (OSError, RuntimeError) as error:
        raise RunFileError(
            f"Recorder.path must be writable; got {path} ({describe(error)}). Make room or choose "
            "another folder; a run under way is kept up to its last checkpoint and can be resumed."
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that takes the place of ``path`` only if the block succeeds.

    The contents reach the disk before the name changes, so that at every moment, power cuts
    included, ``path`` is the old file or the complete new one.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        yield temporary
        synchronize(temporary)
        os.replace(temporary, path)
        synchronize(path.parent)
    except BaseException:
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)
        raise


def synchronize(path: Path) -> None:
    """Wait until the file or folder ``path`` is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def in_use(path: Path) -> bool:
    """Whether a living process, this one included, holds the `WriterLock` of ``path``."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, shared: bool) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        # Some network file systems have no locks at all: there, users must take care.
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


class WriterLock:
    """The right to write the run at ``path``; the system takes it back if the process dies.

    Raises
    ------
    RunFileError
        Another process is writing this run.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = os.open(path, os.O_RDONLY)
        # Readers hold the lock for an instant, to see whether it is free; that is waited for.
        for _ in range(PATIENCE):
            if _lock(self._descriptor, shared=False):
                return
            time.sleep(0.01)
        self.release()
        raise RunFileError(
            f"Recorder.path must not be in use; got {path}, which another process is writing. "
            "Wait for it to end, or choose another output file."
        )

    @property
    def held(self) -> bool:
        """Whether the right has not been given back."""
        return self._descriptor is not None

    def release(self) -> None:
        """Give the right back; doing so twice is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
