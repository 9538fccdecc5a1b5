"""Columns by their names and values."""

from pathlib import Path

import pyarrow as pa
import pytest

from components.profiling.column_guesses import (
    event_columns,
    is_text_id,
    missing_columns,
    post_columns,
    posts_sample,
)
from components.profiling.hints import Hints
from components.profiling.samples import Sample, read_samples


def _sample(name: str, **columns: list[str | None]) -> Sample:
    return Sample(files=(Path(name),), rows=pa.table(columns))


def test_a_name_counts_only_if_the_values_fit() -> None:
    rows = pa.table(
        {
            "user": ["1"],
            "item": ["2"],
            "time": ["1511544070"],
            "page": [f"https://shop/{'x' * 20}"],
            "position": ["3"],
            "propensity": ["7"],
        }
    )
    assert event_columns(rows, Hints()) == {
        "user_id": "user",
        "post_id": "item",
        "shown_at": "time",
        "position": "position",
    }


def test_a_hint_comes_before_every_guess() -> None:
    rows = pa.table({"user": ["1"], "member": ["2"]})
    assert event_columns(rows, Hints(columns={"user_id": "member"}))["user_id"] == "member"


def test_an_author_who_is_often_missing_is_none() -> None:
    rows = pa.table({"brand": ["a", None]})
    assert "author_id" not in event_columns(rows, Hints())


def test_a_row_without_an_author_does_not_drop_the_column() -> None:
    rows = pa.table({"brand": [*["a"] * 19, None]})
    assert event_columns(rows, Hints())["author_id"] == "brand"
    posts = _sample("items.csv", item=[str(n) for n in range(20)], seller=[*["a"] * 19, ""])
    assert post_columns(posts, "item")["author_id"] == "seller"


def test_an_odd_cell_does_not_drop_a_column() -> None:
    rows = pa.table({"position": [*["1"] * 200, "-7"], "propensity": [*["0.5"] * 200, "x"]})
    assert event_columns(rows, Hints()) == {"position": "position", "propensity": "propensity"}


def test_what_is_missing_is_named() -> None:
    sample = _sample("a.csv", user=["1"], price=["2"])
    assert missing_columns([sample], Hints()) == ["post_id", "shown_at"]


@pytest.mark.parametrize(
    ("ids", "is_text"),
    [
        (["1", "22"], False),
        (["u-1"], True),
        (["0", "1"], True),
        (["007", "8"], True),
        (["-5"], True),
    ],
)
def test_ids_that_numbers_cannot_hold_are_text(ids: list[str], is_text: bool) -> None:
    assert is_text_id(pa.chunked_array([ids])) is is_text


def test_posts_are_the_file_with_each_id_once() -> None:
    events = _sample("events.csv", user=["1", "1"], item=["2", "2"])
    posts = _sample("items.csv", item=["2", "3"], title=["A", "B"], category=["x", None])
    prices = _sample("prices.csv", item=["2", "2"], price=["1", "2"])
    assert posts_sample([prices, events, posts], events, "item") is posts
    assert post_columns(posts, "item") == {"post_id": "item", "tag": "category", "title": "title"}


def test_files_of_every_day_may_describe_the_same_posts(tmp_path: Path) -> None:
    for day in (1, 2):
        (tmp_path / f"items-{day}.csv").write_text("item,title\n2,A\n3,B\n")
    (posts,) = read_samples(tmp_path)
    events = _sample("events.csv", user=["1", "1"], item=["2", "2"])
    assert posts_sample([events, posts], events, "item") is posts
