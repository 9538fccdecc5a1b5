"""Hashing of raw 64-bit ids to rows of an embedding table, the same in every language.

One id selects k rows, one per hash function, and the model reads all of them: two posts are
confused only when all k rows coincide. `docs/hashing.md` states the rule without Python and
carries golden vectors.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# The constants of the public release of May 2026: scales, biases, modulus.
_DOCUMENTED: dict[str, tuple[tuple[int, ...], tuple[int, ...], int]] = {
    "user": ((196742702, 1852108266), (1935840681, 167407236), 2859568897),
    "post": ((2161410491, 1754358832), (1935840681, 167407236), 2361375383),
    "author": ((371965780, 328930218), (139686260, 37755056), 631860353),
}
KINDS = ("user", "post", "author")
# 2**64 by the golden ratio: the multiples of neighbouring numbers lie far apart, so ids that were
# given out one after the other spread evenly (Knuth, The Art of Computer Programming, 6.4).
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_PREFIX_BITS = 22
_PREFIX_SHIFT = np.uint64(64 - _PREFIX_BITS)
_CHUNK = 1 << 15  # Ids per pass: the temporaries stay in the second-level cache.


@dataclass(frozen=True, kw_only=True)
class HashTable:
    """The hash functions of one embedding table.

    Function j maps an id to row `((id * scales[j] + biases[j]) mod modulus) mod (num_rows - 1) + 1`
    in wrapping int64 with a floor modulo; id 0 maps to row 0, the padding row, in every function.
    """

    num_rows: int  # Rows of the table, the padding row included.
    scales: tuple[int, ...]  # [k]
    biases: tuple[int, ...]  # [k]
    modulus: int  # In [2, 2**32): a row number above it could never be reached.

    def __post_init__(self) -> None:
        """Checks that the constants fit int64 and that every row can be reached."""
        if not self.scales or len(self.scales) != len(self.biases):
            raise ValueError(
                f"`scales` and `biases` must have the same length, at least 1, "
                f"got {len(self.scales)} and {len(self.biases)}."
            )
        if not isinstance(self.modulus, int) or not 2 <= self.modulus < 2**32:
            raise ValueError(f"`modulus` must be an integer in [2, 2**32), got {self.modulus!r}.")
        most = min(self.modulus + 1, 2**31 - 1)
        if not isinstance(self.num_rows, int) or not 2 <= self.num_rows <= most:
            raise ValueError(
                f"`num_rows` must be an integer in [2, {most}] for modulus "
                f"{self.modulus}, got {self.num_rows!r}."
            )
        constants = (*self.scales, *self.biases)
        if not all(type(value) is int and -(2**63) <= value < 2**63 for value in constants):
            raise ValueError(
                "`scales` and `biases` must be integers that fit int64, "
                f"got {self.scales} and {self.biases}."
            )

    @property
    def num_hashes(self) -> int:
        """k: rows that one id selects."""
        return len(self.scales)

    def hash_ids(self, ids: np.ndarray) -> np.ndarray:
        """Maps ids to rows.

        Args:
          ids: `[...]` of an integer type that fits int64; 0 is padding.

        Returns:
          `[..., k]` int32 in `[0, num_rows)`; 0 exactly where the id is 0.

        Raises:
          TypeError: If `ids` does not fit int64 by its type.

        >>> HashSpec.documented().user.hash_ids(np.array([0, 12345]))
        array([[    0,     0],
               [35331, 41398]], dtype=int32)
        """
        ids = np.asarray(ids)
        if not np.can_cast(ids.dtype, np.int64):
            raise TypeError(f"`ids` must fit int64, got {ids.dtype}.")
        # Chunks outside, functions inside: a chunk is read from memory once for all functions.
        flat = ids.reshape(-1).astype(np.int64, copy=False)
        rows = np.empty((flat.size, self.num_hashes), np.int32)
        for start in range(0, flat.size, _CHUNK):
            chunk = flat[start : start + _CHUNK]
            padding = chunk == 0
            for j in range(self.num_hashes):
                column = self._rows_of(chunk, j)
                column[padding] = 0
                rows[start : start + _CHUNK, j] = column
        return rows.reshape(*ids.shape, self.num_hashes)

    def _rows_of(self, ids: np.ndarray, j: int) -> np.ndarray:
        """The rows `[n]` int32 to which function j maps `[n]` int64 ids; of 0 as of any other."""
        # NumPy vectorises division by a scalar, not the remainder: hence x - x // m * m.
        raw = ids * np.int64(self.scales[j])
        raw += np.int64(self.biases[j])
        quotient = raw // np.int64(self.modulus)
        quotient *= np.int64(self.modulus)
        raw -= quotient
        # Below the modulus now, hence below 2**32: half the width, twice the speed.
        small = raw.astype(np.uint32)
        divisor = np.uint32(self.num_rows - 1)
        small -= small // divisor * divisor
        small += np.uint32(1)
        return small.view(np.int32)


@dataclass(frozen=True, kw_only=True)
class HashSpec:
    """The hash functions of the three tables; stored with every feature partition and model."""

    user: HashTable
    post: HashTable
    author: HashTable

    @classmethod
    def documented(
        cls,
        *,
        user_rows: int = 100_000,
        post_rows: int = 100_000,
        author_rows: int = 30_000,
        num_hashes: int = 2,
    ) -> "HashSpec":
        """Returns the public constants, followed by derived functions beyond the second.

        Args:
          user_rows: Rows of the user table.
          post_rows: Rows of the post table.
          author_rows: Rows of the author table.
          num_hashes: k, at least 1, for each table.

        Raises:
          ValueError: If a table does not fit its modulus or `num_hashes` is not positive.
        """
        rows = {"user": user_rows, "post": post_rows, "author": author_rows}
        return cls(**{kind: _documented_table(kind, rows[kind], num_hashes) for kind in KINDS})

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON types only; `from_dict` is the inverse."""
        # By way of JSON, because `asdict` keeps tuples, which would not equal what is read back.
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "HashSpec":
        """Returns the specification that `to_dict` wrote.

        Raises:
          ValueError: If a key is missing or unknown, or a value is out of range.
        """
        fields = ("num_rows", "scales", "biases", "modulus")
        _check_fields("A hash specification", value, KINDS)
        for kind in KINDS:
            _check_fields(f"The hash table `{kind}`", value[kind], fields)
        return cls(
            **{
                kind: HashTable(
                    num_rows=value[kind]["num_rows"],
                    scales=tuple(value[kind]["scales"]),
                    biases=tuple(value[kind]["biases"]),
                    modulus=value[kind]["modulus"],
                )
                for kind in KINDS
            }
        )

    def digest(self) -> str:
        """SHA-256 of the canonical JSON: equal exactly when all ids hash alike by definition."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def _check_fields(name: str, value: object, fields: Sequence[str]) -> None:
    got = sorted(value) if isinstance(value, Mapping) else value
    if got != sorted(fields):
        raise ValueError(f"{name}: expected the fields {sorted(fields)}, got {got!r}.")


def _documented_table(kind: str, num_rows: int, num_hashes: int) -> HashTable:
    scales, biases, modulus = _DOCUMENTED[kind]
    if not isinstance(num_hashes, int) or num_hashes < 1:
        raise ValueError(f"`num_hashes` must be an integer of at least 1, got {num_hashes!r}.")
    for j in range(len(scales), num_hashes):
        # At least 1, because a scale of 0 maps all ids to one row.
        scales += (1 + _derived_constant(kind, j, "scale") % (modulus - 1),)
        biases += (_derived_constant(kind, j, "bias") % modulus,)
    return HashTable(
        num_rows=num_rows,
        scales=scales[:num_hashes],
        biases=biases[:num_hashes],
        modulus=modulus,
    )


def _derived_constant(kind: str, j: int, constant: str) -> int:
    """A constant beyond the public ones, which anybody can derive again from its name alone."""
    digest = hashlib.sha256(f"phoenix-hash/{kind}/{j}/{constant}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


@dataclass(frozen=True, kw_only=True)
class CollisionReport:
    """The collisions of a set of ids in one table: how well its hash functions separate them."""

    num_ids: int  # Distinct ids, without 0.
    num_keys: int  # Distinct row combinations; equal to `num_ids` when nothing is confused.
    num_rows_used: tuple[int, ...]  # [k] Distinct rows per function.
    expected_rows_used: float  # The same for a perfectly random function.
    largest_load: tuple[int, ...]  # [k] Ids in the fullest row, per function.


def collision_report(ids: np.ndarray, table: HashTable) -> CollisionReport:
    """Measures the collisions of `ids` in `table`.

    The expectation for n ids in r usable rows is r * (1 - (1 - 1 / r) ** n).

    Args:
      ids: `[...]` int64; duplicates and 0 are ignored.
      table: The hash functions.

    >>> table = HashTable(num_rows=4, scales=(1,), biases=(0,), modulus=97)
    >>> report = collision_report(np.array([1, 2, 3, 4, 4]), table)
    >>> report.num_ids, report.num_keys, report.num_rows_used, report.largest_load
    (4, 3, (3,), (2,))
    """
    distinct = np.unique(np.asarray(ids))
    distinct = distinct[distinct != 0]
    rows = table.hash_ids(distinct)
    usable = table.num_rows - 1
    loads = [np.unique(rows[:, j], return_counts=True)[1] for j in range(table.num_hashes)]
    if usable > 1:
        # By expm1 and log1p, because with many rows 1 - 1 / r loses the digits of 1 / r.
        expected = -usable * float(np.expm1(len(distinct) * np.log1p(-1 / usable)))
    else:
        expected = float(min(len(distinct), 1))
    return CollisionReport(
        num_ids=len(distinct),
        num_keys=len(np.unique(rows, axis=0)),
        num_rows_used=tuple(len(load) for load in loads),
        expected_rows_used=expected,
        largest_load=tuple(int(load.max(initial=0)) for load in loads),
    )


def user_shares(user_ids: np.ndarray, salt: int = 0) -> np.ndarray:
    """`[N]` float64 in [0, 1): of each user always the same, and spread evenly over users.

    Args:
      user_ids: `[N]` int64.
      salt: At least 0; another one gives numbers that have nothing to do with those of this one.

    >>> user_shares(np.array([1, 2, 3])).round(3).tolist()
    [0.567, 0.591, 0.113]
    >>> user_shares(np.array([1, 2, 3]), salt=1).round(3).tolist()
    [0.914, 0.738, 0.527]
    """
    keys = user_ids.astype(np.uint64)
    if salt:
        keys = keys ^ mixed_bits(np.array(salt))
    return (mixed_bits(keys) >> np.uint64(11)) / float(1 << 53)  # as many bits as a float64 has


def mixed_bits(keys: np.ndarray) -> np.ndarray:
    """`[...]` uint64 in which every bit depends on every bit of the keys, `[...]` integers.

    Source: Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators": a step of
    SplitMix64 and its finaliser.
    """
    with np.errstate(over="ignore"):
        mixed = keys.astype(np.uint64) + GOLDEN
        # In place: of many keys, most of the time went into new arrays.
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed ^= mixed >> np.uint64(shift)
            mixed *= np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
        return mixed


def row_keys(*columns: np.ndarray) -> np.ndarray:
    """`[n]` uint64: a number for each row of columns, `[n]` int64 each; equal rows have the same.

    >>> row_keys(np.array([7, 8, 7]), np.array([1, 1, 1])) == row_keys(np.array([7]), np.array([1]))
    array([ True, False,  True])
    """
    keys = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        keys = mixed_bits(keys ^ column.view(np.uint64))
    return keys


def repeated(keys: np.ndarray) -> np.ndarray:
    """Returns the rows of keys, `[n]` uint64 of `row_keys`, that others have, too, and some more.

    In a log nearly all keys are there once. Whoever has to bring the others into order is done
    soon, and rows whose keys begin with the same bits, which are found at once, do no harm.

    >>> repeated(row_keys(np.array([7, 8, 9, 7])))
    array([0, 3])
    """
    sorted_keys = np.sort(keys)
    again = sorted_keys[1:][sorted_keys[1:] == sorted_keys[:-1]]
    if not len(again):
        return np.empty(0, np.int64)
    is_prefix = np.zeros(1 << _PREFIX_BITS, bool)
    is_prefix[again >> _PREFIX_SHIFT] = True
    return np.flatnonzero(is_prefix[keys >> _PREFIX_SHIFT])
