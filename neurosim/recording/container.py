"""Opening run files: for one writer, for readers beside it, and after a crash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from h5py import h5f, h5p

from neurosim.checks import NeurosimError, RunFileError
from neurosim.recording.crashed import CrashedFile
from neurosim.recording.files import describe, in_use
from neurosim.recording.series import Series

COPY_BYTES = 4_000_000


def new_file(path: Path) -> h5py.File:
    """An empty HDF5 file of the newest layout, which is the one readable while written."""
    return h5py.File(path, "w", libver="latest", locking=False)


def open_writer(path: Path) -> h5py.File:
    """Open a complete file so that readers may watch it grow (SWMR).

    h5py can only switch an open file to this mode; a crash in between would leave a file that
    refuses to open. Asking for it at once leaves no such moment. Chunks are not cached, because
    rows arrive here already collected in blocks.
    """
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_LATEST, h5f.LIBVER_LATEST)
    access.set_file_locking(False, True)
    metadata, slots, _, preemption = access.get_cache()
    access.set_cache(metadata, slots, 0, preemption)
    return h5py.File(h5f.open(bytes(path), h5f.ACC_RDWR | h5f.ACC_SWMR_WRITE, access))


def open_reader(path: Path) -> h5py.File:
    """Open a run file for reading, whether it is finished, being written or left by a crash.

    Raises
    ------
    RunFileError
        There is no such file, or it is truncated, corrupt or not HDF5.
    """
    if in_use(path):
        with readable(path):
            return h5py.File(path, "r", libver="latest", swmr=True, locking=False)
    return open_at_rest(path)


def open_at_rest(path: Path) -> h5py.File:
    """The same, for a file that is known to have no living writer."""
    if os.path.isdir(path) or not os.path.exists(path):
        found = "a folder" if os.path.isdir(path) else "no such file"
        raise RunFileError(
            f"Run.path must be a run file; got {path}, {found}. Check the name; "
            "`neurosim run` says where it writes."
        )
    with readable(path):
        try:
            return h5py.File(path, "r", locking=False)
        except OSError:
            file = h5py.File(CrashedFile(path), "r")
            if file.attrs.get("status") == "partial":
                return file
            # Nothing excuses a finished file from being whole.
            file.close()
            raise


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what h5py raises on a damaged file into one clear line."""
    try:
        yield
    except NeurosimError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, EOFError) as error:
        raise RunFileError(
            f"Run.path must be a complete run file; got {path}, which is truncated, damaged or "
            f"not HDF5 ({describe(error)}). Restore it from a copy, or resume the run if its "
            "checkpoint is still there."
        ) from error


def intact_rows(dataset: h5py.Dataset) -> int:
    """Leading rows whose blocks really lie inside the file.

    A crash or a full disk can leave a dataset that claims more rows than reached the disk. A
    living writer cannot: data are written before the rows that they make up are announced.
    """
    if dataset.file.swmr_mode:
        dataset.refresh()
        return int(dataset.shape[0])
    end = dataset.file.id.get_filesize()
    rows = [int(dataset.shape[0])]

    def visit(chunk: h5py.h5d.StoreInfo) -> None:
        if chunk.byte_offset + chunk.size > end:
            rows.append(chunk.chunk_offset[0])

    dataset.id.chunk_iter(visit)
    return min(rows)


def copy_truncated(source: h5py.File, target: h5py.File, series: Series, rows: int) -> int:
    """Copy the first ``rows`` rows of a series as stored; return how many of them were lost."""
    dataset = source[series.name]
    intact = min(rows, intact_rows(dataset))
    source.copy(dataset, target, name=series.name)
    target[series.name].resize(intact, axis=0)
    target[series.name].resize(rows, axis=0)
    return rows - intact


def copy_compressed(source: h5py.Dataset, target: h5py.File, compression: str) -> None:
    """Copy a dataset and its attributes, compressed and with checksums, a few blocks at a time."""
    copy = target.create_dataset(
        source.name,
        shape=source.shape,
        maxshape=source.maxshape,
        chunks=source.chunks,
        dtype=source.dtype,
        fillvalue=source.fillvalue,
        compression=None if compression == "none" else compression,
        shuffle=compression != "none",
        fletcher32=True,
    )
    for name, value in source.attrs.items():
        copy.attrs[name] = value
    block_bytes = source.dtype.itemsize * int(np.prod(source.chunks))
    step = source.chunks[0] * max(1, COPY_BYTES // block_bytes)
    for first in range(0, source.shape[0], step):
        copy[first : first + step] = source[first : first + step]
