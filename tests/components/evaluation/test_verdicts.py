"""The rule of the gate: promoted when surely better, dropped when not, asked again in between."""

import numpy as np
import pytest

from components.evaluation import verdicts
from components.evaluation.verdicts import Outcome
from components.settings.steps import EvaluateConfig
from phoenix.metrics.evidence import Evidence

SECTION = EvaluateConfig()
NUM_USERS = 200


def _evidence(mean: float, *, num_users: int = NUM_USERS, num_days: int = 1) -> Evidence:
    """Differences whose standard error is .01, whatever the number of users."""
    noise = np.random.default_rng(1).normal(size=num_users)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    sums = mean + 0.01 * np.sqrt(num_users) * noise
    return Evidence(np.arange(num_users), sums, np.ones(num_users), num_days)


@pytest.mark.parametrize(
    ("mean", "outcome", "reason"),
    [
        (0.05, Outcome.PROMOTED, "surely better"),
        (0.01, Outcome.CHALLENGER, "not surely better, on day 1 of 7"),
        (-0.01, Outcome.CHALLENGER, "not surely better, on day 1 of 7"),
        (-0.05, Outcome.KEPT, "surely not better"),
    ],
)
def test_another_recipe_has_to_be_surely_better(mean: float, outcome: Outcome, reason: str) -> None:
    verdict = verdicts.of_improvement(_evidence(mean), SECTION, min_gain=0.0)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_a_required_gain_has_to_be_sure_and_not_the_gain_alone() -> None:
    evidence = _evidence(0.05)
    assert verdicts.of_improvement(evidence, SECTION, min_gain=0.02).outcome is Outcome.PROMOTED
    unsure = verdicts.of_improvement(evidence, SECTION, min_gain=0.04)
    assert (unsure.outcome, unsure.reason) == (
        Outcome.CHALLENGER,
        "not surely better by 0.04, on day 1 of 7",
    )
    assert verdicts.of_improvement(evidence, SECTION, min_gain=0.1).outcome is Outcome.KEPT


def test_what_is_not_sure_on_its_last_day_is_dropped() -> None:
    last = _evidence(0.01, num_days=SECTION.challenger_days)
    assert verdicts.of_improvement(last, SECTION, min_gain=0.0).outcome is Outcome.KEPT


def test_too_few_users_give_no_verdict_however_clear_they_are() -> None:
    few = _evidence(5.0, num_users=SECTION.min_users - 1)
    verdict = verdicts.of_improvement(few, SECTION, min_gain=0.0)
    assert verdict.outcome is Outcome.CHALLENGER
    assert "too few users, 49 of 50" in verdict.reason
    refresh = verdicts.of_refresh(few, SECTION, champion_value=0.5, age_days=1)
    assert refresh.outcome is Outcome.KEPT


def test_a_recipe_and_its_mixture_share_the_allowed_error() -> None:
    evidence = _evidence(0.03)
    with_mixture = SECTION.model_copy(update={"mixture_share": 0.5})
    for section, confidence in ((SECTION, 0.95), (with_mixture, 0.975)):
        verdict = verdicts.of_improvement(evidence, section, min_gain=0.0)
        assert verdict.interval == pytest.approx(evidence.sequence(confidence))


def test_the_same_answers_are_not_better() -> None:
    same = Evidence(np.arange(100), np.zeros(100), np.ones(100), num_days=1)
    assert verdicts.of_improvement(same, SECTION, min_gain=0.0).outcome is Outcome.KEPT


@pytest.mark.parametrize(
    ("mean", "age_days", "outcome", "reason"),
    [
        (0.05, 1, Outcome.PROMOTED, "surely better"),
        (0.01, 1, Outcome.PROMOTED, "surely not worse by 2.0% of the champion"),
        (-0.01, 1, Outcome.KEPT, "could be worse by more than 2.0% of the champion"),
        (-0.01, 7, Outcome.PROMOTED, "not surely worse, and the champion's data are 7 days old"),
        (-0.05, 7, Outcome.KEPT, "could be worse by more than 2.0% of the champion"),
    ],
)
def test_a_refresh_need_not_be_better_and_less_so_when_the_champion_is_old(
    mean: float, age_days: int, outcome: Outcome, reason: str
) -> None:
    verdict = verdicts.of_refresh(_evidence(mean), SECTION, champion_value=0.5, age_days=age_days)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def _chain_promotes(generator: np.random.Generator, *, effect: float, num_days: int) -> bool:
    """Whether a recipe whose gain is planted is promoted within some days; 181 users a day.

    Args:
      generator: Of the chain.
      effect: True gain, in standard errors of the difference of one day.
      num_days: Of the chain; after the last day of a challenger its recipe begins anew.
    """
    evidence = None
    for _ in range(num_days):
        users = np.sort(generator.choice(600, 181, replace=False))
        values = generator.choice(_RECORDED, 181)
        shift = effect * _RECORDED.std() / np.sqrt(181)
        day = Evidence(users, values + shift, np.ones(181), num_days=1)
        evidence = day if evidence is None else evidence + day
        outcome = verdicts.of_improvement(evidence, SECTION, min_gain=0.0).outcome
        if outcome is Outcome.PROMOTED:
            return True
        if outcome is Outcome.KEPT:
            evidence = None
    return False


# Paired differences of NDCG of one day, without their mean: 40 % of the users are served the same.
_RECORDED = np.where(
    np.random.default_rng(0).random(400) < 0.4, 0, np.random.default_rng(1).normal(0, 0.25, 400)
)
_RECORDED = _RECORDED - _RECORDED.mean()


@pytest.mark.parametrize(
    ("effect", "num_days", "least", "most"),
    [
        (0.0, 14, 0.0, 0.05),  # equal models, and somebody looks every day
        (-0.5, 14, 0.0, 0.01),
        (2.0, 5, 0.80, 1.0),
    ],
)
def test_noise_is_not_promoted_and_a_gain_is(
    effect: float, num_days: int, least: float, most: float
) -> None:
    num_chains = 500
    generator = np.random.default_rng(8)
    promoted = sum(
        _chain_promotes(generator, effect=effect, num_days=num_days) for _ in range(num_chains)
    )
    assert least <= promoted / num_chains <= most
