"""Ids in order: each once, their look-up in a sorted table, and their places in groups."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Places(NamedTuple):
    """The rows of a table at which ids stand."""

    rows: np.ndarray  # [...] int64, any number where the id is not in it
    is_there: np.ndarray  # [...] bool


def distinct(ids: np.ndarray) -> np.ndarray:
    """Returns the ids that are in a sorted column, `[M]`, each once.

    >>> distinct(np.array([2, 2, 5]))
    array([2, 5])
    """
    is_new = np.ones(len(ids), bool)
    is_new[1:] = ids[1:] != ids[:-1]
    return ids[is_new]


def distinct_pairs(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns pairs of ids, `[M]` each in any order, sorted and each once.

    >>> distinct_pairs(np.array([5, 2, 5]), np.array([1, 9, 1]))
    (array([2, 5]), array([9, 1]))
    """
    order = np.lexsort((second, first))
    first, second = first[order], second[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (np.diff(first) != 0) | (np.diff(second) != 0)
    return first[is_new], second[is_new]


def places_within(sizes: np.ndarray) -> np.ndarray:
    """Returns the place of each member within its group, from 0, group after group.

    Args:
      sizes: `[G]` members of each group.

    >>> places_within(np.array([2, 0, 3]))
    array([0, 1, 0, 1, 2])
    """
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)


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


def find_keys(keys: Sequence[np.ndarray], table: Sequence[np.ndarray]) -> Places:
    """Finds keys of several columns in a table in any order: each at its first row.

    Args:
      keys: Columns `[n]`.
      table: The same columns, `[M]`.

    >>> find_keys([np.array([3, 3]), np.array([7, 8])], [np.array([1, 3]), np.array([7, 8])])
    Places(rows=array([2, 1]), is_there=array([False,  True]))
    """
    both = [np.concatenate(each) for each in zip(table, keys, strict=True)]
    order = np.lexsort(both[::-1])  # stable: the row of the table comes before who asks for it
    is_new = np.ones(len(order), bool)
    is_new[1:] = np.any([np.diff(each[order]) != 0 for each in both], axis=0)
    first = np.empty(len(order), np.int64)
    first[order] = order[is_new][np.cumsum(is_new) - 1]
    rows = first[len(table[0]) :]
    return Places(rows, rows < len(table[0]))


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


class Groups(NamedTuple):
    """Values by key, in the order in which they came."""

    keys: np.ndarray  # [G] distinct, ascending
    starts: np.ndarray  # [G] int64
    sizes: np.ndarray  # [G] int64
    values: np.ndarray  # [M], key after key

    @classmethod
    def of(cls, keys: np.ndarray, values: np.ndarray) -> "Groups":
        """Groups values.

        Args:
          keys: `[M]`, in any order.
          values: `[M]`.
        """
        order = np.argsort(keys, kind="stable")
        distinct_keys, starts, sizes = np.unique(keys[order], return_index=True, return_counts=True)
        return cls(distinct_keys, starts, sizes, values[order])

    def members(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the values of each key that is asked for.

        Args:
          queries: `[N]` keys.

        Returns:
          `[P]` int64 places among the queries, ascending, and `[P]` values.

        >>> Groups.of(np.array([7, 3, 7]), np.array([10, 20, 30])).members(np.array([5, 7]))
        (array([1, 1]), array([10, 30]))
        """
        group, is_there = find(self.keys, queries)
        place, group = np.flatnonzero(is_there), group[is_there]
        sizes = self.sizes[group]
        rows = np.repeat(self.starts[group], sizes) + places_within(sizes)
        return np.repeat(place, sizes), self.values[rows]
