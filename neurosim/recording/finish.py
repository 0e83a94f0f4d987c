"""The finished file: a compact, compressed, checksummed copy with weights and summary."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import h5py
import numpy as np

from neurosim.recording.checkpoint import Checkpoint
from neurosim.recording.container import copy_compressed
from neurosim.recording.header import Header


def weights_digest(weights: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over the type, shape and bytes of all weights, in the order given."""
    digest = hashlib.sha256()
    for array in weights.values():
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def write_finished(
    target: h5py.File,
    source: h5py.File,
    header: Header,
    names: Iterable[str],
    summary: str,
    weights: Mapping[str, np.ndarray],
    checkpoint: Path,
) -> None:
    """Fill ``target`` with all of a run.

    Parameters
    ----------
    target : h5py.File
        New and empty.
    source : h5py.File
        The partial file, flushed.
    header : Header
        Settings and provenance.
    names : iterable of str
        The series to copy.
    summary : str
        JSON.
    weights : mapping of str to numpy.ndarray
        Final weights, in the order of the digest.
    checkpoint : pathlib.Path
        The last checkpoint, if one was written.
    """
    header.write(target, "finished")
    target.attrs["summary"] = summary
    target.attrs["weights_digest"] = weights_digest(weights)
    for name in names:
        copy_compressed(source[name], target, header.record.compression)
    group = target.create_group("weights")
    group.attrs["order"] = json.dumps(list(weights))
    for name, array in weights.items():
        group.create_dataset(name, data=array)
    if checkpoint.exists():
        state = Checkpoint.load(checkpoint)
        group = target.create_group("checkpoint")
        group.attrs["position"] = json.dumps(state.position)
        group.attrs["rows"] = json.dumps(state.rows)
        for name, array in state.arrays.items():
            group.create_dataset(f"arrays/{name}", data=array)
