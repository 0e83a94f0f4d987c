import os

import h5py
import pytest

from neurosim.recording.crashed import CrashedFile, lookup3, unmarked


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("x", data=range(1000), chunks=(100,))
    return path


def test_checksum_is_that_of_hdf5(path):
    start = path.read_bytes()[:48]
    assert lookup3(start[:44]) == int.from_bytes(start[44:], "little")


def test_a_closed_file_is_shown_unchanged(path):
    contents = path.read_bytes()
    assert unmarked(contents[:48], len(contents)) == contents[:48]
    with h5py.File(CrashedFile(path), "r") as file:
        assert file["x"][:].tolist() == list(range(1000))


@pytest.mark.parametrize("mark", [1, 5])
def test_a_mark_is_hidden_and_the_file_left_alone(path, mark):
    contents = bytearray(path.read_bytes())
    contents[11] = mark
    contents[44:48] = lookup3(bytes(contents[:44])).to_bytes(4, "little")
    path.write_bytes(contents)
    with pytest.raises(OSError, match="already open for write"):
        h5py.File(path, "r", locking=False)
    with h5py.File(CrashedFile(path), "r") as file:
        assert file["x"][-1] == 999
    assert path.read_bytes() == contents


def test_data_beyond_the_end_are_an_error_not_zeros(path):
    with h5py.File(path) as file:
        last = file["x"].id.get_chunk_info(9)
    os.truncate(path, last.byte_offset + 8)
    with h5py.File(CrashedFile(path), "r") as file:
        assert file["x"][899] == 899
        with pytest.raises(OSError, match="read"):
            file["x"][:]


def test_other_starts_are_refused(path):
    start = path.read_bytes()[:48]
    for wrong in (b"", start[:47], b"x" + start[1:], start[:30] + b"x" + start[31:]):
        with pytest.raises(OSError, match=r"not an HDF5 file|damaged"):
            unmarked(wrong, 100)
