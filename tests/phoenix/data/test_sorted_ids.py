import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from phoenix.data.sorted_ids import Groups, distinct_pairs, find, places_within, values_at

IDS = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)


@given(st.sets(IDS), st.lists(IDS))
def test_values_are_those_of_a_dictionary(ids: set[int], queries: list[int]) -> None:
    column = np.array(sorted(ids), np.int64)
    values = np.arange(len(column), dtype=np.float32)
    table = dict(zip(column.tolist(), values.tolist(), strict=True))
    actual = values_at(column, values, np.array(queries, np.int64), missing=-1)
    assert actual.tolist() == [table.get(each, -1.0) for each in queries]
    assert actual.dtype == np.float32


@given(st.sets(IDS), st.lists(IDS, min_size=1))
def test_an_id_is_found_at_its_row_and_only_there(ids: set[int], queries: list[int]) -> None:
    column = np.array(sorted(ids), np.int64)
    rows, is_there = find(column, np.array([queries], np.int64))
    assert is_there.tolist() == [[each in ids for each in queries]]
    assert column[rows[is_there]].tolist() == [each for each in queries if each in ids]


@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2))))
def test_distinct_pairs_are_those_of_a_set(pairs: list[tuple[int, int]]) -> None:
    columns = np.array(pairs, np.int64).reshape(-1, 2).T
    assert list(zip(*distinct_pairs(*columns), strict=True)) == sorted(set(pairs))


@given(st.lists(st.integers(0, 4)))
def test_places_within_groups_count_from_0(sizes: list[int]) -> None:
    expected = [place for size in sizes for place in range(size)]
    assert places_within(np.array(sizes, np.int64)).tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9))), st.lists(st.integers(0, 4)))
def test_groups_keep_the_order_of_their_values(
    pairs: list[tuple[int, int]], queries: list[int]
) -> None:
    keys, values = np.array(pairs, np.int64).reshape(-1, 2).T
    found = Groups.of(keys, values).members(np.array(queries, np.int64))
    expected = [
        (place, value)
        for place, query in enumerate(queries)
        for key, value in pairs
        if key == query
    ]
    assert list(zip(*found, strict=True)) == expected
