"""The best rows are those of a full sort, in any blocks, on one device and on eight."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from phoenix.search import top_rows
from phoenix.search.exact import ExactIndex

# Small integers: sums are exact and ties are everywhere.
NUMBERS = st.integers(-2, 2).map(float) | st.just(np.nan)
K = 5
_search = jax.jit(top_rows.top_rows, static_argnums=2)


@functools.cache
def in_blocks(block: int):
    """`top_rows` for two users, compiled with blocks of `block` rows."""

    def search(*inputs) -> tuple[jax.Array, jax.Array]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(top_rows, "_BLOCK_SCORES", 2 * block)
            return top_rows.top_rows(*inputs)

    return jax.jit(search, static_argnums=2)


def full_sort(corpus: np.ndarray, mask: np.ndarray, user: np.ndarray, k: int) -> list[int]:
    """The definition."""
    products = corpus @ user
    eligible = [row for row in range(len(corpus)) if mask[row] and not np.isnan(products[row])]
    return sorted(eligible, key=lambda row: (-products[row], row))[:k]


def check(corpus: np.ndarray, mask: np.ndarray, users: np.ndarray, result: tuple, k: int) -> None:
    rows, scores = (np.asarray(part) for part in result)
    assert rows.shape == scores.shape == (len(users), min(k, len(corpus)))
    for user, row, score in zip(users, rows, scores, strict=True):
        expected = full_sort(corpus, mask, user, k)
        np.testing.assert_array_equal(row, [*expected, *[-1] * (len(row) - len(expected))])
        np.testing.assert_array_equal(score[: len(expected)], (corpus @ user)[expected])
        assert np.all(score[len(expected) :] == -top_rows.INF)


@settings(deadline=None, max_examples=40)
@given(
    corpus=hnp.arrays(np.float32, (23, 2), elements=NUMBERS),
    users=hnp.arrays(np.float32, (2, 2), elements=st.integers(-2, 2)),
    mask=hnp.arrays(bool, 23),
    block=st.sampled_from([5, 7, 12, 22, 99]),
)
def test_rows_in_blocks_equal_a_full_sort(
    corpus: np.ndarray, users: np.ndarray, mask: np.ndarray, block: int
) -> None:
    check(corpus, mask, users, in_blocks(block)(users, corpus, K, mask), K)


@pytest.mark.parametrize("k", [0, 1, 6, 100])
def test_more_rows_than_there_are_means_all(k: int) -> None:
    corpus = np.array([[1.0], [3.0], [2.0], [3.0], [np.nan], [9.0]], np.float32)
    mask = np.array([1, 1, 1, 1, 1, 0])
    users = np.array([[1.0], [-1.0]], np.float32)
    check(corpus, mask, users, _search(users, corpus, k, mask), k)
    empty = _search(users, corpus[:0], k, mask[:0])
    assert empty[0].shape == (2, 0)


def test_scores_can_be_differentiated_through_the_search() -> None:
    corpus = jnp.array([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]])
    mask = np.array([True, True, False])
    gradient = jax.grad(lambda user: top_rows.top_rows(user, corpus, 2, mask)[1].sum())
    np.testing.assert_array_equal(gradient(jnp.array([[1.0, 1.0]])), [[1.0, 2.0]])


def test_corpora_of_odd_sizes_do_not_compile_again() -> None:
    generator = np.random.default_rng(0)
    top_rows.jitted.cache_clear()
    for num_rows, num_queries, k in ((2000, 20, 10), (1990, 30, 7), (1999, 17, 60)):
        index = ExactIndex(generator.normal(size=(num_rows, 4)).astype(np.float32), backend="jax")
        index.search(generator.normal(size=(num_queries, 4)).astype(np.float32), k)
    assert top_rows.jitted(top_rows.corpus_mesh())._cache_size() == 1


def test_eight_devices_find_the_same_as_one(repository_root: Path) -> None:
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
    }
    command = [sys.executable, "-m", "tests.phoenix.sharded_search"]
    run = subprocess.run(
        command, cwd=repository_root, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["8", "devices", "agree"]
