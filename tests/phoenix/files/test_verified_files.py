"""A folder appears whole, verified, or not at all."""

import resource

import numpy as np
import pytest

from phoenix.files.verified_files import CheckpointError, publish, verify

ARRAYS = {
    "a": np.arange(10.0),
    "b": np.zeros((0, 3), np.float32),
    "c": np.asfortranarray(np.eye(3)),
}


def write(into):
    into.write_arrays({f"{name}.npy": array for name, array in ARRAYS.items()})
    into.write_text("note.json", "{}")


def test_arrays_are_written_as_numpy_writes_them(tmp_path):
    publish(tmp_path / "folder", write)
    verify(tmp_path / "folder", required=("a.npy", "note.json"))
    for name, array in ARRAYS.items():
        np.save(tmp_path / "peer.npy", np.ascontiguousarray(array))
        written = tmp_path / "folder" / f"{name}.npy"
        np.testing.assert_array_equal(np.load(written), array)
        if name != "c":
            assert written.read_bytes() == (tmp_path / "peer.npy").read_bytes()


@pytest.mark.parametrize("name", ["a.npy", "note.json"])
def test_a_flipped_bit_is_refused_by_the_name_of_the_file(name, tmp_path):
    publish(tmp_path / "folder", write)
    path = tmp_path / "folder" / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name}: damaged, expected SHA-256"):
        verify(tmp_path / "folder")


def test_a_disk_without_room_leaves_nothing_behind(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            publish(tmp_path / "folder", write)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
    publish(tmp_path / "folder", write)
    verify(tmp_path / "folder")
