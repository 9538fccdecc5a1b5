"""Claims about the embedding tables and their sparse optimizer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.data.hashing import HashSpec
from phoenix.embedding import (
    INITIAL_STANDARD_DEVIATION,
    Decay,
    initial_tables,
    lookup,
    settled_tables,
    tables_from_arrays,
    update,
    with_decay,
)
from phoenix.recsys_model import RecsysBatch

SPEC = HashSpec.documented(user_rows=6, post_rows=9, author_rows=5)
EMB_SIZE = 3
DONATED_UPDATE = jax.jit(update, donate_argnums=0)


def batch_of(seed, *, num_history=3, num_candidates=2):
    draw = np.random.default_rng(seed)

    def rows(table, *shape):
        return draw.integers(0, table.num_rows, (*shape, 2)).astype(np.int32)

    size = 4
    return RecsysBatch(
        user_hashes=rows(SPEC.user, size),
        history_post_hashes=rows(SPEC.post, size, num_history),
        history_author_hashes=rows(SPEC.author, size, num_history),
        history_actions=np.zeros((size, num_history, 1), np.float32),
        history_product_surface=np.zeros((size, num_history), np.int32),
        candidate_post_hashes=rows(SPEC.post, size, num_candidates),
        candidate_author_hashes=rows(SPEC.author, size, num_candidates),
        candidate_product_surface=np.zeros((size, num_candidates), np.int32),
    )


def gradients_of(seed, batch):
    draw = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: jnp.asarray(draw.normal(size=leaf.shape), jnp.float32),
        lookup(initial_tables(SPEC, EMB_SIZE, 0), batch),
    )


def slow_update(table, pairs, learning_rate):
    """One row at a time, in float64; `pairs` are (row, gradient) with duplicates."""
    rows, accumulator = np.array(table.rows, np.float64), np.array(table.accumulator, np.float64)
    sums = {}
    for row, gradient in pairs:
        sums[int(row)] = sums.get(int(row), 0) + np.asarray(gradient, np.float64)
    for row, gradient in sums.items():
        if row != 0:
            accumulator[row] += np.mean(gradient**2)
            rows[row] -= learning_rate * gradient / (np.sqrt(accumulator[row]) + 1e-10)
    return rows, accumulator


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.floats(0.001, 1))
def test_update_sums_duplicates_and_matches_the_definition(seed, learning_rate):
    batch = batch_of(seed)
    gradients = gradients_of(seed, batch)
    tables = initial_tables(SPEC, EMB_SIZE, 1)
    tables = DONATED_UPDATE(tables, batch, gradients, learning_rate=0.1)
    fields = {
        "user": [("user_hashes", "user_embeddings")],
        "post": [
            ("history_post_hashes", "history_post_embeddings"),
            ("candidate_post_hashes", "candidate_post_embeddings"),
        ],
        "author": [
            ("history_author_hashes", "history_author_embeddings"),
            ("candidate_author_hashes", "candidate_author_embeddings"),
        ],
    }
    expected = {}
    for kind, parts in fields.items():
        pairs = [
            pair
            for hashes, rows in parts
            for pair in zip(
                np.ravel(getattr(batch, hashes)),
                np.reshape(getattr(gradients, rows), (-1, EMB_SIZE)),
                strict=True,
            )
        ]
        expected[kind] = slow_update(getattr(tables, kind), pairs, learning_rate)
    updated = DONATED_UPDATE(tables, batch, gradients, learning_rate=learning_rate)
    for kind, (rows, accumulator) in expected.items():
        np.testing.assert_allclose(getattr(updated, kind).rows, rows, atol=1e-5)
        np.testing.assert_allclose(getattr(updated, kind).accumulator, accumulator, rtol=1e-5)


@pytest.mark.parametrize("warm_start", [0, 5])
def test_put_off_decay_is_the_decay_of_every_step_whatever_run_it_is_of(warm_start):
    half_life, tables = 3.0, with_decay(initial_tables(SPEC, EMB_SIZE, 0), is_decaying=True)
    expected = np.zeros(SPEC.post.num_rows)
    for step in range(8):
        if step == warm_start:  # Another run begins here, whose steps count from 0.
            tables = with_decay(settled_tables(tables, Decay(half_life, step)), is_decaying=True)
        batch = batch_of(step)
        gradients = gradients_of(step, batch)
        tables = update(
            tables,
            batch,
            gradients,
            learning_rate=0.1,
            decay=Decay(half_life, jnp.array(step - warm_start * (step >= warm_start))),
        )
        sums = np.zeros((SPEC.post.num_rows, EMB_SIZE))
        for hashes, part in (
            (batch.history_post_hashes, gradients.history_post_embeddings),
            (batch.candidate_post_hashes, gradients.candidate_post_embeddings),
        ):
            np.add.at(sums, np.ravel(hashes), np.reshape(part, (-1, EMB_SIZE)))
        sums[0] = 0
        expected = expected * 2 ** (-1 / half_life) + np.mean(sums**2, axis=1)
    done = settled_tables(tables, Decay(half_life, 7 - warm_start))
    np.testing.assert_allclose(done.post.accumulator, expected, rtol=1e-4)
    assert done.post.updated_at is None


def test_padding_row_stays_zero():
    tables = initial_tables(SPEC, EMB_SIZE, 0)
    for seed in range(5):
        batch = batch_of(seed)
        tables = update(tables, batch, gradients_of(seed, batch), learning_rate=0.5)
    for table in tables:
        assert not np.any(table.rows[0])
        assert table.accumulator[0] == 0
        assert np.all(np.any(table.rows[1:], axis=1))


def test_update_that_is_not_applied_changes_no_bit():
    batch = batch_of(0)
    tables = initial_tables(SPEC, EMB_SIZE, 0)
    gradients = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), gradients_of(0, batch))
    updated = update(tables, batch, gradients, learning_rate=0.5, is_applied=False)
    for before, after in zip(tables, updated, strict=True):
        np.testing.assert_array_equal(before.rows, after.rows)
        np.testing.assert_array_equal(before.accumulator, after.accumulator)


def test_rows_outside_the_batch_keep_their_bits():
    batch = batch_of(0)
    tables = initial_tables(SPEC, EMB_SIZE, 0)
    updated = update(tables, batch, gradients_of(0, batch), learning_rate=0.5)
    untouched = np.setdiff1d(np.arange(SPEC.user.num_rows), batch.user_hashes)
    assert len(untouched)
    np.testing.assert_array_equal(updated.user.rows[untouched], tables.user.rows[untouched])


def test_lookup_returns_the_selected_rows():
    batch = batch_of(2)
    tables = initial_tables(SPEC, EMB_SIZE, 0)
    rows = lookup(tables, batch)
    np.testing.assert_array_equal(
        rows.candidate_author_embeddings[3, 1, 0],
        tables.author.rows[int(batch.candidate_author_hashes[3, 1, 0])],
    )
    assert rows.history_post_embeddings.shape == (4, 3, 2, EMB_SIZE)


def test_initial_rows_follow_the_seed_and_have_the_stated_size():
    spec = HashSpec.documented(user_rows=5000)
    first, second, other = (initial_tables(spec, 16, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.user.rows, second.user.rows)
    assert not np.array_equal(first.user.rows, other.user.rows)
    assert not np.array_equal(first.user.rows[:100], first.post.rows[:100])
    assert np.std(first.user.rows[1:]) == pytest.approx(INITIAL_STANDARD_DEVIATION, rel=0.02)


def test_tables_do_not_alias_the_arrays_they_were_made_of():
    arrays = {kind: np.ones((4, 2), np.float32) for kind in ("user", "post", "author")}
    tables = tables_from_arrays(arrays)
    arrays["post"][2] = 5
    assert np.all(np.asarray(tables.post.rows) == 1)


def test_update_allocates_nothing_of_the_size_of_a_table():
    spec = HashSpec.documented(user_rows=6, post_rows=500_000, author_rows=5)
    batch = batch_of(0)
    tables = initial_tables(spec, EMB_SIZE, 0)
    compiled = DONATED_UPDATE.lower(
        tables, batch, gradients_of(0, batch), learning_rate=0.1
    ).compile()
    analysis = compiled.memory_analysis()
    table_bytes = tables.post.rows.nbytes
    assert analysis.alias_size_in_bytes > table_bytes
    assert analysis.temp_size_in_bytes < table_bytes / 100
