"""A series: one growing dataset of a run, such as the weights of the chosen synapses of a layer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike

from neurosim.checks import RunFileError, SettingError, require

NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*")
RESERVED = ("weights", "checkpoint")
UNKNOWN_ROWS = 1024
"""Rows a chunk is given when nobody knows how many will come."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """What is known about a growing dataset before its first row.

    Parameters
    ----------
    name : str
        Path in the file, such as ``layers/layer1/weight``.
    shape : tuple of int
        Shape of one row.
    dtype : numpy.dtype
        Boolean, integer or floating.
    unit : str
        Unit of the values; ``"1"`` for pure numbers.
    axes : tuple of str
        Names of the axes, the growing one first.
    rows : int, optional
        Rows expected; None for a stream without end.
    coordinates : mapping
        Values along an axis, or the name of the series that holds them.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    unit: str
    axes: tuple[str, ...]
    rows: int | None
    coordinates: Mapping[str, ArrayLike | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        owner = f"Recorder.declare({self.name!r})"
        require(bool(NAME.fullmatch(self.name)), owner, "have a name like 'a/b'", self.name)
        top = self.name.split("/")[0]
        require(top not in RESERVED, owner, f"not lie below {' or '.join(RESERVED)}", self.name)
        require(self.dtype.kind in "biuf", f"{owner}.dtype", "be a number type", str(self.dtype))
        require(all(n > 0 for n in self.shape), f"{owner}.shape", "be positive", self.shape)
        require(
            len(self.axes) == 1 + len(self.shape) == len(set(self.axes)),
            f"{owner}.axes",
            f"name the growing axis and the {len(self.shape)} of a row, all different",
            self.axes,
        )
        require(self.rows is None or self.rows >= 0, f"{owner}.rows", "be 0 or more", self.rows)
        lengths = dict(zip(self.axes[1:], self.shape, strict=True))
        for axis, values in self.coordinates.items():
            require(axis in self.axes, f"{owner}.coordinates", f"be one of {self.axes}", axis)
            if not isinstance(values, str):
                require(
                    np.ndim(values) > 0 and len(np.asarray(values)) == lengths.get(axis),
                    f"{owner}.coordinates[{axis!r}]",
                    f"have one entry for each of {lengths.get(axis, 'a fixed number of')} places",
                    np.shape(values),
                    "Values along the growing axis are a series of their own: give its name.",
                )

    @property
    def row_bytes(self) -> int:
        """Size of one row (bytes)."""
        return self.dtype.itemsize * math.prod(self.shape)

    def chunk_rows(self, chunk_bytes: int) -> int:
        """Rows stored together, in about ``chunk_bytes`` and never more than are expected."""
        expected = UNKNOWN_ROWS if self.rows is None else self.rows
        return max(1, min(expected, chunk_bytes // self.row_bytes))

    def check(self, rows: np.ndarray) -> np.ndarray:
        """``rows`` if they fit the declaration, shape ``(n, *shape)``; else a `SettingError`."""
        rows = np.asarray(rows)
        if rows.ndim == 0 or rows.shape[1:] != self.shape:
            found = f"shape {rows.shape}"
            rule, remedy = f"have shape (rows, *{self.shape})", "The first axis counts rows."
        elif rows.dtype != self.dtype and not np.can_cast(rows.dtype, self.dtype, "same_kind"):
            found, rule, remedy = str(rows.dtype), f"have a type that fits {self.dtype}", "Cast it."
        elif rows.dtype.kind == "f" and not np.isfinite(rows).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(rows))[0])
            found, rule = f"{rows[where]} at index {where}", "be finite"
            remedy = "Look for what diverged in the simulation before this row."
        else:
            return rows
        raise SettingError(f"Recorder.append({self.name!r}) must {rule}; got {found}. {remedy}")

    @property
    def missing(self) -> Any:
        """The value that stands for a row that was lost: NaN, -1 or 0."""
        return {"f": math.nan, "i": -1}.get(self.dtype.kind, 0)

    def create(self, file: h5py.File, chunk_bytes: int) -> h5py.Dataset:
        """Make the empty, uncompressed dataset in ``file``."""
        dataset = file.create_dataset(
            self.name,
            shape=(0, *self.shape),
            maxshape=(None, *self.shape),
            chunks=(self.chunk_rows(chunk_bytes), *self.shape),
            dtype=self.dtype,
            fillvalue=self.missing,
        )
        dataset.attrs["unit"] = self.unit
        dataset.attrs["axes"] = list(self.axes)
        for axis, values in self.coordinates.items():
            array = np.asarray(values)
            text = array.dtype.kind == "U" and array.ndim > 0
            dataset.attrs[f"coordinate_{axis}"] = array.tolist() if text else values
        return dataset

    def require_match(self, dataset: h5py.Dataset) -> None:
        """Raise `RunFileError` unless ``dataset`` was created from an equal declaration."""
        now = (self.shape, self.dtype, self.unit, self.axes)
        axes = tuple(dataset.attrs["axes"])
        then = (dataset.shape[1:], dataset.dtype, dataset.attrs["unit"], axes)
        if now != then:
            raise RunFileError(
                f"Recorder.declare({self.name!r}) must repeat what the run was started with, "
                f"{then}; got {now}. Resume with the settings stored in the file."
            )
