"""The gate promotes, keeps or asks again, and says why; only a person overrules it."""

import datetime
from dataclasses import replace

import numpy as np
import pytest

from components import contract
from components.evaluation.challengers import Challenger
from components.evaluation.entrants import Entrants
from components.evaluation.gate import decide
from components.evaluation.mixed_entrants import Mixed
from components.evaluation.results import Result
from components.release import decisions
from components.release.decisions import Decision
from components.run.context import Context
from phoenix.metrics.by_user import UserValues
from phoenix.metrics.evidence import Evidence

LAST = "2026-01-03"
NUM_USERS = 100


@pytest.fixture
def context(three_days) -> Context:
    day = datetime.date.fromisoformat(LAST)
    return Context(contract.EVALUATE_MODELS, three_days.config, day, three_days.store)


def _entrants(world, *, day: str = LAST, challengers: tuple[Challenger, ...] = ()) -> Entrants:
    candidate = world.artifact("train_ranker", day)
    names = ["candidate"] if candidate.facts["trained"] else []
    trainings = {
        each.name: world.store.read(each.ref) for each in challengers if each.recipe == "other"
    }
    return Entrants(
        role="ranker",
        candidate=candidate,
        champion=world.artifact("publish_release", "2026-01-02"),  # the most popular recommender
        challengers=challengers,
        trainings=trainings,
        models=dict.fromkeys([*names, *trainings], object()),
        notes=(),
    )


def _result(mean: float, *, spread: float = 0.1) -> Result:
    """Values with a mean, whose differences to those of a constant model have a standard error."""
    values = np.linspace(-spread, spread, NUM_USERS)
    users = np.arange(NUM_USERS)
    return Result({}, UserValues(users, mean + values, np.ones(NUM_USERS)))


def _results(gain: float, **others: float) -> dict[str, Result]:
    results = {"champion": _result(0.5, spread=0.0), "candidate": _result(0.5 + gain)}
    return results | {name: _result(0.5 + value) for name, value in others.items()}


def _challenger(world, gain: float, *, recipe: str, day: str = "2026-01-02") -> Challenger:
    evidence = Evidence(
        np.arange(NUM_USERS), np.full(NUM_USERS, gain), np.ones(NUM_USERS), num_days=2
    )
    ref = world.artifact("train_ranker", day).ref
    return Challenger(ref, recipe, "most_popular", evidence)


def _decide(
    context: Context,
    entrants: Entrants,
    results: dict[str, Result],
    *,
    force: str | None = None,
) -> tuple[Decision, list[Challenger]]:
    return decide(context, entrants, results, "ndcg@5", force=force, reason=force and "a test")


def test_the_comparison_has_both_means_and_an_interval_of_the_gain(context, three_days) -> None:
    decision, _ = _decide(context, _entrants(three_days), _results(0.2))
    found = decision.comparison
    assert (found.candidate, found.champion) == pytest.approx((0.7, 0.5))
    assert (found.gain_of, found.gain) == ("candidate", pytest.approx(0.2))
    assert found.interval is not None
    assert found.interval[0] < 0.2 < found.interval[1]


def test_a_model_without_numbers_is_compared_with_none(context, three_days) -> None:
    results = {"candidate": Result({"not_finite": 3}, None), "champion": _result(0.4)}
    decision, challengers = _decide(context, _entrants(three_days), results)
    found = decision.comparison
    assert (found.candidate, found.gain, found.interval) == (None, None, None)
    assert (decision.choice, challengers) == ("fallback", [])
    assert "nobody can be measured" in decision.reasons[0]


@pytest.mark.parametrize(
    ("gain", "force", "choice", "verdict"),
    [
        (0.1, None, "candidate", "promoted"),
        (0.005, None, "fallback", "challenger"),
        (-0.1, None, "fallback", "kept"),
        (-0.1, "promote", "candidate", "promoted"),
        (0.1, "keep", "fallback", "kept"),
    ],
)
def test_the_surely_better_one_goes_on_unless_a_person_says_otherwise(
    gain: float, force: str | None, choice: str, verdict: str, context, three_days
) -> None:
    decision, _ = _decide(context, _entrants(three_days), _results(gain), force=force)
    assert (decision.choice, decision.verdict) == (choice, verdict)
    assert (decision.reasons[-1] == f"forced to {force}: a test") == (force is not None)


def test_nothing_is_promoted_where_nothing_was_trained(context, three_days) -> None:
    untrained = _entrants(three_days, day="2026-01-01")
    decision, _ = _decide(context, untrained, _results(0.1), force="promote")
    assert (decision.choice, decision.trained_through) == ("fallback", LAST)
    assert decision.reasons[-1] == "nothing to promote"


def test_evidence_of_a_recipe_adds_up_over_its_models(context, three_days) -> None:
    """Tomorrow's candidate of the same recipe goes on where today's ended."""
    recipe = decisions.recipe_digest(three_days.artifact("train_ranker", LAST))
    earlier = _challenger(three_days, 0.004, recipe=recipe)
    entrants = _entrants(three_days, challengers=(earlier,))
    decision, (challenger,) = _decide(context, entrants, _results(0.002))
    assert challenger.evidence.num_days == 3
    assert challenger.evidence.mean == pytest.approx((0.004 + 0.002) / 2)
    assert challenger.ref == entrants.candidate.ref, "the newest model stands for the recipe"
    assert decision.to_json()["challengers"] == [challenger.to_json()]
    alone, _ = _decide(context, _entrants(three_days), _results(0.013))
    together, _ = _decide(
        context,
        _entrants(three_days, challengers=(_challenger(three_days, 0.03, recipe=recipe),)),
        _results(0.013),
    )
    assert (alone.verdict, together.verdict) == ("challenger", "promoted")


def test_a_challenger_is_promoted_on_a_day_without_training(context, three_days) -> None:
    other = _challenger(three_days, 0.1, recipe="other")
    entrants = _entrants(three_days, day="2026-01-01", challengers=(other,))
    decision, challengers = _decide(context, entrants, _results(0.0, **{other.name: 0.1}))
    assert (decision.choice, decision.verdict, challengers) == ("challenger", "promoted", [])
    assert decision.source == other.ref
    assert decision.entrant == decision.comparison.gain_of == "challenger_2026-01-02"
    assert decision.comparison.gain == pytest.approx(0.1), "of this day; nobody else was trained"
    assert decision.trained_through == "2026-01-01"


def test_another_recipe_takes_the_place_of_the_oldest_challenger(context, three_days) -> None:
    other = _challenger(three_days, 0.0, recipe="other")
    entrants = _entrants(three_days, challengers=(other,))
    decision, challengers = _decide(context, entrants, _results(0.0, **{other.name: 0.0}))
    assert [each.ref for each in challengers] == [entrants.candidate.ref]
    assert "challenger of 2026-01-02: dropped, there is room for 1" in decision.reasons[-1]


@pytest.mark.parametrize(
    ("baseline", "reason"),
    [("random", "not surely above random"), ("most_popular", "surely below most popular")],
)
def test_a_promotion_is_taken_back_where_a_baseline_is_as_good(
    baseline: str, reason: str, context, three_days
) -> None:
    results = _results(0.1, **{baseline: 0.2})
    decision, _ = _decide(context, _entrants(three_days), results)
    assert decision.verdict == "kept"
    assert f"surely better, but vetoed: {reason}" in decision.reasons[0]
    (veto,) = decision.to_json()["vetoes"]
    assert (veto["entrant"], veto["about"], veto["users"]) == ("candidate", baseline, NUM_USERS)


def test_an_empty_day_changes_no_evidence(context, three_days) -> None:
    other = _challenger(three_days, 0.01, recipe="other")
    entrants = _entrants(three_days, day="2026-01-01", challengers=(other,))
    _, (challenger,) = _decide(context, entrants, {})
    assert challenger is other
    recipe = decisions.recipe_digest(three_days.artifact("train_ranker", LAST))
    earlier = _challenger(three_days, 0.01, recipe=recipe)
    _, (challenger,) = _decide(context, _entrants(three_days, challengers=(earlier,)), {})
    assert challenger.evidence is earlier.evidence


def _with_mixture(entrants: Entrants) -> Entrants:
    models = {**entrants.models, "mixture": object()}
    return replace(entrants, models=models, mixtures={"mixture": Mixed("candidate", 0.5)})


def test_a_mixture_that_is_surely_better_is_promoted_and_named(context, three_days) -> None:
    entrants = _with_mixture(_entrants(three_days))
    decision, challengers = _decide(context, entrants, _results(0.005, mixture=0.1))
    assert (decision.choice, decision.entrant, challengers) == ("candidate", "mixture", [])
    assert decision.source == entrants.candidate.ref
    assert decision.recipe != decisions.recipe_digest(entrants.candidate)
    told = decision.to_json()
    assert told["model"] == "mixture of ranking_transformer (50 %) and most_popular"
    assert told["model_share"] == 0.5
    assert (told["gain_of"], told["gain"]) == ("mixture", pytest.approx(0.1))
    assert told["interval"][0] < 0.1 < told["interval"][1]
    assert told["candidate"] == pytest.approx(0.505)
    assert "mixture, improvement: ndcg@5 0.6000 against 0.5000" in told["reasons"][1]


def test_a_mixture_has_evidence_of_its_own_in_the_place_of_its_model(context, three_days) -> None:
    entrants = _with_mixture(_entrants(three_days))
    results = _results(0.005, mixture=0.01)
    decision, today = _decide(context, entrants, results)
    assert decision.verdict == "challenger"
    assert [(each.name, each.share) for each in today] == [
        (f"challenger_{LAST}", 1.0),
        (f"mixture_{LAST}", 0.5),
    ]
    assert today[1].evidence.mean == pytest.approx(0.01)
    _, tomorrow = _decide(context, replace(entrants, challengers=today), results)
    assert [each.evidence.num_days for each in tomorrow] == [2, 2]


def test_a_mixture_goes_on_as_a_refresh_of_itself(context, three_days) -> None:
    """Once it is the champion, newer days of both its parts may take its place."""
    recipe = decisions.recipe_digest(three_days.artifact("train_ranker", LAST), 0.5)
    champion = three_days.artifact("publish_release", "2026-01-02")
    facts = {"folder": "ranker", "recipe": recipe, "model": "a mixture", "model_share": 0.5}
    facts |= {"trained_through": "2026-01-02"}
    champion = replace(champion, manifest={"facts": {"ranker": facts}})
    entrants = replace(_with_mixture(_entrants(three_days)), champion=champion)
    decision, _ = _decide(context, entrants, _results(-0.1, mixture=0.02))
    assert "candidate, improvement" in decision.reasons[0]
    assert "mixture, refresh" in decision.reasons[1]
    assert (decision.entrant, decision.verdict) == ("mixture", "promoted")
    decision, _ = _decide(context, entrants, _results(-0.1, mixture=-0.1))
    assert (decision.choice, decision.model_share) == ("champion", 0.5)
    # Most popular is surely better than the candidate, which settles no refresh.
    popular = {"most_popular": _result(0.5, spread=0.0)}
    results = {"candidate": _result(0.4), **popular}
    section = three_days.config.evaluate_models
    assert "mixture" in entrants.without_settled(section, results).models
    settled = _with_mixture(_entrants(three_days)).without_settled(section, results)
    assert "mixture" not in settled.models
    assert "no mixture: the candidate is surely worse than most popular" in settled.notes
