"""The figure of a decision is of users who had no part in it, and the same ones on every day."""

import datetime

import numpy as np
import pytest

from components import contract
from components.evaluation import figures
from components.evaluation.results import Result
from components.run.context import Context
from components.settings.steps import EvaluateConfig
from phoenix.metrics.by_user import UserValues

SECTION = EvaluateConfig()
USERS = np.arange(1000, dtype=np.int64)


@pytest.fixture
def context(three_days) -> Context:
    day = datetime.date(2026, 1, 3)
    return Context(contract.EVALUATE_MODELS, three_days.config, day, three_days.store)


def _result(values: np.ndarray) -> Result:
    return Result({}, UserValues(USERS, values, np.ones(len(USERS))))


def test_a_fifth_of_the_users_decides_nothing_and_another_salt_draws_others() -> None:
    is_other = figures.decides_nothing(USERS, SECTION)
    assert is_other.mean() == pytest.approx(0.2, abs=0.03)
    salted = figures.decides_nothing(USERS, SECTION.model_copy(update={"figure_salt": 2}))
    assert (is_other & salted).mean() == pytest.approx(0.04, abs=0.02)
    nobody = SECTION.model_copy(update={"figure_share": 0.0})
    assert not figures.decides_nothing(USERS, nobody).any()


def test_who_decides_has_no_part_in_the_figure(context) -> None:
    """A model that is good on those who decide alone looks good to the gate, and not here."""
    is_other = figures.decides_nothing(USERS, SECTION)
    results = {
        "candidate": _result(np.where(is_other, 0.5, 0.9)),
        "champion": _result(np.full(1000, 0.5)),
        "most_popular": _result(np.full(1000, 0.4)),
    }
    deciding = figures.of_deciding_users(results, SECTION)
    assert deciding["candidate"].value == pytest.approx(0.9)
    told = figures.of_decision(
        context, results, metric="ndcg@5", entrant="candidate", earlier={"figure": {"value": 0.6}}
    )
    assert told["figure"]["users"] == is_other.sum()
    assert told["figure"]["value"] == pytest.approx(0.5)
    assert told["figure"]["over_most_popular"] == pytest.approx(0.1)
    assert told["restated"]["published"] == {"value": 0.6}
    assert told["restated"]["today"]["value"] == pytest.approx(0.5)


def test_without_users_or_an_earlier_decision_there_is_nothing_to_tell(context) -> None:
    told = figures.of_decision(context, {}, metric="ndcg@5", entrant="most_popular", earlier=None)
    assert told == {"figure": None, "restated": None}
    popular = {"most_popular": _result(np.full(1000, 0.4))}
    alone = figures.of_decision(
        context, popular, metric="ndcg@5", entrant="most_popular", earlier={}
    )
    assert alone["figure"]["over_most_popular"] is None
    assert alone["restated"] is None
