"""Look-up of ids in a table that is sorted by them."""

from typing import NamedTuple

import numpy as np


class Places(NamedTuple):
    """The rows of a table at which ids stand."""

    rows: np.ndarray  # [...] int64, any row of the table where the id is not in it
    is_there: np.ndarray  # [...] bool


def find(ids: np.ndarray, wanted: np.ndarray) -> Places:
    """Finds ids in a sorted column.

    Args:
      ids: `[M]`, distinct, ascending; M may be 0.
      wanted: `[...]` of the same type.

    >>> find(np.array([2, 5]), np.array([5, 3, 9]))
    Places(rows=array([1, 1, 1]), is_there=array([ True, False, False]))
    """
    if not len(ids):
        return Places(np.zeros(wanted.shape, np.int64), np.zeros(wanted.shape, bool))
    rows = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return Places(rows, ids[rows] == wanted)


def values_at(
    ids: np.ndarray, values: np.ndarray, wanted: np.ndarray, *, missing: float
) -> np.ndarray:
    """Returns the value of each wanted id.

    Args:
      ids: `[M]`, distinct, ascending; M may be 0.
      values: `[M]`, one per id.
      wanted: `[...]` of the type of the ids.
      missing: The value of an id that is not in the table.

    Returns:
      `[...]` of the type of the values.

    >>> values_at(np.array([2, 5]), np.array([20, 50]), np.array([5, 3]), missing=-1)
    array([50, -1])
    """
    if not len(ids):
        return np.full(wanted.shape, missing, values.dtype)
    rows, is_there = find(ids, wanted)
    return np.where(is_there, values[rows], np.asarray(missing, values.dtype))
