"""The gate promotes, keeps or falls back, and says why; only a person overrules it."""

import datetime

import numpy as np
import pytest

from components import contract
from components.evaluation.contest import Result
from components.evaluation.entrants import Entrants
from components.evaluation.gate import compare, decide
from components.release.decisions import Comparison
from components.run.context import Context
from phoenix.metrics.by_user import UserValues

LAST = "2026-01-03"


@pytest.fixture
def context(three_days) -> Context:
    day = datetime.date.fromisoformat(LAST)
    return Context(contract.EVALUATE_MODELS, three_days.config, day, three_days.store)


def comparison(gain: float) -> Comparison:
    return Comparison(
        metric="ndcg@5", candidate=0.5 + gain, champion=0.5, min_gain=0.0, interval=None
    )


def entrants(world, *, day: str = LAST, has_champion: bool = True) -> Entrants:
    candidate = world.artifact("train_ranker", day)
    champion = world.artifact("publish_release", "2026-01-02") if has_champion else None
    models = {"candidate": object()} if candidate.facts["trained"] else {}
    return Entrants("ranker", candidate, champion, models, ())


def result(values: list[float]) -> Result:
    return Result({}, UserValues(np.arange(len(values)), np.array(values), np.ones(len(values))))


def test_the_comparison_has_both_means_and_an_interval_of_the_gain(context) -> None:
    results = {"candidate": result([0.5, 0.7, 0.9]), "champion": result([0.4, 0.5, 0.6])}
    found = compare(context, "ndcg@5", results, "ranker")
    assert (found.candidate, found.champion) == pytest.approx((0.7, 0.5))
    assert found.interval is not None
    assert found.interval[0] <= 0.2 <= found.interval[1]


def test_a_model_without_numbers_is_compared_with_none(context) -> None:
    results = {"candidate": Result({"not_finite": 3}, None), "champion": result([0.4])}
    found = compare(context, "ndcg@5", results, "ranker")
    assert (found.candidate, found.interval) == (None, None)


@pytest.mark.parametrize(
    ("gain", "force", "choice"),
    [
        (0.1, None, "candidate"),
        (-0.1, None, "fallback"),
        (-0.1, "promote", "candidate"),
        (0.1, "keep", "fallback"),
    ],
)
def test_the_better_one_goes_on_unless_a_person_says_otherwise(
    gain: float, force: str | None, choice: str, context, three_days
) -> None:
    decision = decide(
        context, entrants(three_days), comparison(gain), force=force, reason=force and "a test"
    )
    assert decision.choice == choice, "the champion of these days is the most popular"
    assert (decision.reasons[-1] == f"forced to {force}: a test") == (force is not None)


def test_nothing_is_promoted_where_nothing_was_trained(context, three_days) -> None:
    untrained = entrants(three_days, day="2026-01-01", has_champion=False)
    decision = decide(context, untrained, comparison(0.1), force="promote", reason="a test")
    assert (decision.choice, decision.trained_through) == ("fallback", LAST)
    assert decision.reasons[-1] == "nothing to promote"
