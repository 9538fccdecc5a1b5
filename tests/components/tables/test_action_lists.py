"""Lists of actions as artifacts carry them: names by bits, and meanings that may not change."""

import pytest

from components.errors import BadDataError
from components.settings.config import Config
from components.tables import action_lists
from components.tables.action_lists import ActionList

CLICK = {"name": "click", "column": "is_click"}
LIKE = {"name": "like", "weight": 1, "is_positive": True}


def config_of(*actions: dict) -> Config:
    """A configuration with these actions."""
    return Config.model_validate(
        {
            "store": "store",
            "first_day": "2026-01-01",
            "ingest_events": {"source": {"layout": "synthetic"}},
            "actions": actions,
        }
    )


def manifest(config: Config, **facts: object) -> dict:
    """The manifest of an artifact that was made with a configuration."""
    content = {"actions": action_lists.to_json(config), **facts}
    return {"facts": content, "recipe": {"config": {}}}


def list_of(*actions: dict) -> ActionList:
    """The list of an artifact that was made with these actions."""
    return ActionList.of_manifest(manifest(config_of(*actions)))


def test_a_list_says_what_each_bit_is_and_means() -> None:
    content = action_lists.to_json(config_of(CLICK, LIKE))
    assert content == [
        {"name": "click", "column": "is_click", "values": [], "at_least": None, "at_most": None},
        {"name": "like", "column": "like", "values": [], "at_least": None, "at_most": None},
    ]
    assert ActionList.from_json(content) == list_of(CLICK, LIKE)


def test_weights_and_losses_are_no_meaning() -> None:
    other = LIKE | {"weight": 7, "loss_weight": 0.5, "focal_gamma": 1}
    assert not list_of(CLICK, LIKE).changed(config_of(CLICK, other))


@pytest.mark.parametrize(
    "change",
    [{"column": "tap"}, {"values": ("yes",)}, {"at_least": 2}, {"at_most": 9}],
)
def test_what_an_action_stands_for_is_its_meaning(change: dict) -> None:
    today = config_of(CLICK | change, LIKE)
    old = list_of(CLICK, LIKE)
    assert old.changed(today) == ["click"]
    with pytest.raises(BadDataError, match=r"train of today: the action 'click' had another") as e:
        action_lists.refuse_changes({"2026-01-02": old}, today, reader="train of today")
    assert "phoenix step ingest_events --day 2026-01-02" in str(e.value)
    assert e.value.exit_code == 65


def test_the_order_of_values_is_no_meaning() -> None:
    old = list_of(CLICK | {"values": ("a", "b")}, LIKE)
    assert not old.changed(config_of(CLICK | {"values": ("b", "a")}, LIKE))


def test_an_earlier_name_of_the_action_or_of_its_column_is_the_same_action() -> None:
    old = list_of(CLICK, LIKE)
    renamed = config_of(LIKE, CLICK | {"name": "open_link", "formerly": ("click",)})
    assert old.names_in(renamed) == ("open_link", "like")
    assert not old.changed(renamed)
    other_column = config_of(CLICK | {"column": "tap", "formerly": ("is_click",)}, LIKE)
    assert not old.changed(other_column)
    # A name that is in use is never another's earlier name.
    swapped = config_of(CLICK, {**LIKE, "formerly": ("click",)})
    assert old.names_in(swapped) == ("click", "like")


def test_earlier_names_shape_what_is_read_and_are_in_the_recipe() -> None:
    plain, named = config_of(CLICK, LIKE), config_of(CLICK | {"formerly": ("tap",)}, LIKE)
    assert "formerly" not in action_lists.recipe(plain)
    assert action_lists.recipe(named)["formerly"] == {"click": ["tap"]}
    assert action_lists.recipe(plain)["actions"] == action_lists.recipe(named)["actions"]


def test_an_artifact_of_the_first_format_is_read_by_its_recipe() -> None:
    today = config_of(LIKE, CLICK | {"at_least": 3})
    names = {"facts": {}, "recipe": {"config": {"actions": ["click", "like"]}}}
    old = ActionList.of_manifest(names)
    assert old.names_in(today) == ("click", "like")
    assert not old.changed(today)  # nobody wrote down what it meant
    rules = [
        {"column": column, "values": (), "at_least": None, "at_most": None}
        for column in ("is_click", "share", "like")
    ]
    ingested = ActionList.of_manifest({"facts": {}, "recipe": {"config": {"actions": rules}}})
    # Columns alone: an action is the one that means the same; the others are nobody's.
    assert ingested.names_in(today) == ("bit 0", "bit 1", "like")
    assert ingested.unknown_in(today) == ["click"]


def test_statistics_are_compared_of_actions_that_a_day_knew_as_they_are_now() -> None:
    day = manifest(config_of(CLICK, LIKE), unknown_actions=["like"])
    assert action_lists.known_actions(day, config_of(CLICK, LIKE)) == {"click"}
    features = manifest(config_of(CLICK, LIKE), unknown_actions={"2026-01-01": ["click"]})
    assert action_lists.known_actions(features, config_of(CLICK, LIKE)) == {"like"}
    assert action_lists.known_actions(day, config_of(CLICK | {"at_least": 2}, LIKE)) == set()


def test_a_head_of_another_meaning_is_no_head_of_the_action() -> None:
    role = {"actions": action_lists.to_json(config_of(CLICK, LIKE))}
    today = config_of(LIKE, CLICK | {"at_least": 2})
    assert action_lists.released_heads(role, (), today) == ("click as it was", "like")
    # A release of the first format says names alone.
    assert action_lists.released_heads({}, ("click", "like"), today) == ("click", "like")


def test_many_days_are_counted_and_not_listed() -> None:
    old = list_of(CLICK, LIKE)
    days = {f"2026-01-{day:02d}": old for day in range(1, 15)}
    with pytest.raises(BadDataError, match="and 4 more days"):
        action_lists.refuse_changes(days, config_of(CLICK | {"at_least": 1}, LIKE), reader="x")
