import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.tables import row_digests

COLUMNS = {
    "number": pa.int64(),
    "maybe": pa.float32(),
    "flag": pa.bool_(),
    "text": pa.string(),
    "time": pa.timestamp("ms", tz="UTC"),
    "rules": pa.list_(pa.string()),
    "values": pa.list_(pa.float32(), 2),
}
cells = st.fixed_dictionaries(
    {
        "number": st.integers(-(2**60), 2**60),
        "maybe": st.none() | st.floats(width=32, allow_nan=False),
        "flag": st.none() | st.booleans(),
        "text": st.none() | st.text(max_size=4),
        "time": st.none() | st.integers(0, 2**40),
        "rules": st.lists(st.text(max_size=2), max_size=2),
        "values": st.lists(st.floats(width=32, allow_nan=False), min_size=2, max_size=2),
    }
)


def table_of(rows: list[dict]) -> pa.Table:
    return pa.table(
        [pa.array([row[name] for row in rows], kind) for name, kind in COLUMNS.items()],
        names=list(COLUMNS),
    )


@settings(deadline=None, max_examples=40)
@given(st.lists(cells, max_size=8), st.integers(0, 8), st.integers(0, 8))
def test_a_part_has_one_digest_wherever_it_lies(rows: list[dict], first: int, second: int) -> None:
    first, second = sorted((min(first, len(rows)), min(second, len(rows))))
    sizes = [first, second - first, len(rows) - second]
    together = row_digests.of_pieces(table_of(rows), sizes)
    parts = [rows[:first], rows[first:second], rows[second:]]
    alone = [row_digests.of_pieces(table_of(part), [len(part)])[0] for part in parts]
    # Whether a column has a null anywhere must not change what its other rows say.
    assert together == alone


@settings(deadline=None, max_examples=40)
@given(st.lists(cells, min_size=1, max_size=4), st.data())
def test_another_value_anywhere_is_another_digest(rows: list[dict], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(list(COLUMNS)))
    other = data.draw(
        cells.filter(lambda row: table_of([row])[name] != table_of([rows[place]])[name])
    )
    changed = [dict(row) for row in rows]
    changed[place][name] = other[name]
    size = [len(rows)]
    assert row_digests.of_pieces(table_of(rows), size) != row_digests.of_pieces(
        table_of(changed), size
    )


def test_codes_of_a_dictionary_and_chunks_change_no_digest() -> None:
    plain = pa.table({"text": pa.array(["b", "a", "b", None])})
    coded = pa.table({"text": plain["text"].dictionary_encode()})
    cut = pa.concat_tables([plain.slice(0, 1), plain.slice(1, 3)])
    digests = [row_digests.of_pieces(each, [1, 3]) for each in (plain, coded, cut)]
    assert digests[0] == digests[1] == digests[2]


@pytest.mark.parametrize("rows", [[["ab", "c"], ["a", "bc"]], [["", "x"], ["x", ""]]])
def test_texts_do_not_run_into_each_other(rows: list[list[str]]) -> None:
    first, second = (row_digests.of_pieces(pa.table({"text": each}), [2]) for each in rows)
    assert first != second


def test_a_null_is_not_a_zero() -> None:
    tables = [pa.table({"n": pa.array(values, pa.int64())}) for values in ([0, 1], [None, 1])]
    first, second = (row_digests.of_pieces(table, [2]) for table in tables)
    assert first != second
    assert len(np.unique(first + second)) == 2
