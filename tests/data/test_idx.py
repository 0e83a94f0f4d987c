"""IDX files are read exactly, and damaged ones say how they are damaged."""

import gzip
import struct

import numpy as np
import pytest

from neurosim.checks import DataError
from neurosim.data.idx import read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array: np.ndarray, code: int = 0x08) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.tobytes()


@pytest.mark.parametrize("dtype", CODES)
def test_values_of_every_type_are_read_back(tmp_path, dtype):
    array = np.arange(-3, 21).reshape(2, 3, 4).astype(f">{dtype}")
    path = tmp_path / "values.idx"
    path.write_bytes(idx(array, CODES[dtype]))
    np.testing.assert_array_equal(read_idx(path), array)


def test_gzipped_files_are_read(tmp_path):
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(idx(np.array([3, 1, 4], dtype=np.uint8))))
    assert read_idx(path).tolist() == [3, 1, 4]


IMAGES = idx(np.zeros((2, 3, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "magic number.*an empty file"),
        (b"\x89PNG" + IMAGES, "magic number.*got 89 50 4e 47"),
        (b"\x00\x00\x07" + IMAGES[3:], "magic number.*got 00 00 07 03"),
        (IMAGES[:10], "sizes of 3 dimensions; got 10 bytes of a header of 16: it is truncated"),
        (IMAGES[:-1], r"18 bytes of values for shape \(2, 3, 3\); got 17: it is truncated"),
        (IMAGES + b"\x00", "got 19: it is too long"),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, "got 0: it is truncated"),
    ],
)
def test_damage_is_named(tmp_path, content, message):
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"images must .*{message}.*Replace it"):
        read_idx(path)


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-9], lambda b: b"no gzip", lambda b: b[:20] + b"\xff\xff" + b[22:]]
)
def test_a_damaged_gzip_file_is_named(tmp_path, damage):
    path = tmp_path / "images.gz"
    path.write_bytes(damage(gzip.compress(IMAGES)))
    with pytest.raises(DataError, match=r"images\.gz must be a complete gzip file; got: .*Replace"):
        read_idx(path)


def test_an_unreadable_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent must be readable; got: No such file"):
        read_idx(tmp_path / "absent")
