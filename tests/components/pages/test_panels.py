import pytest

from components.pages import panels
from components.pages.day_facts import DayFacts

LAST = "2026-01-03"


@pytest.fixture
def facts(three_days) -> DayFacts:
    return DayFacts.read(three_days.store, three_days.config, LAST)


def test_the_account_adds_up(facts: DayFacts) -> None:
    shown = panels.data(facts)
    assert shown is not None
    assert sum(fate["count"] for fate in shown["account"]) == shown["rows_in"]
    assert sum(fate["share"] for fate in shown["account"]) == pytest.approx(1)


def test_a_learning_curve_is_shown_only_of_what_was_trained(three_days) -> None:
    shown = [
        panels.training(DayFacts.read(three_days.store, three_days.config, day))
        for day in ("2026-01-01", LAST)
    ]
    assert shown[0] is not None
    assert shown[1] is not None
    assert [model["curve"] for model in shown[0]["models"]] == [None, None]
    assert "first day" in shown[0]["models"][0]["reason"]
    assert all(model["curve"].startswith("data:image/svg") for model in shown[1]["models"])


def test_models_stand_beside_champion_and_baselines(facts: DayFacts) -> None:
    shown = panels.metrics(facts)
    assert shown is not None
    for role in shown["roles"]:
        assert [row["model"] for row in role["rows"]] == [
            "candidate",
            "champion",
            "most_popular",
            "random",
        ]
        assert role["gate"] in role["names"]
        column = [row["values"][role["names"].index(role["gate"])] for row in role["rows"]]
        assert role["best"][role["names"].index(role["gate"])] == max(column)


def test_a_decision_has_a_reason_for_each_model(facts: DayFacts) -> None:
    shown = panels.decision(facts)
    assert shown is not None
    assert [model["role"] for model in shown["models"]] == ["retrieval", "ranker"]
    assert all(model["reasons"] for model in shown["models"])


def test_a_release_that_was_rolled_back_says_by_whom(world) -> None:
    from components.release import releases

    releases.rollback(world.store, "2026-01-02", "clicks fell", "ann")
    day = DayFacts.read(world.store, world.config, LAST)
    shown = panels.release(day)
    assert shown is not None
    assert shown["withdrawn_by"] == "ann: rollback: clicks fell"
    assert (shown["is_live"], shown["live_day"]) == (False, "2026-01-02")


@pytest.mark.parametrize(
    ("values", "best"),
    [([0.1, 0.2, None], 0.2), ([0.2, 0.2], None), ([None], None), ([], None)],
)
def test_the_best_is_the_highest_of_different_values(
    values: list[float | None], best: float | None
) -> None:
    assert panels._best("ndcg@5", values) == best
    for name in ("coverage", "not_finite", "dwell_mean_absolute_error"):
        assert panels._best(name, values) is None


def test_bars_are_shares_of_the_largest() -> None:
    bars = panels._bars({"a": 2.0, "b": 1.0, "c": None, "d": -4.0})
    assert [bar["share"] for bar in bars] == [0.5, 0.25, 0.0, 0.0]
