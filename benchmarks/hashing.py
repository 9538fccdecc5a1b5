"""Hashing ids to table rows against the formula as one would write it down."""

from collections.abc import Iterator

import numpy as np

from benchmarks.measurement import Result, rates
from phoenix.data.hashing import HashSpec, HashTable

_NUM_IDS = 2_000_000


def results() -> Iterator[Result]:
    """Measures both functions of the post table."""
    table = HashSpec.documented().post
    ids = np.random.default_rng(0).integers(1, 2**62, _NUM_IDS)
    np.testing.assert_array_equal(table.hash_ids(ids[:1000]), _formula(table, ids[:1000]))
    ours, peer = rates(
        lambda: table.hash_ids(ids), lambda: _formula(table, ids), amount=_NUM_IDS / 1e6
    )
    note = f"peer: the formula in NumPy, {_NUM_IDS:,} ids, 2 functions; the goal is 30"
    yield Result(name="hash_ids", ours=ours, peer=peer, unit="M ids/s", note=note)


def _formula(table: HashTable, ids: np.ndarray) -> np.ndarray:
    raw = ids[:, None] * np.array(table.scales) + np.array(table.biases)
    rows = raw % table.modulus % (table.num_rows - 1) + 1
    return np.where(ids[:, None] == 0, 0, rows).astype(np.int32)
