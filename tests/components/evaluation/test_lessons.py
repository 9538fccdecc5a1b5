"""The sentence on a candidate says what it has surely learned, and no more."""

import numpy as np
import pytest

from components.evaluation import lessons
from components.evaluation.results import Result
from components.settings.steps import EvaluateConfig
from phoenix.metrics.by_user import UserValues

SECTION = EvaluateConfig()


def _result(mean: float, *, num_users: int, noise: float = 0.0) -> Result:
    """Values of users around a mean; with noise 1, the mean has a standard error of .01."""
    ripple = np.where(np.arange(num_users) % 2, 1.0, -1.0) * noise * 0.01 * num_users**0.5
    return Result({}, UserValues(np.arange(num_users), mean + ripple, np.ones(num_users)))


@pytest.mark.parametrize(
    ("over_random", "over_popular", "words"),
    [
        (0.001, 0.1, "nothing was learned, as far as the day tells: +0.0010 (-0.0"),
        (-0.1, 0.1, "nothing was learned"),
        (0.1, 0.001, "learned what is popular, and surely nothing beyond it: +0.0010 (-0.0"),
        (0.1, -0.1, "learned less than what is popular: -0.1000 ("),
        (0.1, 0.05, "learned more than what is popular: +0.0500 (+0.0"),
    ],
)
def test_what_was_learned_is_what_is_sure(over_random, over_popular, words) -> None:
    results = {
        "candidate": _result(0.6, num_users=200, noise=1.0),
        "random": _result(0.6 - over_random, num_users=200),
        "most_popular": _result(0.6 - over_popular, num_users=200),
    }
    found = lessons.sentence(SECTION, results)
    assert found is not None
    assert found.startswith(words)


def test_a_metric_that_everything_reaches_says_nothing() -> None:
    all_equal = {"candidate": _result(1.0, num_users=200), "random": _result(1.0, num_users=200)}
    found = lessons.sentence(SECTION, all_equal)
    assert found is not None
    assert "nothing can be said" in found


def test_a_few_users_say_nothing_and_without_a_candidate_there_is_nothing_to_say() -> None:
    few = {"candidate": _result(0.9, num_users=10), "random": _result(0.1, num_users=10)}
    assert lessons.sentence(SECTION, few) == "too few users to tell whether anything was learned"
    assert lessons.sentence(SECTION, {"random": few["random"]}) is None
    unmeasured = {"candidate": Result({}, None), "random": Result({}, None)}
    assert lessons.sentence(SECTION, unmeasured) is None
    first_day = {each: _result(x, num_users=200) for each, x in (("candidate", 0.9), ("random", 0))}
    assert lessons.sentence(SECTION, first_day) is None  # nothing is popular yet
