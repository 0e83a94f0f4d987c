"""The IDX file format: a magic number, sizes, and then plain big-endian values."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurosim.checks import DataError

# The third byte of a file names the type of its values.
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_REMEDY = "Replace it with the publisher's file."


def read_idx(path: Path) -> npt.NDArray[Any]:
    """Read an IDX file, gzipped if its name ends in ``.gz``.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ndarray
        Of the shape and the (big-endian) type the file declares, read-only.

    Raises
    ------
    DataError
        If the file cannot be read, is not IDX, or is shorter or longer than it declares.

    Notes
    -----
    Four bytes: zero, zero, type, number of dimensions; one big-endian 32-bit size a dimension;
    then the values, last dimension fastest.
    """
    content = _content(path)
    if len(content) < 4 or content[0] or content[1] or content[2] not in _TYPES:
        raise DataError(
            f"{path} must start with the magic number of an IDX file, 00 00, a type and a number "
            f"of dimensions; got {content[:4].hex(' ') or 'an empty file'}. {_REMEDY}"
        )
    dtype = np.dtype(_TYPES[content[2]])
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise DataError(
            f"{path} must declare the sizes of {content[3]} dimensions; "
            f"got {len(content)} bytes of a header of {start}: it is truncated. {_REMEDY}"
        )
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], dtype=">u4"))
    expected, found = math.prod(shape) * dtype.itemsize, len(content) - start
    if found != expected:
        fault = "truncated" if found < expected else "too long"
        raise DataError(
            f"{path} must hold {expected} bytes of values for shape {shape}; got {found}: "
            f"it is {fault}. {_REMEDY}"
        )
    return np.frombuffer(content, dtype=dtype, offset=start).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} must be readable; got: {error.strerror}. {_REMEDY}") from None
    if path.suffix != ".gz":
        return raw
    try:
        return gzip.decompress(raw)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} must be a complete gzip file; got: {error}. {_REMEDY}") from None
