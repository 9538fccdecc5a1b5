"""Arrays on disk in two open formats: `.npy`, or TensorStore (zarr v3) for what is large.

Equal content gives equal bytes. Neither format can hold a pickle here.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

FileFormat = Literal["npy", "tensorstore"]
_CHUNK_ROWS = 65_536


def write_array(path: Path, values: np.ndarray, file_format: FileFormat = "npy") -> Path:
    """Writes `values` and returns the path: with `.npy` added, or a folder of TensorStore.

    Raises:
      OSError: If the system refuses, e.g. because the disk is full.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_array(Path(folder) / "scores", np.array([1.5, 2.5]))
    ...     path.name, read_array(path).tolist()
    ('scores.npy', [1.5, 2.5])
    """
    if file_format == "npy":
        target = path.with_name(path.name + ".npy")
        np.save(target, values, allow_pickle=False)
        return target
    import tensorstore as ts  # Here, because most steps write no array of this format.

    # Whole rows, because whoever reads a part reads rows; and no chunk may have an axis of 0.
    chunk = [max(1, min(_CHUNK_ROWS, len(values))), *(max(1, size) for size in values.shape[1:])]
    spec: dict[str, Any] = {
        "driver": "zarr3",
        "kvstore": {"driver": "file", "path": str(path.resolve())},
        "metadata": {
            "shape": list(values.shape),
            "data_type": values.dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        },
    }
    with system_errors():
        array = ts.open(spec, create=True).result()
        array[...] = values
    return path


def read_array(path: Path) -> np.ndarray:
    """Returns the array that `write_array` wrote; `path` is the one that it returned.

    Raises:
      OSError: If there is nothing at `path`.
      ValueError: If a file holds a pickle.
    """
    if path.is_file():
        return np.load(path, allow_pickle=False)
    import tensorstore as ts

    kvstore = {"driver": "file", "path": str(path.resolve())}
    array = ts.open({"driver": "zarr3", "kvstore": kvstore}, open=True, read=True).result()
    return np.ascontiguousarray(array.read().result())


@contextmanager
def system_errors() -> Iterator[None]:
    """Raises an OSError where TensorStore, and orbax upon it, has a ValueError: for a full disk."""
    try:
        yield
    except ValueError as error:
        # The text is all that it hands on; without the number a full disk reads like a bad array.
        code = re.search(r"os_error_code='(\d+)'", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), str(error)) from error
