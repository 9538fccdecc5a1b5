"""What is written comes back, in either format."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from phoenix.files.array_files import read_array, system_errors, write_array


@pytest.mark.parametrize("file_format", ["npy", "tensorstore"])
@pytest.mark.parametrize("shape", [(0, 3), (5, 3), (70_000,)])
def test_an_array_comes_back(file_format, shape, tmp_path):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    path = write_array(tmp_path / "values", values, file_format)
    copy = read_array(path)
    np.testing.assert_array_equal(copy, values)
    assert copy.dtype == values.dtype


def test_a_pickle_is_neither_written_nor_read(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_array(tmp_path / "objects", np.array([{}], object))
    np.save(tmp_path / "trap.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        read_array(tmp_path / "trap.npy")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Lets the system refuse what is larger, as it refuses anything on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("file_format", ["npy", "tensorstore"])
def test_a_refusal_of_the_system_is_an_error_of_the_system(file_format, tmp_path):
    noise = np.random.default_rng(0).random(10_000)
    with files_of_at_most(2000), pytest.raises(OSError, match=r"too large|10000 requested"):
        write_array(tmp_path / "values", noise, file_format)


def test_other_errors_stay_what_they_are():
    with pytest.raises(ValueError, match="of ours"), system_errors():
        raise ValueError("of ours")
