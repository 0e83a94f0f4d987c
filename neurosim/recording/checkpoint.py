"""A checkpoint: everything needed to continue a run, in one file that is whole or absent."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.checks import RunFileError, require
from neurosim.recording.files import describe, replacing
from neurosim.recording.header import Header, to_json

META = "checkpoint"
ARRAYS = "arrays/"


def require_arrays(field: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise `SettingError` unless every value is a NumPy array that can be stored."""
    for name, array in arrays.items():
        usable = isinstance(array, np.ndarray) and not array.dtype.hasobject
        kind = type(array).__name__
        require(usable, f"{field}[{name!r}]", "be a NumPy array of numbers", kind)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state of a run between two steps.

    Parameters
    ----------
    arrays : mapping of str to numpy.ndarray
        Weights, momenta, memories, traces: whatever the simulator needs, by name.
    position : dict
        Where the run stands; JSON-able.
    rows : dict of str to int
        Rows of every series at that moment; a resumed run cuts its series to them.
    header : Header
        The run it belongs to, so that a checkpoint alone is enough to go on.
    """

    arrays: Mapping[str, np.ndarray]
    position: dict[str, Any]
    rows: dict[str, int]
    header: Header

    def save(self, path: Path) -> None:
        """Write atomically: a crash at any moment leaves this checkpoint or the one before."""
        meta = json.dumps(
            {
                "position": json.loads(to_json("Recorder.save_checkpoint.position", self.position)),
                "rows": self.rows,
                "header": self.header.to_json(),
            }
        )
        require_arrays("Recorder.save_checkpoint.arrays", self.arrays)
        with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            archive.writestr(f"{META}.json", meta)
            for name, array in self.arrays.items():
                with archive.open(f"{ARRAYS}{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a checkpoint whole; every array is verified against its checksum.

        Raises
        ------
        RunFileError
            The file is damaged.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                meta = json.loads(archive.read(f"{META}.json"))
                arrays = {}
                for member in archive.namelist():
                    if member.startswith(ARRAYS):
                        name = member.removeprefix(ARRAYS).removesuffix(".npy")
                        with archive.open(member) as stream:
                            arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
                            # The checksum is compared at the end of the member, so go there.
                            stream.read()
        except (OSError, zipfile.BadZipFile, ValueError, KeyError, EOFError) as error:
            raise RunFileError(
                f"Recorder.checkpoint must be readable; got {path} ({describe(error)}). "
                "Delete it to start the run from the beginning."
            ) from error
        return cls(
            arrays=arrays,
            position=meta["position"],
            rows=meta["rows"],
            header=Header.from_json(meta["header"]),
        )
