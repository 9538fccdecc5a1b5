"""Digests of rows: of what a table says, not of the bytes in which a file keeps it.

Files change with how they are cut, grouped and compressed; their rows do not.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def of_pieces(table: pa.Table, sizes: Sequence[int]) -> list[str]:
    """Returns the SHA-256 of parts of a table that follow each other.

    Args:
      table: Columns of numbers, times, booleans, texts, bytes, and lists of these.
      sizes: Rows of each part; together all of them.

    >>> rows = pa.table({"post": [7, 8, 7], "tag": ["a", None, "a"]})
    >>> first, second, third = of_pieces(rows, [1, 1, 1])
    >>> first == third, first == second
    (True, False)
    """
    hashes = [hashlib.sha256() for _ in sizes]
    ends = np.cumsum(np.asarray(sizes, np.int64))
    for column in table.columns:
        _add(hashes, column, ends)
    return [each.hexdigest() for each in hashes]


def _add(hashes: Sequence["hashlib._Hash"], column: pa.ChunkedArray, ends: np.ndarray) -> None:
    """Adds the values of a column to the digest of each part.

    Args:
      hashes: Of the parts.
      column: The values of all parts.
      ends: `[len(hashes)]` int64: the row after the last one of each part.
    """
    array = column.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    _add_nulls(hashes, array, ends)
    kind = array.type
    if pa.types.is_fixed_size_list(kind):
        # Values under a null list are left to chance; no table of ours has one.
        _add(hashes, pa.chunked_array([array.flatten()]), ends * kind.list_size)
    elif pa.types.is_list(kind):
        lengths = pc.call_function("list_value_length", [array]).fill_null(0).to_numpy()
        _add_numbers(hashes, lengths, ends)
        _add(hashes, pa.chunked_array([array.flatten()]), _ends_of_values(lengths, ends))
    elif pa.types.is_string(kind) or pa.types.is_binary(kind):
        # A null is as long as nothing, and has no bytes.
        lengths = pc.call_function("binary_length", [array]).fill_null(0).to_numpy()
        _add_numbers(hashes, lengths, ends)
        _add_numbers(hashes, _text_bytes(array), _ends_of_values(lengths, ends))
    elif pa.types.is_boolean(kind):
        values = array.fill_null(False).to_numpy(zero_copy_only=False)
        _add_numbers(hashes, values.view(np.uint8), ends)
    else:
        _add_numbers(hashes, _numbers(array), ends)


def _add_nulls(hashes: Sequence["hashlib._Hash"], array: pa.Array, ends: np.ndarray) -> None:
    """Adds which values are there: of a part with all of them one byte, as of most."""
    is_there = None if not array.null_count else np.asarray(array.is_valid())
    start = 0
    for each, end in zip(hashes, ends.tolist(), strict=True):
        # By part: what a part says must not depend on those beside it.
        part = None if is_there is None else is_there[start:end]
        if part is None or part.all():
            each.update(b"\xff")
        else:
            each.update(part.view(np.uint8).tobytes())
        start = end


def _add_numbers(hashes: Sequence["hashlib._Hash"], values: np.ndarray, ends: np.ndarray) -> None:
    data = np.ascontiguousarray(values).view(np.uint8).data
    size, start = values.dtype.itemsize, 0
    for each, end in zip(hashes, ends.tolist(), strict=True):
        each.update(data[start * size : end * size])
        start = end


def _numbers(array: pa.Array) -> np.ndarray:
    """Returns numbers and times, 0 for null."""
    if pa.types.is_timestamp(array.type):
        array = array.view(pa.int64())
    if array.null_count:
        array = array.fill_null(0)
    return array.to_numpy(zero_copy_only=False)


def _text_bytes(array: pa.Array) -> np.ndarray:
    """Returns the bytes of all texts, one after another."""
    if array.null_count:
        array = array.drop_null()
    _, offsets, data = array.buffers()
    if not len(array) or data is None:
        return np.empty(0, np.uint8)
    places = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data, np.uint8)[places[0] : places[-1]]


def _ends_of_values(lengths: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns where the values of each part end, given the number of values of each row."""
    return np.append(0, np.cumsum(lengths, dtype=np.int64))[ends]
