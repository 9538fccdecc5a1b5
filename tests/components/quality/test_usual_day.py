from dataclasses import astuple

import numpy as np
import pytest

from components.quality import usual_day
from components.quality.day_statistics import DayStatistics, PastDay
from components.quality.drift import Comparison
from components.settings.quality import BaselineConfig
from components.store.artifacts import Ref

BASELINE = BaselineConfig()
ACTIONS = frozenset({"click"})


def past_days(*days: dict[str, float]) -> list[PastDay]:
    return [PastDay(Ref("validate_events", "d", "k", "s"), day, {}, {}, ACTIONS) for day in days]


def limits(now: dict[str, float], past: list[PastDay]) -> dict[str, tuple]:
    wanted, values = usual_day.expectations(DayStatistics({}, now, {}, ACTIONS), past, [], BASELINE)
    assert values.keys() == {each.kwargs["column"] for each in wanted}
    return {
        each.kwargs["column"]: (each.kwargs["min_value"], each.kwargs["max_value"])
        for each in wanted
    }


def test_the_first_days_are_judged_only_by_what_needs_no_history() -> None:
    now = {"volume": 5.0, "unseen_posts": 0.1, "author_stable/changed_posts": 0.0}
    for number in range(BASELINE.min_days):
        assert limits(now, past_days(*[now] * number)) == {
            "author_stable/changed_posts": (None, 0.0)
        }
    assert "volume" in limits(now, past_days(*[now] * BASELINE.min_days))


def test_a_day_without_any_action_fails_without_history() -> None:
    assert limits({"any_action": 0.0}, past_days()) == {"any_action": (1.0, None)}


def test_a_quiet_history_still_leaves_the_room_that_was_configured() -> None:
    day = {"volume": 1_000.0, "action_rates/click": 0.3, "freshness/quiet_minutes": 1.0}
    found = limits(day, past_days(*[day] * 10))
    assert found["volume"] == (800, 1_200)
    assert found["action_rates/click"] == pytest.approx((0.28, 0.32))
    assert found["freshness/quiet_minutes"] == (None, 30)


def test_a_lively_history_leaves_more_room() -> None:
    volumes = np.random.default_rng(0).lognormal(7, 0.5, 14)
    low, high = limits({"volume": 1.0}, past_days(*({"volume": v} for v in volumes)))["volume"]
    assert low < volumes.min() / 2
    assert high > volumes.max() * 2


def test_what_was_there_and_is_gone_is_expected_and_so_is_that_nothing_new_comes() -> None:
    past = past_days(*[{"surfaces/1": 0.5, "surfaces/2": 0.5}] * 6)
    wanted, values = usual_day.expectations(
        DayStatistics({}, {"surfaces/1": 0.5, "surfaces/9": 0.5}, {}, ACTIONS), past, [], BASELINE
    )
    broken = {
        each.kwargs["column"]
        for each in wanted
        if not each.kwargs["min_value"] <= values[each.kwargs["column"]] <= each.kwargs["max_value"]
    }
    assert broken == {"surfaces/2", "surfaces/9"}


def test_drift_is_an_expectation_where_it_has_a_limit() -> None:
    drift = [Comparison("hour", "psi", 0.3, 0.2), Comparison("hour", "l_infinity", 0.3, None)]
    wanted, values = usual_day.expectations(DayStatistics({}, {}, {}, ACTIONS), [], drift, BASELINE)
    assert [(each.kwargs["max_value"], each.kind) for each in wanted] == [(0.2, "drift")]
    assert values == {"drift/hour/psi": 0.3}


def test_an_action_is_judged_by_the_days_that_knew_it_and_by_none_where_it_is_gone() -> None:
    old = past_days(*[{"action_rates/click": 0.3, "action_rates/hide": 0.4}] * 6)
    gone = limits({"action_rates/click": 0.3}, old)  # `hide` is not in the list any more
    assert set(gone) == {"action_rates/click"}
    new_list = frozenset({"click", "share"})
    now = DayStatistics({}, {"action_rates/click": 0.3, "action_rates/share": 0.9}, {}, new_list)
    _, values = usual_day.expectations(now, old, [], BASELINE)
    assert set(values) == {"action_rates/click"}  # nobody knows a usual share yet
    knowing = [PastDay(*astuple(day)[:4], new_list) for day in old]
    _, values = usual_day.expectations(now, knowing, [], BASELINE)
    assert "action_rates/share" in values
