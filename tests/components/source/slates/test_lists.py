"""Cells of lists become their entries, whatever wrote the lists."""

import json

import numpy as np
import pyarrow as pa
import pytest

from components.errors import BadDataError
from components.source.raw_rows import Slates
from components.source.slates import lists
from components.source.slates.lists import Lists

MIND = Slates(lists=("shown",), separator=" ", parts=("post", "label"))
PLAIN = Slates(lists=("shown",))
ENTRIES = [{"id": 7, "liked": True}, {"id": 8, "liked": None}]


def read(column: pa.Array, form: Slates, *members: str, null_words: tuple[str, ...] = ()) -> Lists:
    return lists.read(column, "shown", members, form, null_words)


def values(of: Lists) -> dict[str, list]:
    return {name: array.to_pylist() for name, array in of.values.items()}


def test_text_is_split_into_entries_and_those_into_parts_from_the_end() -> None:
    of = read(pa.array(["N1-0 N2-1", None, "  a-b-c-1  "]), MIND, "post", "label")
    assert of.counts.tolist() == [2, 0, 1]
    assert values(of) == {
        "shown": ["N1-0", "N2-1", "a-b-c-1"],
        "shown.post": ["N1", "N2", "a-b-c"],
        "shown.label": ["0", "1", "1"],
    }
    assert not of.faults


def test_an_entry_with_other_parts_is_named_and_leaves_the_others_as_they_are() -> None:
    of = read(pa.array(["N1-0 N2 N3-1"]), MIND, "post", "label")
    assert values(of)["shown.post"] == ["N1", None, "N3"]
    assert of.faults == {1: "post-label, 2 parts"}


@pytest.mark.parametrize("nothing", [None, "", "  ", "NULL"])
def test_what_says_nothing_has_no_entry(nothing: str | None) -> None:
    for form in (MIND, PLAIN):
        of = read(pa.array([nothing], pa.string()), form, null_words=("NULL",))
        assert of.counts.tolist() == [0]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([ENTRIES, []]),
        pa.array(
            [ENTRIES, None], pa.large_list(pa.struct({"id": pa.int64(), "liked": pa.bool_()}))
        ),
        pa.array([json.dumps(ENTRIES), "[]"]),
        pa.array([str(ENTRIES), "()"]),  # as pandas writes objects of Python
    ],
    ids=["list", "large list", "JSON", "Python"],
)
def test_structures_give_their_members_in_every_kind_of_file(column: pa.Array) -> None:
    of = read(column, PLAIN, "id", "liked")
    assert of.counts.tolist() == [2, 0]
    assert [str(each) for each in values(of)["shown.id"]] == ["7", "8"]
    assert [str(each).lower() for each in values(of)["shown.liked"]] == ["true", "none"]


def test_numbers_of_json_keep_all_their_digits() -> None:
    of = read(pa.array(["[12345678901234567890, 1.50]"]), PLAIN)
    assert values(of) == {"shown": ["12345678901234567890", "1.50"]}


def test_entries_of_a_list_may_be_text_with_parts() -> None:
    of = read(pa.array([["N1-0", "N2-1"], ["N3-1"]]), MIND, "post", "label")
    assert values(of)["shown.label"] == ["0", "1", "1"]


def test_words_of_a_dictionary_are_text() -> None:
    words = pa.array(["a", "b"]).dictionary_encode()
    of = read(pa.ListArray.from_arrays([0, 2], words), PLAIN)
    assert values(of) == {"shown": ["a", "b"]}


def test_what_is_no_list_is_one_entry_with_a_fault() -> None:
    of = read(pa.array(["[1, 2]", "soon", "{}"]), PLAIN)
    assert of.counts.tolist() == [2, 1, 1]
    assert of.faults == {2: "a list", 3: "a list"}
    assert read(pa.array([7]), PLAIN, "id").faults == {0: "a list"}


def test_a_member_that_no_entry_has_is_told_with_those_that_are_there() -> None:
    with pytest.raises(BadDataError, match="a member 'item', found the members id, liked"):
        read(pa.array([ENTRIES]), PLAIN, "item")
    with pytest.raises(BadDataError, match="a member 'id', found int64"):
        read(pa.array([[1, 2]]), PLAIN, "id")


def test_a_slice_of_a_column_has_its_own_entries() -> None:
    column = pa.array([[1], [2, 3], [], [4]]).slice(1, 2)
    of = read(column, PLAIN)
    assert (of.counts.tolist(), values(of)["shown"]) == ([2, 0], [2, 3])
    assert of.counts.dtype == np.int64
