"""Actions by words, flags and ratings."""

import pyarrow as pa
import pytest

from components.errors import BadConfigurationError
from components.profiling.action_guesses import actions
from components.profiling.hints import Hints


def test_words_are_actions_and_what_was_only_seen_is_none() -> None:
    rows = pa.table({"event": ["view", "addtocart", "buy", "like"]})
    kind, proposed, reason = actions(rows, {}, Hints())
    assert kind == "actions"
    assert {each.name: each.values for each in proposed} == {
        "cart": ("addtocart",),
        "purchase": ("buy",),
        "favorite": ("like",),
    }
    assert "event" in reason


def test_flags_are_actions_of_impressions() -> None:
    rows = pa.table({"is_click": ["1", "0"], "is_like": ["0", None], "price": ["1", "0"]})
    kind, proposed, _ = actions(rows, {}, Hints())
    assert kind == "impressions"
    assert [(each.name, each.column, each.is_positive) for each in proposed] == [
        ("click", "is_click", False),
        ("favorite", "is_like", True),
    ]


def test_flags_may_be_words_or_counts() -> None:
    rows = pa.table(
        {
            "liked": ["yes", "no", None],
            "is_click": ["T", "f", "F"],
            "num_shares": ["0", "2", "1"],
            "comments": ["1540", "0", "12"],  # of the post, more likely
            "stars": ["0", "5", "4"],
        }
    )
    _, proposed, _ = actions(rows, {}, Hints())
    assert [(each.name, each.values, each.at_least) for each in proposed] == [
        ("favorite", ("yes",), None),
        ("click", ("T",), None),
        ("share", (), 1.0),
    ]


def test_a_rating_is_liked_from_four_fifths_on() -> None:
    _, proposed, _ = actions(pa.table({"rating": ["1.0", "5.0"]}), {}, Hints())
    assert [(each.name, each.at_least, each.at_most) for each in proposed] == [
        ("favorite", 4.0, None),
        ("not_interested", None, 2.0),
    ]


def test_where_only_weak_actions_are_they_are_positive() -> None:
    _, proposed, _ = actions(pa.table({"click": ["1", "0"]}), {}, Hints())
    assert [each.is_positive for each in proposed] == [True]


def test_a_user_decides_what_is_positive_by_action_or_value() -> None:
    rows = pa.table({"event": ["click", "buy"]})
    _, proposed, _ = actions(rows, {}, Hints(positive=["click"]))
    assert {each.name: each.is_positive for each in proposed} == {"click": True, "purchase": False}
    with pytest.raises(BadConfigurationError, match="got 'love'; there are buy, click"):
        actions(rows, {}, Hints(positive=["love"]))


def test_a_column_that_nobody_knows_can_be_named() -> None:
    rows = pa.table({"zapped": ["1", "0"], "kind": ["zig", "zag"]})
    with pytest.raises(BadConfigurationError, match="--say action=COLUMN"):
        actions(rows, {}, Hints())
    assert [each.name for each in actions(rows, {}, Hints(actions=["zapped"]))[1]] == ["zapped"]
    assert [each.name for each in actions(rows, {}, Hints(actions=["kind"]))[1]] == ["zag", "zig"]
