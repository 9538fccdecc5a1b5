"""Ids in order: each once, and their look-up in a table that is sorted by them."""

from typing import NamedTuple

import numpy as np


class Places(NamedTuple):
    """The rows of a table at which ids stand."""

    rows: np.ndarray  # [...] int64, any row of the table where the id is not in it
    is_there: np.ndarray  # [...] bool


def distinct(ids: np.ndarray) -> np.ndarray:
    """Returns the ids that are in a sorted column, `[M]`, each once.

    >>> distinct(np.array([2, 2, 5]))
    array([2, 5])
    """
    is_new = np.ones(len(ids), bool)
    is_new[1:] = ids[1:] != ids[:-1]
    return ids[is_new]


def find(ids: np.ndarray, queries: np.ndarray) -> Places:
    """Finds ids in a sorted column.

    Args:
      ids: `[M]`, distinct, ascending; M may be 0.
      queries: `[...]` of the same type.

    >>> find(np.array([2, 5]), np.array([5, 3, 9]))
    Places(rows=array([1, 1, 1]), is_there=array([ True, False, False]))
    """
    if not len(ids):
        return Places(np.zeros(queries.shape, np.int64), np.zeros(queries.shape, bool))
    # Beyond the last id there is no row: the last one is compared, and is another.
    rows = np.minimum(np.searchsorted(ids, queries), len(ids) - 1)
    return Places(rows, ids[rows] == queries)


def values_at(
    ids: np.ndarray, values: np.ndarray, queries: np.ndarray, *, missing: float
) -> np.ndarray:
    """Returns the value of each id that is looked up.

    Args:
      ids: `[M]`, distinct, ascending; M may be 0.
      values: `[M]`, one per id.
      queries: `[...]` of the type of the ids.
      missing: The value of an id that is not in the table.

    Returns:
      `[...]` of the type of the values.

    >>> values_at(np.array([2, 5]), np.array([20, 50]), np.array([5, 3]), missing=-1)
    array([50, -1])
    """
    if not len(ids):
        return np.full(queries.shape, missing, values.dtype)
    rows, is_there = find(ids, queries)
    return np.where(is_there, values[rows], np.asarray(missing, values.dtype))
