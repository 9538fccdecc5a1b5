"""Every entry of a list is a row that knows its place, as a slow definition has it."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import BadDataError
from components.source.raw_rows import RawRows, Slates
from components.source.slates.entries import entries

Slate = list[tuple[str, int | None]]  # post and label; without a label the entry is broken
POSTS = st.sampled_from(["N1", "N-2", "b7a9-11", "x"])
SLATES = st.lists(st.lists(st.tuples(POSTS, st.sampled_from([0, 1, None])), max_size=4), max_size=6)


def as_text(slate: Slate) -> str:
    return "  ".join(post if label is None else f"{post}~{label}" for post, label in slate)


def as_structures(slate: Slate) -> list[dict[str, Any]]:
    return [{"post": post, "label": label} for post, label in slate]


# How a source may write slates: the form, the columns of lists, and the needed ones.
FORMS: dict[str, tuple[Slates, Callable[[list[Slate]], dict[str, pa.Array]], tuple[str, str]]] = {
    "text": (
        Slates(lists=("s",), separator=" ", parts=("post", "label"), part_separator="~"),
        lambda slates: {"s": pa.array([as_text(each) for each in slates], pa.string())},
        ("s.post", "s.label"),
    ),
    "structures": (
        Slates(lists=("s",)),
        lambda slates: {
            "s": pa.array(
                [as_structures(each) for each in slates],
                pa.list_(pa.struct({"post": pa.string(), "label": pa.int64()})),
            )
        },
        ("s.post", "s.label"),
    ),
    "JSON": (
        Slates(lists=("s",)),
        lambda slates: {
            "s": pa.array([json.dumps(as_structures(each)) for each in slates], pa.string())
        },
        ("s.post", "s.label"),
    ),
    "two lists": (
        Slates(lists=("p", "l")),
        lambda slates: {
            "p": pa.array([[post for post, _ in each] for each in slates], pa.list_(pa.string())),
            "l": pa.array([[label for _, label in each] for each in slates], pa.list_(pa.int64())),
        },
        ("p", "l"),
    ),
}


@settings(deadline=None)
@given(slates=SLATES, name=st.sampled_from(sorted(FORMS)))
def test_entries_are_those_of_the_definition(slates: list[Slate], name: str) -> None:
    form, write, (post, label) = FORMS[name]
    users = np.arange(len(slates)) % 3
    lines = np.arange(len(slates)) * 2 + 5
    rows = RawRows("log", lines, {"user": pa.array(users), **write(slates)})
    of = entries(rows, form, ["user", post, label], ())
    expected = [
        (int(line), place, int(user))
        for line, user, slate in zip(lines, users, slates, strict=True)
        for place in range(1, len(slate) + 1)
    ]
    places = [of.rows.lines.tolist(), of.rows.entries.tolist(), of.rows.cells["user"].to_pylist()]
    assert list(zip(*places, strict=True)) == expected
    assert of.num_empty == sum(not slate for slate in slates)
    assert lines[of.owners].tolist() == of.rows.lines.tolist()
    whole = [each for slate in slates for each in slate]
    broken = {n for n, (_, each) in enumerate(whole) if each is None} if name == "text" else set()
    assert set(of.rows.entry_faults) == broken
    texts = [None if n in broken else each for n, (each, _) in enumerate(whole)]
    assert of.rows.cells[post].to_pylist() == texts
    labels = [None if each is None else str(each) for _, each in whole]
    came = of.rows.cells[label].to_pylist()
    assert [None if each is None else str(each) for each in came] == labels


def test_lists_of_other_lengths_break_their_row_and_no_other() -> None:
    cells = {"p": pa.array([[1, 2], [3], [4]]), "l": pa.array([[0], [1], [1, 0, 1]])}
    of = entries(
        RawRows("log", np.array([2, 3, 4]), cells), Slates(lists=("p", "l")), ["p", "l"], ()
    )
    assert of.rows.cells["p"].to_pylist() == [None, None, 3, None, None, None]
    assert sorted(of.rows.entry_faults) == [0, 1, 3, 4, 5]
    assert of.rows.entry_faults[0] == (
        "as many entries in each list of the row, of which there are 2 in p and 1 in l"
    )
    assert of.rows.entries.tolist() == [1, 2, 1, 1, 2, 3]


def test_malformed_rows_stay_as_they_were() -> None:
    rows = RawRows("log", np.array([2]), {"s": pa.array([[1]])}, [(3, "a,b")])
    assert entries(rows, Slates(lists=("s",)), ["s"], ()).rows.malformed == [(3, "a,b")]


def test_a_message_about_entries_names_the_file() -> None:
    rows = RawRows("log.parquet", np.array([1]), {"s": pa.array([[{"id": 1}]])})
    with pytest.raises(
        BadDataError, match=r"log\.parquet: expected entries of 's' with a member 'x'"
    ):
        entries(rows, Slates(lists=("s",)), ["s.x"], ())
