import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from components.errors import BadDataError
from components.settings.attributes import AnyAttribute
from components.tables import attribute_columns

NAN = float("nan")
words = st.sampled_from(["a", "b", "x", "", None])


def attribute(kind: str, side: str = "post", column: str = "c", **options: object) -> AnyAttribute:
    values = {"name": "n", "side": side, "column": column, "kind": kind}
    return TypeAdapter(AnyAttribute).validate_python(values | options)


BUCKETS = attribute("bucketized", boundaries=[1, 10])
WORDS = attribute("vocabulary", words=["a", "b"])
LIST = attribute("sequence", words=["a", "b"], length=2)


def parsed(section: AnyAttribute, cells: pa.Array) -> tuple[list, list]:
    values, is_unreadable = attribute_columns.parse(section, cells, file="f.csv")
    assert values.dtype == np.float32
    return values.tolist(), is_unreadable.tolist()


def test_numbers_are_read_from_text_and_from_numbers() -> None:
    raw = attribute("raw", scale=2)
    texts = pa.array(["4", " 1e1 ", "", None, "many", "nan"])
    values, is_unreadable = parsed(raw, texts)
    np.testing.assert_array_equal(values, [[2], [5], [NAN], [NAN], [NAN], [NAN]])
    assert is_unreadable == [False] * 4 + [True] * 2
    assert parsed(BUCKETS, texts)[0] == [[2], [3], [0], [0], [0], [0]]
    values, is_unreadable = parsed(raw, pa.array([4, None, NAN, float("inf")]))
    np.testing.assert_array_equal(values, [[2], [NAN], [NAN], [NAN]])
    assert is_unreadable == [False, False, True, True]


def test_words_are_read_from_text_whole_numbers_and_flags() -> None:
    assert parsed(WORDS, pa.array(["b", " a", "x", "", None]))[0] == [[3], [2], [1], [0], [0]]
    encoded = pa.array(["a", None, "b"]).dictionary_encode()
    assert parsed(WORDS, encoded)[0] == [[2], [0], [3]]
    numbers = attribute("vocabulary", words=["7", "true"], default="7")
    assert parsed(numbers, pa.array([7, 8, None]))[0] == [[2], [2], [2]]
    assert parsed(numbers, pa.array([True, False]))[0] == [[3], [2]]
    assert parsed(WORDS, pa.nulls(2))[0] == [[0], [0]]


def test_ids_are_told_apart_whatever_they_are_written_as() -> None:
    section = attribute("id", num_rows=1 << 20)
    texts, _ = parsed(section, pa.array(["0", "17", "17", "", None]))
    assert 0 != texts[1] == texts[2] != texts[0]
    assert texts[3:] == [[0], [0]]
    assert parsed(section, pa.array([0, 17, 17, None, None]))[0] == texts


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.lists(words, max_size=4)), max_size=6))
def test_a_sequence_is_the_codes_of_its_first_elements(rows: list) -> None:
    codes = {"a": 2, "b": 3, "x": 1, "": 0, None: 0}
    expected = [([codes[each] for each in row or []] + [0, 0])[:2] for row in rows]
    cells = pa.array(rows, pa.list_(pa.string()))
    assert parsed(LIST, cells)[0] == expected
    assert parsed(LIST, cells.slice(1))[0] == expected[1:]


def test_a_sequence_is_read_from_text_with_a_separator() -> None:
    section = attribute("sequence", words=["a", "b"], length=2, separator="|")
    assert parsed(section, pa.array(["b|a|a", "a", "", None]))[0] == [
        [3, 2],
        [2, 0],
        [0, 0],
        [0, 0],
    ]
    hashed = attribute("sequence", num_rows=99, length=2)
    values = parsed(hashed, pa.array([[5, 6], [6]]))[0]
    assert values == parsed(hashed, pa.array(["[5, 6]", '["6"]']))[0]
    assert values[0][1] == values[1][0] > 0 == values[1][1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["b","a"]', [3, 2]),
        (' [ "a,b", null, "b" ]\n', [1, 0]),
        ("[]", [0, 0]),
        ("[a],[b]", [1, 1]),
        ("[" * 100_000 + "]", [1, 0]),
        (None, [0, 0]),
    ],
)
def test_a_sequence_in_json_lines_is_a_list(text: str | None, expected: list[int]) -> None:
    assert parsed(LIST, pa.array([text, "a,b"]))[0] == [expected, [2, 3]]


@pytest.mark.parametrize(
    ("section", "cells"),
    [
        (attribute("id", num_rows=9), pa.array([1.5])),
        (attribute("raw"), pa.array([True])),
        (BUCKETS, pa.array([datetime.date(2026, 1, 1)])),
        (WORDS, pa.array([b"a"])),
        (LIST, pa.array([{"a": 1}])),
        (LIST, pa.array([[1.5]])),
    ],
    ids=lambda value: str(getattr(value, "type", getattr(value, "kind", ""))),
)
def test_a_type_that_does_not_fit_is_refused_by_name(
    section: AnyAttribute, cells: pa.Array
) -> None:
    with pytest.raises(BadDataError) as error:
        attribute_columns.parse(section, cells, file="users.parquet")
    assert "users.parquet: the column 'c' of the attribute 'n' must hold" in str(error.value)
    assert f"its kind is {section.kind!r}; got {cells.type}" in str(error.value)


def test_the_context_is_the_hour_the_weekday_and_the_surface() -> None:
    hour = attribute("bucketized", "context", "hour", boundaries=[6, 12])
    day = attribute("vocabulary", "context", "weekday", words=["0", "1", "2", "3", "4", "5", "6"])
    place = attribute("raw", "context", "surface")
    moments = [
        datetime.datetime(2026, 11, 21, 11, 59, 59, tzinfo=datetime.UTC),  # a Saturday
        datetime.datetime(2026, 11, 23, 0, tzinfo=datetime.UTC),
    ]
    shown_at = np.array([[int(moment.timestamp() * 1000)] for moment in moments])
    found = attribute_columns.of_context([hour, day, place], shown_at, np.array([[4], [1]]))
    assert found.tolist() == [[[2, 2 + 5, 4]], [[1, 2 + 0, 1]]]
    assert attribute_columns.of_context([], shown_at, shown_at).shape == (2, 1, 0)


VECTOR = attribute("vector", length=2)
NO_VECTOR = [NAN, NAN]


@pytest.mark.parametrize(
    "form", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.int64())]
)
def test_vectors_are_read_from_lists_and_others_are_told(form: pa.DataType) -> None:
    rows = [[3, 4], None, [3, 4, 5], [], [0, 0], [None, 1], [-2, 0]]
    values, is_unreadable = parsed(VECTOR, pa.array(rows, form))
    expected = [[0.6, 0.8], *[NO_VECTOR] * 5, [-1, 0]]
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert is_unreadable == [False, False, True, True, True, True, False]


def test_vectors_are_read_from_lists_of_one_length_and_from_text() -> None:
    fixed = pa.array([[3, 4], None, [NAN, 1]], pa.list_(pa.float32(), 2))
    values, is_unreadable = parsed(VECTOR, fixed)
    np.testing.assert_allclose(values, [[0.6, 0.8], NO_VECTOR, NO_VECTOR], rtol=1e-6)
    assert is_unreadable == [False, False, True]
    texts = pa.array(["3,4", "[3, 4]", "", None, "3", "a,b", "1e0, nan"])
    values, is_unreadable = parsed(VECTOR, texts)
    np.testing.assert_allclose(values, [[0.6, 0.8]] * 2 + [NO_VECTOR] * 5, rtol=1e-6)
    assert is_unreadable == [False] * 4 + [True] * 3
    by_space = attribute("vector", length=2, separator=" ")
    np.testing.assert_allclose(parsed(by_space, pa.array(["3 4"]))[0], [[0.6, 0.8]], rtol=1e-6)
    for longer in (pa.array([[1.0, 2.0, 3.0]], pa.list_(pa.float32(), 3)), pa.nulls(1)):
        assert np.isnan(parsed(VECTOR, longer)[0]).all()


def test_a_column_that_holds_no_vectors_is_refused_by_name() -> None:
    for cells in (pa.array([1.5]), pa.array([["a", "b"]]), pa.array([[True, False]])):
        with pytest.raises(
            BadDataError, match=r"f.csv: the column 'c' .* lists of numbers or text"
        ):
            attribute_columns.parse(VECTOR, cells, file="f.csv")
    with pytest.raises(BadDataError, match="lists of text or whole numbers"):
        attribute_columns.parse(LIST, pa.array([[0.5, 1.5]]), file="f.csv")
