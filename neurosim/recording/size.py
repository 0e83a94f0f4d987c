"""How large a recording will be, and which settings would make it fit its budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from neurosim.recording.series import Series
from neurosim.recording.settings import RecordSettings

BUFFER_BYTES = 16_000_000
LARGEST_CHUNK = 256 * 1024
# Measured on HDF5 2.0, in its newest file layout.
HEADER_BYTES = 8000
SERIES_BYTES = 850
CHUNK_INDEX_BYTES = 10


def chunk_bytes(n_series: int) -> int:
    """Size of the blocks rows are collected and stored in (bytes).

    One block of every series is held in memory, so the block shrinks as series multiply.
    """
    return min(LARGEST_CHUNK, BUFFER_BYTES // max(n_series, 1))


def predicted_bytes(series: Sequence[Series]) -> int:
    """Size of the file when every series has its expected rows, uncompressed (bytes).

    A series without a known end counts as one block; checkpoints and final weights, which do
    not depend on what is recorded, are left out.
    """
    block = chunk_bytes(len(series))
    total = HEADER_BYTES
    for one in series:
        rows = one.chunk_rows(block)
        chunks = math.ceil((rows if one.rows is None else one.rows) / rows)
        coordinates = sum(np.asarray(c).nbytes for c in one.coordinates.values())
        total += chunks * (rows * one.row_bytes + CHUNK_INDEX_BYTES) + coordinates + SERIES_BYTES
    return total


def scaled(series: Iterable[Series], old: RecordSettings, new: RecordSettings) -> list[Series]:
    """The declarations as they would be under ``new`` settings instead of ``old``.

    Axes say what a series depends on: ``neuron`` and ``synapse`` on the number kept, a growing
    ``presentation`` axis on `RecordSettings.every`; but below a group ``instants``, or with a
    growing ``instant`` axis, rows depend on the window of instants.
    """
    return [_scaled(one, old, new) for one in series]


def _scaled(one: Series, old: RecordSettings, new: RecordSettings) -> Series:
    limits = {"neuron": new.neurons, "synapse": new.synapses}
    shape = tuple(
        min(length, max(limits.get(axis, length), 1))
        for axis, length in zip(one.axes[1:], one.shape, strict=True)
    )
    rows = one.rows
    if one.axes[0] == "instant" or "instants" in one.name.split("/"):
        if rows and old.instants and new.instants:
            rows = math.ceil(rows * _length(new.instants) / _length(old.instants))
    elif rows and one.axes[0] == "presentation" and old.every:
        rows = math.ceil(rows * old.every / new.every)
    lengths = dict(zip(one.axes[1:], shape, strict=True))
    coordinates = {
        axis: values if isinstance(values, str) else np.asarray(values)[: lengths[axis]]
        for axis, values in one.coordinates.items()
    }
    return replace(one, shape=shape, rows=rows, coordinates=coordinates)


def _length(window: tuple[int, int]) -> int:
    return window[1] - window[0]


def remedies(series: Sequence[Series], record: RecordSettings) -> list[str]:
    """Command-line settings that fit the budget: each alone if it can, else all together.

    Returns
    -------
    list of str
        Such as ``["--record.every 40", "--record.synapses 5"]``; empty if none is small enough.
    """

    def fits(new: RecordSettings) -> bool:
        return predicted_bytes(scaled(series, record, new)) <= record.budget

    def shrunk(divisor: int, *fields: str) -> RecordSettings:
        changes: dict[str, object] = {}
        for field in fields:
            value = getattr(record, field)
            if field == "every":
                changes[field] = value * divisor
            elif field == "instants":
                changes[field] = (value[0], value[0] + max(1, _length(value) // divisor))
            else:
                changes[field] = max(1, value // divisor)
        return replace(record, **changes)  # type: ignore[arg-type]

    used = [f for f in ("every", "synapses", "neurons", "instants") if getattr(record, f)]

    def option(fields: Sequence[str]) -> str | None:
        divisor = _smallest(lambda d: fits(shrunk(d, *fields)))
        return None if divisor is None else _flags(shrunk(divisor, *fields), fields)

    alone = [option([field]) for field in used]
    return [text for text in alone if text] or [text for text in [option(used)] if text]


def _smallest(fits: Callable[[int], bool], limit: int = 2**40) -> int | None:
    """The smallest divisor that fits, by doubling and then halving the bracket."""
    high = 1
    while not fits(high):
        high *= 2
        if high > limit:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def _flags(record: RecordSettings, fields: Iterable[str]) -> str:
    def text(value: object) -> str:
        return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)

    return " ".join(f"--record.{field} {text(getattr(record, field))}" for field in fields)
