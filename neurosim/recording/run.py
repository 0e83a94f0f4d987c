"""Reading a run: finished, interrupted, or still being written."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple, Self

import h5py
import numpy as np

from neurosim.checks import RunFileError, SettingError, require_one_of
from neurosim.recording.checkpoint import Checkpoint
from neurosim.recording.container import intact_rows, open_reader, readable
from neurosim.recording.files import RunPaths
from neurosim.recording.header import Header
from neurosim.recording.settings import RecordSettings

WEIGHT_WORDS = ("weight", "weights")


class Trace(NamedTuple):
    """A recorded series: ``values`` along the named ``axes``, in ``unit``."""

    values: np.ndarray
    axes: tuple[str, ...]
    unit: str
    coordinates: dict[str, np.ndarray]


class Run:
    """A run file, opened for reading; a context manager.

    A run that is being written can be read at any time: every property looks again.

    Parameters
    ----------
    path : path-like
        ``run.h5`` or ``run.h5.partial``; the first stands for the second while only that exists.

    Raises
    ------
    RunFileError
        The file is missing, truncated, corrupt, or no run.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path, paths = Path(path).expanduser(), RunPaths.of(path)
        if path == paths.checkpoint or (not os.path.exists(path) and os.path.exists(paths.partial)):
            path = paths.partial
        self.path = path
        self._file = open_reader(path)
        try:
            with readable(path):
                self._header = Header.read(self._file)
                self.status: str = self._file.attrs["status"]
        except RunFileError:
            self._file.close()
            raise

    @property
    def protocol(self) -> str:
        """The protocol that was run."""
        return self._header.protocol

    @property
    def settings(self) -> dict[str, Any]:
        """The protocol's settings."""
        return self._header.settings

    @property
    def record(self) -> RecordSettings:
        """What was recorded."""
        return self._header.record

    @property
    def seed(self) -> int:
        """The seed everything random came from."""
        return self._header.seed

    @property
    def device(self) -> str:
        """``"cpu"`` or ``"gpu"``."""
        return self._header.device

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, commit, host, start, command line."""
        return self._header.provenance

    @property
    def summary(self) -> dict[str, Any]:
        """Results in a few numbers; empty until the run is finished."""
        return json.loads(self._file.attrs.get("summary", "{}"))

    @property
    def weights_digest(self) -> str | None:
        """SHA-256 over all final weights; None until the run is finished."""
        return self._file.attrs.get("weights_digest")

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The last checkpoint, if there is one."""
        if self.status == "partial":
            path = RunPaths.of(self.path).checkpoint
            return Checkpoint.load(path) if path.exists() else None
        with readable(self.path):
            if "checkpoint" not in self._file:
                return None
            group = self._file["checkpoint"]
            return Checkpoint(
                arrays=_arrays(group.get("arrays")),
                position=json.loads(group.attrs["position"]),
                rows=json.loads(group.attrs["rows"]),
                header=self._header,
            )

    @property
    def history(self) -> dict[str, np.ndarray]:
        """Columns of the history, each of shape ``(notes,)``; NaN where not measured."""
        columns = {name: self.series(f"history/{name}").values for name in self._names("history")}
        # A reader may come between the columns of a row that is being written.
        notes = min(map(len, columns.values()), default=0)
        return {name: values[:notes] for name, values in columns.items()}

    @property
    def events(self) -> dict[str, np.ndarray]:
        """Arrays of the ``events`` group, such as onsets (s) and labels."""
        return {name: self.series(f"events/{name}").values for name in self._names("events")}

    @property
    def layers(self) -> list[str]:
        """Layers with traces or final weights, in natural order."""
        names = self._names("layers") or [n for n in self._names("weights") if n != "readout"]
        return sorted(names, key=lambda name: [_number(part) for part in re.split(r"(\d+)", name)])

    def traces(self, layer: str) -> list[str]:
        """Names of what was recorded of ``layer``, such as ``rate`` or ``instants/rate``."""
        require_one_of("Run.traces.layer", layer, self._names("layers"))
        found: list[str] = []
        with readable(self.path):
            self._file[f"layers/{layer}"].visititems(
                lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None
            )
        return found

    def trace(self, layer: str, name: str, rows: slice = slice(None)) -> Trace:
        """What was recorded of a layer under ``name``.

        Parameters
        ----------
        layer, name : str
            One of `layers` and one of its `traces`.
        rows : slice
            Part of the growing axis, for recordings that do not fit in memory.

        Returns
        -------
        Trace
            Values, shape ``(rows, ...)``, with the names of their axes, unit and coordinates.
        """
        require_one_of(f"Run.trace({layer!r}).name", name, self.traces(layer))
        return self.series(f"layers/{layer}/{name}", rows)

    def series(self, name: str, rows: slice = slice(None)) -> Trace:
        """Any recorded series by its full path in the file, such as ``events/onset``."""
        with readable(self.path):
            dataset = self._file.get(name)
            if not isinstance(dataset, h5py.Dataset) or "axes" not in dataset.attrs:
                raise SettingError(f"Run.series must be a recorded series; got {name!r}.")
            axes = tuple(dataset.attrs["axes"])
            coordinates = {}
            for axis in axes:
                values = dataset.attrs.get(f"coordinate_{axis}")
                if isinstance(values, str):
                    values = self._read(self._file[values], rows)
                if values is not None:
                    coordinates[axis] = values
            return Trace(self._read(dataset, rows), axes, dataset.attrs["unit"], coordinates)

    def weights(self, name: str) -> np.ndarray:
        """Weights of a layer, shape ``(n_post, n_pre)``: the final ones, else the checkpoint's.

        Parameters
        ----------
        name : str
            A layer, or the full name under which the weights were saved.

        Raises
        ------
        SettingError
            There are none of that name (yet).
        """
        if self.status == "finished":
            with readable(self.path):
                stored = {key: key for key in json.loads(self._file["weights"].attrs["order"])}
                key = _weights_key(name, list(stored))
                return np.asarray(self._file["weights"][key])
        arrays = self.checkpoint.arrays if self.checkpoint else {}
        return np.asarray(arrays[_weights_key(name, list(arrays))])

    def info(self) -> dict[str, Any]:
        """The run in a few JSON-able entries; None for what is not known (yet)."""
        summary, history = self.summary, self.history
        position = self.checkpoint.position if self.checkpoint else {}

        def latest(name: str) -> Any:
            measured = history.get(name, np.empty(0))
            measured = measured[np.isfinite(measured)]
            return measured[-1].item() if len(measured) else position.get(name)

        presentations = summary.get("presentations", latest("presentations"))
        return {
            "file": self.path.name,
            "protocol": self.protocol,
            "status": self.status,
            "seed": self.seed,
            "device": self.device,
            "presentations": None if presentations is None else int(presentations),
            "test_accuracy": summary.get("test_accuracy", latest("test_accuracy")),
            "weights_digest": self.weights_digest,
            "layers": self.layers,
            "history": sorted(history),
            "started": self.provenance.get("started"),
            "versions": self.provenance.get("versions"),
            "commit": self.provenance.get("commit"),
            "summary": summary,
        }

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _names(self, group: str) -> list[str]:
        with readable(self.path):
            return list(self._file[group]) if group in self._file else []

    def _read(self, dataset: h5py.Dataset, rows: slice) -> np.ndarray:
        if self.status == "partial":
            rows = slice(*rows.indices(intact_rows(dataset)))
        return np.asarray(dataset[rows])


def _arrays(group: h5py.Group | None) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    if group is not None:
        group.visititems(
            lambda name, item: found.update({name: item[()]} if hasattr(item, "shape") else {})
        )
    return found


def _number(part: str) -> tuple[int, str]:
    return (int(part), "") if part.isdigit() else (-1, part)


def _weights_key(name: str, keys: list[str]) -> str:
    """The one key that is ``name``, or ``name`` with words such as ``weights`` around it."""
    if name in keys:
        return name
    wanted, matching = name.split("/"), []
    for key in keys:
        parts = re.split(r"[/.]", key)
        bare = [part for part in parts if part not in WEIGHT_WORDS]
        if len(bare) < len(parts) and bare[-len(wanted) :] == wanted:
            matching.append(key)
    if len(matching) != 1:
        raise SettingError(
            f"Run.weights must name one of the saved weights; got {name!r}. "
            f"{'Several fit' if matching else 'Saved are'}: "
            f"{', '.join(matching or keys) or 'none yet'}."
        )
    return matching[0]
