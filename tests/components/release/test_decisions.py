"""What a decision says of itself, and how one of an earlier format is read."""

import pytest

from components.release import decisions
from components.release.decisions import Comparison, Decision


def _decision(choice: decisions.Choice, challengers: tuple = ()) -> Decision:
    comparison = Comparison(
        metric="ndcg@5",
        candidate=0.52,
        champion=0.5,
        min_gain=0.0,
        gain_of="candidate",
        gain=0.02,
        interval=(0.01, 0.03),
    )
    return Decision(
        choice=choice,
        reasons=("a reason",),
        comparison=comparison,
        source=None,
        folder="fallback",
        model="most_popular",
        trained_through="2026-01-01",
        entrant="most_popular",
        recipe=None,
        question="improvement",
        challengers=challengers,
    )


@pytest.mark.parametrize(
    ("choice", "challengers", "verdict"),
    [
        ("candidate", (), "promoted"),
        ("challenger", (), "promoted"),
        ("champion", (), "kept"),
        ("champion", ({"num_days": 1},), "challenger"),
        ("fallback", ({"num_days": 1},), "challenger"),
    ],
)
def test_the_verdict_says_what_became_of_the_question(
    choice: decisions.Choice, challengers: tuple, verdict: str
) -> None:
    assert _decision(choice, challengers).to_json()["verdict"] == verdict


@pytest.mark.parametrize(
    ("choice", "entrant"),
    [("candidate", "candidate"), ("champion", "champion"), ("fallback", "most_popular")],
)
def test_a_decision_of_an_earlier_format_names_its_entrant_by_the_choice(
    choice: str, entrant: str
) -> None:
    assert decisions.entrant({"choice": choice}) == entrant
    assert decisions.entrant({"choice": choice, "entrant": "challenger_2026-01-03"}) == (
        "challenger_2026-01-03"
    )


def test_two_days_of_one_recipe_have_the_same_digest(three_days) -> None:
    second, third = (
        decisions.recipe_digest(three_days.artifact("train_ranker", day))
        for day in ("2026-01-02", "2026-01-03")
    )
    retrieval = decisions.recipe_digest(three_days.artifact("train_retrieval", "2026-01-03"))
    assert second == third != retrieval
