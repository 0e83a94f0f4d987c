"""What a run file says about itself before the first step: settings and provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from typing import Any

import h5py
import numpy as np

from neurosim.checks import RunFileError, SettingError
from neurosim.recording.settings import RecordSettings

FORMAT = "neurosim-run"
VERSION = 1


def to_json(field: str, value: object) -> str:
    """``value`` as JSON text; NumPy numbers, arrays and paths become plain numbers, lists, text.

    Raises
    ------
    SettingError
        Something in ``value`` has no JSON form.
    """

    def plain(item: object) -> object:
        if isinstance(item, (np.generic, np.ndarray)):
            return item.tolist()
        if isinstance(item, Mapping):
            return dict(item)
        if isinstance(item, PurePath):
            return str(item)
        raise TypeError(f"a {type(item).__name__}")

    try:
        return json.dumps(value, default=plain)
    except (TypeError, ValueError) as error:
        raise SettingError(
            f"{field} must be storable as JSON; got {error}. "
            "Use numbers, text, lists and dictionaries with text keys."
        ) from None


@dataclass(frozen=True, kw_only=True)
class Header:
    """The part of a run file that is known before the run starts."""

    run_id: str
    protocol: str
    seed: int
    device: str
    settings: dict[str, Any]
    record: RecordSettings
    provenance: dict[str, Any]
    overwrite: bool

    def with_provenance(self, **entries: object) -> Header:
        """A copy with further provenance."""
        return replace(self, provenance={**self.provenance, **entries})

    def to_json(self) -> str:
        """The whole header as JSON text, which `from_json` reads."""
        return to_json("Recorder.settings", asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Header:
        """The header that `to_json` wrote."""
        fields = json.loads(text)
        record = fields["record"]
        if record["instants"] is not None:
            record["instants"] = tuple(record["instants"])
        return cls(**{**fields, "record": RecordSettings(**record)})

    def write(self, file: h5py.File, status: str) -> None:
        """Store the header as attributes of the file's root."""
        fields = json.loads(self.to_json())
        stored = {k: v if isinstance(v, (str, int)) else json.dumps(v) for k, v in fields.items()}
        stored |= {"format": FORMAT, "format_version": VERSION, "status": status}
        for name, value in stored.items():
            file.attrs[name] = value

    @classmethod
    def read(cls, file: h5py.File) -> Header:
        """The header of an open run file.

        Raises
        ------
        RunFileError
            The file is HDF5 but no run, or of a later version of the format.
        """
        if file.attrs.get("format") != FORMAT:
            raise RunFileError(
                f"Run.path must be a neurosim run file; got {file.filename}, "
                "another kind of HDF5 file. Choose a file that `neurosim run` wrote."
            )
        if file.attrs["format_version"] > VERSION:
            raise RunFileError(
                f"Run.path must have format version {VERSION} or less; got "
                f"{file.attrs['format_version']} in {file.filename}. Use a newer neurosim."
            )
        attributes = file.attrs
        fields = {
            "run_id": attributes["run_id"],
            "protocol": attributes["protocol"],
            "seed": int(attributes["seed"]),
            "device": attributes["device"],
            "overwrite": bool(attributes["overwrite"]),
            **{k: json.loads(attributes[k]) for k in ("settings", "record", "provenance")},
        }
        return cls.from_json(json.dumps(fields))
