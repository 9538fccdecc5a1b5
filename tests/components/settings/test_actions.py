"""Weights of actions: the published ones, another action's, or one's own."""

from typing import Any

import pytest
from pydantic import ValidationError

from components.errors import BadConfigurationError
from components.settings.actions import Action
from components.settings.published_weights import PUBLISHED_WEIGHTS
from tests.components.settings.minimal import Loader, changed


def test_an_action_without_a_weight_is_refused_with_the_ways_out(load_raw: Loader) -> None:
    with pytest.raises(BadConfigurationError, match=r"actions\.1: .*'wave' has no"):
        load_raw(changed("actions.1", {"name": "wave"}))
    borrowed = load_raw(changed("actions.1", {"name": "wave", "published_as": "click"}))
    assert borrowed.actions[1].score_weight == PUBLISHED_WEIGHTS["click"]
    own = load_raw(changed("actions.1", {"name": "wave", "weight": -3.5}))
    assert own.actions[1].score_weight == -3.5


@pytest.mark.parametrize(
    "limits", [{"at_least": 1.0}, {"at_most": 5.0}, {"at_least": 1.0, "at_most": 5.0}]
)
def test_an_action_is_said_by_values_or_by_numbers_not_by_both(limits: dict[str, Any]) -> None:
    assert Action.model_validate({"name": "click", **limits}).values == ()
    with pytest.raises(ValidationError, match="not both"):
        Action.model_validate({"name": "click", "values": ["yes"], **limits})


def test_a_weight_of_zero_is_a_weight() -> None:
    assert Action(name="favorite", weight=0.0).score_weight == 0.0
