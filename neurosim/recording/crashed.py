"""Reading an HDF5 file whose writer died: as it lies on the disk, and without changing it.

HDF5 marks a file that is being written. After a crash the mark stays, and the library then either
refuses the file or, taking its writer to be alive, waits without end for a damaged part to be
completed. After a full disk the mark may be gone, but the file is shorter than it claims. Here the
library is shown the same file without the mark, and with its true length.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SUPERBLOCK = struct.Struct("<8sBBBBQQQQ")
"""Signature, version, sizes of offsets and lengths, marks, base, extension, end, root."""
CHECKSUM = struct.Struct("<I")
WORD = 0xFFFFFFFF


class CrashedFile:
    """A file object for h5py: the file at ``path``, unmarked and ending where it really ends."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self._position = 0
        self._size = os.fstat(self._descriptor).st_size
        self._start = unmarked(os.pread(self._descriptor, 48, 0), self._size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, as in any file object."""
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}
        self._position = bases[whence] + offset
        return self._position

    def tell(self) -> int:
        """Present position (bytes)."""
        return self._position

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes; `OSError` if the file ends before."""
        data = os.pread(self._descriptor, size, self._position)
        if len(data) < size:
            raise OSError(f"the file ends at byte {self._size}")
        start = self._start[self._position :][:size]
        self._position += size
        return start + data[len(start) :]

    def __del__(self) -> None:
        os.close(self._descriptor)


def unmarked(superblock: bytes, size: int) -> bytes:
    """The 48 bytes a file starts with, as if it had been closed with a length of ``size`` bytes.

    Raises
    ------
    OSError
        They are not what this package's files start with, or their checksum is wrong.
    """
    end = SUPERBLOCK.size
    if len(superblock) < end + CHECKSUM.size or not superblock.startswith(SIGNATURE):
        raise OSError("not an HDF5 file")
    fields = list(SUPERBLOCK.unpack_from(superblock))
    if fields[1] != 3 or CHECKSUM.unpack_from(superblock, end)[0] != lookup3(superblock[:end]):
        raise OSError("damaged in its first bytes")
    fields[4], fields[7] = 0, size
    start = SUPERBLOCK.pack(*fields)
    return start + CHECKSUM.pack(lookup3(start))


def lookup3(data: bytes) -> int:
    """Checksum of HDF5 metadata, for data of 12 n + 8 bytes such as a superblock.

    Source
    ------
    Jenkins 2006, lookup3.c, ``hashlittle``; HDF5 file format specification 3.0, section II.A.
    """
    words: tuple[int, ...] = struct.unpack(f"<{len(data) // 4}I", data)
    a = b = c = (0xDEADBEEF + len(data)) & WORD
    for i in range(0, len(words) - 2, 3):
        a, b, c = a + words[i], b + words[i + 1], c + words[i + 2]
        for turn in (4, 6, 8, 16, 19, 4):
            a = ((a - c) ^ _rotated(c, turn)) & WORD
            c = (c + b) & WORD
            a, b, c = b, c, a
    a, b = (a + words[-2]) & WORD, (b + words[-1]) & WORD
    for turn in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _rotated(b, turn)) & WORD
        a, b, c = b, c, a
    return b


def _rotated(word: int, turn: int) -> int:
    word &= WORD
    return (word << turn | word >> (32 - turn)) & WORD
