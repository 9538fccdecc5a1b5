"""What is written comes back, in either format."""

import numpy as np
import pytest

from phoenix.array_files import read_array, write_array


@pytest.mark.parametrize("file_format", ["npy", "tensorstore"])
@pytest.mark.parametrize("shape", [(0, 3), (5, 3), (70_000,)])
def test_an_array_comes_back(file_format, shape, tmp_path):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    path = write_array(tmp_path / "values", values, file_format)
    found = read_array(path)
    np.testing.assert_array_equal(found, values)
    assert found.dtype == values.dtype


def test_a_pickle_is_neither_written_nor_read(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_array(tmp_path / "objects", np.array([{}], object))
    np.save(tmp_path / "trap.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        read_array(tmp_path / "trap.npy")
