"""Published files: from a folder of the user's, from the cache, or downloaded; always verified."""

from __future__ import annotations

import functools
import os
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pooch
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from neurosim.checks import DataError

FOLDER_VARIABLE = "NEUROSIM_DATA"


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """One file of a data set, as its publisher offers it.

    Parameters
    ----------
    dataset : str
        Name of the data set: the folder the file is kept in.
    name : str
        Name of the file.
    url : str
        Address it is downloaded from.
    md5 : str
        Its published checksum, in hexadecimal.
    """

    dataset: str
    name: str
    url: str
    md5: str


def location(file: PublishedFile) -> Path:
    """Return where a file belongs: under ``NEUROSIM_DATA`` if that is set, else in the cache."""
    root = os.environ.get(FOLDER_VARIABLE) or pooch.os_cache("neurosim")
    return Path(root) / file.dataset / file.name


def fetch(file: PublishedFile) -> Path:
    """Return the path of a verified file, downloading it to the cache if it is not there.

    A file that is there is never replaced, and nothing is ever written under ``NEUROSIM_DATA``.

    Parameters
    ----------
    file : PublishedFile

    Returns
    -------
    Path
        An existing file with the published checksum.

    Raises
    ------
    DataError
        If the file is missing under ``NEUROSIM_DATA``, cannot be downloaded, or has another
        checksum than the published one.
    """
    path = location(file)
    if not path.is_file():
        if os.environ.get(FOLDER_VARIABLE):
            raise DataError(
                f"{path} must exist, as {FOLDER_VARIABLE} is set; got no such file. "
                f"Put the file from {file.url} there, or unset {FOLDER_VARIABLE} to download it."
            )
        _download(file, path)
    _verify(path, path.stat().st_mtime_ns, path.stat().st_size, file.md5)
    return path


@functools.cache
def _verify(path: Path, modified: int, size: int, md5: str) -> None:
    """Compare a file with its checksum, once a process unless it changes."""
    found = pooch.file_hash(str(path), alg="md5")
    if found != md5:
        raise DataError(
            f"{path} must have the MD5 checksum {md5}; got {found} ({size} bytes). It is damaged "
            "or another version: delete it and load again, or put the publisher's file there."
        )


def _download(file: PublishedFile, path: Path) -> None:
    instead = (
        f"Check the network and the disk, or put the file into a folder {file.dataset}/ "
        f"and set {FOLDER_VARIABLE} to the folder that holds it."
    )
    console = Console(stderr=True)
    try:
        with _DownloadBar(file.name, console) as bar:
            pooch.retrieve(
                file.url,
                known_hash=f"md5:{file.md5}",
                fname=file.name,
                path=path.parent,
                downloader=pooch.HTTPDownloader(progressbar=bar if console.is_terminal else False),
            )
    except OSError as error:  # those of requests among them
        if (response := getattr(error, "response", None)) is not None:
            response.close()  # pooch leaves the connection of a refused request open
        reason = textwrap.shorten(f"{type(error).__name__}: {error}", 120, placeholder=" ...")
        raise DataError(f"{file.url} must be downloadable; got: {reason}. {instead}") from None
    except ValueError as error:  # pooch's word for a wrong checksum; it has deleted the file
        reason = " ".join(str(error).split())
        raise DataError(f"{file.url} must have its checksum; got: {reason} {instead}") from None


class _DownloadBar:
    """A rich progress bar with the four members pooch asks of one: tqdm is not needed."""

    def __init__(self, name: str, console: Console) -> None:
        self.total = 0  # bytes; pooch sets it when the server has answered
        self._bar = Progress(
            TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=console
        )
        self._task = self._bar.add_task(name, total=None)

    def __enter__(self) -> Self:
        if self._bar.console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, n_bytes: int) -> None:
        """Count bytes that have arrived."""
        self._bar.update(self._task, advance=n_bytes, total=self.total or None)

    def reset(self) -> None:
        """Count from zero again."""
        self._bar.reset(self._task)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.stop()
