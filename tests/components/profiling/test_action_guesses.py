"""Actions by words, flags and ratings."""

import pyarrow as pa
import pytest

from components.errors import BadConfigurationError
from components.profiling.action_guesses import actions
from components.profiling.hints import Hints


def test_words_are_actions_and_what_was_only_seen_is_none() -> None:
    rows = pa.table({"event": ["view", "addtocart", "buy", "like"]})
    kind, proposed, reason, _ = actions(rows, {}, Hints())
    assert kind == "actions"
    assert {each.name: each.values for each in proposed} == {
        "cart": ("addtocart",),
        "purchase": ("buy",),
        "favorite": ("like",),
    }
    assert "event" in reason


def test_flags_are_actions_of_impressions() -> None:
    rows = pa.table({"is_click": ["1", "0"], "is_like": ["0", None], "price": ["1", "0"]})
    kind, proposed, *_ = actions(rows, {}, Hints())
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
    _, proposed, *_ = actions(rows, {}, Hints())
    assert [(each.name, each.values, each.at_least) for each in proposed] == [
        ("favorite", (), None),
        ("click", (), None),
        ("share", (), 1.0),
    ]


def test_a_rating_is_liked_from_four_fifths_on() -> None:
    _, proposed, *_ = actions(pa.table({"rating": ["1.0", "5.0"]}), {}, Hints())
    assert [(each.name, each.at_least, each.at_most) for each in proposed] == [
        ("favorite", 4.0, None),
        ("not_interested", None, 2.0),
    ]


def test_where_only_weak_actions_are_they_are_positive() -> None:
    _, proposed, *_ = actions(pa.table({"click": ["1", "0"]}), {}, Hints())
    assert [each.is_positive for each in proposed] == [True]


def test_a_user_decides_what_is_positive_by_action_or_value() -> None:
    rows = pa.table({"event": ["click", "buy"]})
    _, proposed, *_ = actions(rows, {}, Hints(positive=["click"]))
    assert {each.name: each.is_positive for each in proposed} == {"click": True, "purchase": False}
    with pytest.raises(BadConfigurationError, match="got 'love'; there are buy, click"):
        actions(rows, {}, Hints(positive=["love"]))


def test_a_column_that_nobody_knows_can_be_named() -> None:
    rows = pa.table({"zapped": ["1", "0"], "kind": ["zig", "zag"]})
    with pytest.raises(BadConfigurationError, match="--say action=COLUMN"):
        actions(rows, {}, Hints())
    assert [each.name for each in actions(rows, {}, Hints(actions=["zapped"]))[1]] == ["zapped"]
    assert [each.name for each in actions(rows, {}, Hints(actions=["kind"]))[1]] == ["zag", "zig"]


@pytest.mark.parametrize("no", ["no", "0", "FALSE", "none", "NULL", "n", "skip"])
def test_what_says_no_is_no_action_of_a_column_that_the_user_names(no: str) -> None:
    rows = pa.table({"did": ["zig", no, "zag", None, no]})
    proposed = actions(rows, {}, Hints(actions=["did"])).proposed
    assert [each.name for each in proposed] == ["zag", "zig"]


def test_flags_whose_words_change_are_flags() -> None:
    rows = pa.table({"liked": ["yes", "no", "Yes", "No", "1", "0", "TRUE", "f", None]})
    for hints in (Hints(), Hints(actions=["liked"])):
        (action,) = actions(rows, {}, hints).proposed
        assert (action.name, action.values, action.is_positive) == ("favorite", (), True)


def test_an_odd_cell_does_not_drop_a_column() -> None:
    rows = pa.table({"is_click": [*["1", "0"] * 100, "?"], "shares": [*["0", "3"] * 100, "many"]})
    assert [each.name for each in actions(rows, {}, Hints()).proposed] == ["click", "share"]


def test_a_column_with_the_name_of_an_action_that_is_no_flag_is_told() -> None:
    rows = pa.table({"is_click": ["1", "0"], "purchase": ["35.90", "12.5"]})
    assert actions(rows, {}, Hints()).notes[0].startswith("`purchase` is called as an action and")


def test_of_many_words_those_that_are_known_are_actions_and_the_others_are_told() -> None:
    rows = pa.table({"event": ["view", "buy", *(f"step {n}" for n in range(40))]})
    did = actions(rows, {}, Hints(positive=["step 7"]))
    assert {each.name: each.is_positive for each in did.proposed} == {
        "purchase": False,
        "step_7": True,
    }
    assert "`event` has 42 words, of which 39" in did.notes[0]


def test_a_user_may_name_several_columns_of_actions() -> None:
    rows = pa.table({"kind": ["zig", "zag"], "liked": ["1", "0"], "stars": ["5", "1"]})
    did = actions(rows, {}, Hints(actions=["kind", "liked", "stars"], positive=["zag"]))
    assert did.rows_are == "actions"
    names = [each.name for each in did.proposed]
    assert names == ["favorite", "favorite_stars", "not_interested", "zag", "zig"]
    assert did.proposed[1].published_as == "favorite"


def test_numbers_that_the_user_calls_an_action_are_told_what_to_do() -> None:
    rows = pa.table({"watched_ms": [str(n * 1_000) for n in range(40)]})
    with pytest.raises(BadConfigurationError, match=r"found numbers such as .*at_least: NUMBER"):
        actions(rows, {}, Hints(actions=["watched_ms"]))


def test_where_words_say_only_that_posts_were_seen_flags_are_asked() -> None:
    rows = pa.table({"event": ["impression", "impression"], "clicked": ["1", "0"]})
    did = actions(rows, {}, Hints())
    assert (did.rows_are, [each.name for each in did.proposed]) == ("impressions", ["click"])


def test_yes_and_no_of_another_language_are_a_flag() -> None:
    rows = pa.table({"Klick": ["ja", "nein", "Nein"], "kind": ["zig", "zag", "zig"]})
    did = actions(rows, {}, Hints(actions=["Klick"]))
    assert [(each.name, each.values) for each in did.proposed] == [("klick", ("ja",))]


def test_grades_that_the_user_calls_an_action_are_a_rating_and_codes_are_words() -> None:
    rows = pa.table({"2": ["1.0", "5.0", "3.5"], "did": ["0", "1", "2"]})
    grades = actions(rows, {}, Hints(actions=["2"])).proposed
    assert [(each.name, each.at_least) for each in grades] == [
        ("favorite", 4.0),
        ("not_interested", None),
    ]
    flags = actions(pa.table({"did": ["1", "2", "3"]}), {}, Hints(actions=["did"])).proposed
    assert [each.values for each in flags] == [("1",), ("2",), ("3",)]


def test_the_time_of_an_action_is_told_to_be_no_flag() -> None:
    rows = pa.table({"clicked_at": ["2026-03-01T10:00:00Z", None], "bought_at": [None, None]})
    with pytest.raises(BadConfigurationError, match=r"`clicked_at` is .* but a time \(2026-03"):
        actions(rows, {}, Hints())
