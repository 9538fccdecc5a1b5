"""Histograms of actions are compared over what all sides knew."""

from components.quality.common_actions import Measured, of_common_actions
from phoenix.data.histograms import of_categories


def day(actions: set[str], **counts: int) -> Measured:
    """A day of some actions, of which `none` stands for rows without any."""
    names = {name.replace("none", "(none)"): count for name, count in counts.items()}
    histograms = {"action": of_categories(names), "surface": of_categories({"1": 5, "2": 3})}
    return Measured(histograms | {"active_share": of_categories({"3": 8})}, frozenset(actions))


def test_days_of_one_list_are_compared_as_they_are() -> None:
    days = [day({"like", "hide"}, like=2, none=6), day({"like", "hide"}, hide=1, none=7)]
    assert of_common_actions(days) == [each.histograms for each in days]


def test_what_depends_on_the_list_is_left_out_where_lists_differ() -> None:
    old, new = day({"like"}, like=2, none=6), day({"like", "share"}, like=2, share=5, none=1)
    first, second = of_common_actions([old, new])
    assert first == second
    assert dict(first["action"].counts) == {"like": 2}
    assert first["surface"] == old.histograms["surface"]
    assert "active_share" not in first
