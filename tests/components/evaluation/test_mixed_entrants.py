"""A mixture is asked beside its model, as long as neither of its parts is surely better."""

import numpy as np
import pytest

from components.evaluation import mixed_entrants
from components.evaluation.challengers import Challenger
from components.evaluation.mixed_entrants import Mixed
from components.evaluation.results import Result
from components.settings.steps import EvaluateConfig
from components.store.artifacts import Ref
from phoenix.metrics.by_user import UserValues
from phoenix.metrics.evidence import Evidence

SECTION = EvaluateConfig()
CANDIDATE = Mixed("candidate", 0.5)


def _result(mean: float, num_users: int = 100) -> Result:
    values = mean + np.linspace(-0.1, 0.1, num_users)
    return Result({}, UserValues(np.arange(num_users), values, np.ones(num_users)))


def _results(gain: float, num_users: int = 100) -> dict[str, Result]:
    constant = UserValues(np.arange(num_users), np.full(num_users, 0.5), np.ones(num_users))
    return {"candidate": _result(0.5 + gain, num_users), "most_popular": Result({}, constant)}


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (0.005, None),
        (-0.005, None),
        (0.1, "the candidate is surely better than most popular"),
        (-0.1, "the candidate is surely worse than most popular"),
    ],
)
def test_the_question_is_settled_where_one_part_is_surely_better(gain: float, words) -> None:
    assert mixed_entrants.settled(SECTION, CANDIDATE, _results(gain)) == words


def test_few_users_and_an_empty_day_settle_nothing_and_a_broken_model_does() -> None:
    assert mixed_entrants.settled(SECTION, CANDIDATE, _results(0.1, num_users=20)) is None
    assert mixed_entrants.settled(SECTION, CANDIDATE, {}) is None
    broken = _results(0.0) | {"candidate": Result({"not_finite": 3}, None)}
    assert "no numbers" in str(mixed_entrants.settled(SECTION, CANDIDATE, broken))


def test_a_mixture_takes_part_beside_its_model_alone() -> None:
    ref = Ref("train_ranker", "2026-01-02", "key", "digest")
    mixture = Challenger(ref, "recipe", "most_popular", Evidence.none(), share=0.25)
    names = {"candidate", "challenger_2026-01-02", "random"}
    found = mixed_entrants.of_models(names, 0.5, [mixture])
    assert found == {
        "mixture": CANDIDATE,
        "mixture_2026-01-02": Mixed("challenger_2026-01-02", 0.25),
    }
    assert mixed_entrants.of_models({"candidate"}, 0.0, [mixture]) == {}
