"""Exact search is exact: it agrees with a full sort, whoever proposes the rows."""

from concurrent.futures import ThreadPoolExecutor

import faiss
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.search import exact
from phoenix.search.exact import ExactIndex


def brute_force(
    vectors: np.ndarray, eligible: np.ndarray, queries: np.ndarray, k: int, pairs: set
) -> list[list[int]]:
    """The definition: sort every allowed row by (-score, row)."""
    best = []
    for number, query in enumerate(queries):
        scores = vectors @ query
        allowed = [
            row for row in range(len(vectors)) if eligible[row] and (number, row) not in pairs
        ]
        best.append(sorted(allowed, key=lambda row: (-scores[row], row))[:k])
    return best


@settings(deadline=None, max_examples=60)
@given(data=st.data(), backend=st.sampled_from(["faiss", "jax"]))
def test_search_equals_a_full_sort_with_ties(data: st.DataObject, backend: str) -> None:
    # Small integers: sums are exact and ties are everywhere.
    num_rows = data.draw(st.integers(1, 120))
    size = data.draw(st.integers(1, 3))
    elements = st.integers(-2, 2)
    vectors = data.draw(hnp.arrays(np.float32, (num_rows, size), elements=elements))
    queries = data.draw(
        hnp.arrays(np.float32, (data.draw(st.integers(0, 6)), size), elements=elements)
    )
    eligible = data.draw(hnp.arrays(bool, num_rows))
    k = data.draw(st.integers(0, 130))
    pairs = data.draw(st.sets(st.tuples(st.integers(0, 6), st.integers(-1, 121)), max_size=40))
    query, row = np.array(sorted(pairs), np.int64).reshape(-1, 2).T

    result = ExactIndex(vectors, eligible, backend=backend).search(
        queries, k, excluded=(query, row)
    )

    expected = brute_force(vectors, eligible, queries, k, pairs)
    assert result.rows.dtype == np.int64
    assert [[row for row in rows if row >= 0] for rows in result.rows.tolist()] == expected
    assert (np.isneginf(result.scores) == (result.rows < 0)).all()


def test_proposals_are_used_and_agree_with_a_full_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(3000, 8)).astype(np.float32)
    queries = generator.normal(size=(40, 8)).astype(np.float32)
    proposed = ExactIndex(vectors, backend="faiss").search(queries, 20)
    monkeypatch.setattr(exact, "_SLACK", len(vectors))  # everything is fetched: a full sort
    full = ExactIndex(vectors, backend="faiss").search(queries, 20)
    np.testing.assert_array_equal(proposed.rows, full.rows)
    np.testing.assert_array_equal(proposed.scores, full.scores)


def test_result_does_not_depend_on_the_other_queries() -> None:
    generator = np.random.default_rng(1)
    index = ExactIndex(generator.normal(size=(500, 16)).astype(np.float32))
    queries = generator.normal(size=(30, 16)).astype(np.float32)
    together = index.search(queries, 9)
    for number in range(len(queries)):
        alone = index.search(queries[number : number + 1], 9)
        np.testing.assert_array_equal(alone.rows[0], together.rows[number])
        np.testing.assert_array_equal(alone.scores[0], together.scores[number])


def test_a_tie_that_is_longer_than_the_slack_goes_by_lower_row() -> None:
    vectors = np.ones((200, 1), np.float32)
    result = ExactIndex(vectors).search(np.ones((3, 1), np.float32), 5)
    assert result.rows.tolist() == [[0, 1, 2, 3, 4]] * 3


def test_a_query_that_is_not_finite_finds_nothing() -> None:
    vectors = np.eye(3, dtype=np.float32)
    queries = np.array([[np.nan, 0, 0], [0, 1, 0]], np.float32)
    result = ExactIndex(vectors).search(queries, 2)
    assert result.rows.tolist() == [[-1, -1], [1, 0]]


def test_an_eligible_vector_that_is_not_finite_is_refused_by_row() -> None:
    vectors = np.array([[1.0], [np.inf], [np.nan]], np.float32)
    with pytest.raises(ValueError, match=r"rows \[1\] are not finite"):
        ExactIndex(vectors, np.array([True, True, False]))


def test_threads_find_the_same_and_leave_the_settings_of_faiss_alone() -> None:
    generator = np.random.default_rng(0)
    index = ExactIndex(generator.normal(size=(20_000, 8)).astype(np.float32), backend="faiss")
    queries = generator.normal(size=(64, 8)).astype(np.float32)
    alone, before = index.search(queries, 10), faiss.cvar.distance_compute_blas_database_bs
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: index.search(queries, 10), range(64)))
    assert all((each.rows == alone.rows).all() for each in results)
    assert faiss.cvar.distance_compute_blas_database_bs == before


@pytest.mark.parametrize("k", [-1, 2.5, "3", None, True])
def test_a_k_that_is_no_count_is_named(k: int) -> None:
    with pytest.raises(ValueError, match="`k`: expected an integer >= 0, got"):
        ExactIndex(np.ones((3, 2), np.float32)).search(np.ones((1, 2), np.float32), k)


@pytest.mark.parametrize("rows", [np.zeros(2, int), np.zeros((1, 1), int)])
def test_excluded_pairs_of_different_shapes_are_named(rows: np.ndarray) -> None:
    index = ExactIndex(np.ones((3, 2), np.float32))
    with pytest.raises(ValueError, match=r"`excluded`: expected two arrays .* got \(1,\)"):
        index.search(np.ones((1, 2), np.float32), 2, excluded=(np.zeros(1, int), rows))


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_row_stands_where_a_full_sort_would_count_it(data: st.DataObject) -> None:
    num_rows, size = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 3))
    elements = st.integers(-1, 1)
    vectors = data.draw(hnp.arrays(np.float32, (num_rows, size), elements=elements))
    queries = data.draw(hnp.arrays(np.float32, (4, size), elements=elements))
    eligible = data.draw(hnp.arrays(bool, num_rows))
    k = data.draw(st.integers(1, 30))
    banned = data.draw(st.sets(st.tuples(st.integers(0, 3), st.integers(0, num_rows - 1))))
    excluded = tuple(np.array(sorted(banned), np.int64).reshape(-1, 2).T)
    pairs = tuple(each.ravel() for each in np.indices((4, num_rows)))
    index = ExactIndex(vectors, eligible)
    result = index.search(queries, k, excluded=excluded)
    found = index.standing(queries, result, pairs, excluded=excluded)
    for query, row, above, tied in zip(*pairs, *found, strict=True):
        scores = vectors @ queries[query]
        allowed = [
            each for each in range(num_rows) if eligible[each] and (query, each) not in banned
        ]
        higher = sum(scores[each] > scores[row] for each in allowed)
        if row not in allowed or higher >= min(k, num_rows):
            assert above == min(k, num_rows)
        else:
            assert (above, tied) == (higher, sum(scores[each] == scores[row] for each in allowed))


def test_ties_of_many_equal_vectors_are_counted_to_the_bit() -> None:
    generator = np.random.default_rng(3)
    distinct = generator.normal(size=(40, 24)).astype(np.float32)
    vectors = np.repeat(distinct, 50, axis=0)
    queries = generator.normal(size=(12, 24)).astype(np.float32)
    index = ExactIndex(vectors)
    result = index.search(queries, 70)
    found = index.standing(queries, result, (np.arange(12), result.rows[:, -1]))
    assert found.above.tolist() == [50] * 12
    assert found.tied.tolist() == [50] * 12
