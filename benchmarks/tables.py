"""The sparse update of embedding tables: its time must not depend on their size."""

from collections.abc import Callable, Iterator

import jax
import numpy as np

from benchmarks.measurement import Result, rates
from phoenix.data.hashing import HashSpec
from phoenix.embedding import initial_tables, lookup, update
from phoenix.inputs.batch import RecsysBatch
from phoenix.runners import create_example_batch

_SMALL, _LARGE, _EMB_SIZE = 20_000, 1_000_000, 64
_NUM_USERS, _NUM_HISTORY, _NUM_CANDIDATES = 32, 64, 16


def results() -> Iterator[Result]:
    """Measures one look-up and update on large tables against small ones."""
    batch, _ = create_example_batch(
        _NUM_USERS, _EMB_SIZE, _NUM_HISTORY, _NUM_CANDIDATES, 4, 2, 2, 2, 16
    )
    large, small = (_step(batch, num_rows) for num_rows in (_LARGE, _SMALL))
    ours, peer = rates(large, small, amount=1.0, repeats=30)
    note = f"peer: the same on {_SMALL:,} rows a table; ours {_LARGE:,}; D {_EMB_SIZE}, f32"
    yield Result(name="table_update", ours=ours, peer=peer, unit="updates/s", note=note)


def _step(batch: RecsysBatch, num_rows: int) -> Callable[[], object]:
    generator = np.random.default_rng(0)

    def drawn(hashes: np.ndarray) -> np.ndarray:
        return generator.integers(1, num_rows, np.shape(hashes)).astype(np.int32)

    fields = [field for field in batch._fields if field.endswith("_hashes")]
    batch = jax.device_put(batch._replace(**{name: drawn(getattr(batch, name)) for name in fields}))
    spec = HashSpec.documented(user_rows=num_rows, post_rows=num_rows, author_rows=num_rows)

    tables = initial_tables(spec, _EMB_SIZE, seed=0)
    gradients = jax.jit(lookup)(tables, batch)
    change = jax.jit(
        lambda tables, batch, gradients: update(tables, batch, gradients, learning_rate=0.01),
        donate_argnums=0,
    )

    def step() -> object:
        nonlocal tables
        tables = change(tables, batch, gradients)
        return jax.block_until_ready(tables)

    return step
