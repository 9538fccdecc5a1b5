"""What speaks against a model that looks better on the whole, and only what surely does."""

from dataclasses import replace

import numpy as np
import pytest

from components.evaluation import vetoes
from components.evaluation.results import Result, UserCalibration
from components.settings.steps import EvaluateConfig
from phoenix.metrics.by_user import UserValues

SECTION = EvaluateConfig()
NUM_USERS = 200
USERS = np.arange(NUM_USERS)


def _values(mean: float, *, seed: int = 0, num_users: int = NUM_USERS) -> UserValues:
    """Values whose difference to those of a mean without noise has a standard error of .01."""
    noise = np.random.default_rng(seed).normal(size=num_users) if seed else np.zeros(num_users)
    if seed:
        noise = 0.01 * np.sqrt(num_users) * (noise - noise.mean()) / noise.std(ddof=1)
    return UserValues(np.arange(num_users), mean + noise, np.ones(num_users))


def _reasons(own: Result, section: EvaluateConfig = SECTION, **others: Result) -> list[str]:
    found = vetoes.of(section, "candidate", {"candidate": own, **others})
    assert all(str(each).startswith(each.reason) for each in found)
    return [each.reason for each in found]


@pytest.mark.parametrize(
    ("over_random", "over_most_popular", "reasons"),
    [
        (0.1, 0.1, []),
        (0.1, -0.01, []),  # perhaps below most popular
        (0.01, 0.1, ["not surely above random"]),
        (0.1, -0.1, ["surely below most popular"]),
    ],
)
def test_a_model_that_is_no_better_than_a_baseline_is_vetoed(
    over_random: float, over_most_popular: float, reasons: list[str]
) -> None:
    own = Result({}, _values(0.5, seed=1))
    baselines = {
        "random": Result({}, _values(0.5 - over_random)),
        "most_popular": Result({}, _values(0.5 - over_most_popular)),
    }
    assert _reasons(own, **baselines) == reasons
    off = SECTION.model_copy(
        update={"veto_not_above_random": False, "veto_below_most_popular": False}
    )
    assert _reasons(own, off, **baselines) == []


def _with_slices(**means: float) -> Result:
    slices = {name: _values(mean, seed=2) for name, mean in means.items()}
    return Result({}, _values(0.5), slices=slices)


def _champion(result: Result) -> Result:
    return replace(result, slices={name: _values(0.5) for name in result.slices})


def test_a_slice_that_is_surely_worse_than_the_margin_speaks_and_one_that_may_not_be_does_not() -> (
    None
):
    own = _with_slices(new=0.44, old=0.48)  # limit: 5 % of .5
    reasons = _reasons(own, champion=_champion(own))
    assert reasons == ["surely worse by more than 5.0% of the champion: new"]
    assert (
        _reasons(own, SECTION.model_copy(update={"slice_margin": 0.2}), champion=_champion(own))
        == []
    )
    off = SECTION.model_copy(update={"veto_worse_slice": False})
    assert _reasons(own, off, champion=_champion(own)) == []


def test_the_more_slices_are_looked_at_the_surer_one_has_to_be() -> None:
    """Of .023 beyond the margin, in standard errors of .01: sure of one, not of fifty."""
    worse = 0.5 * (1 - SECTION.slice_margin) - 0.023
    alone = _with_slices(worse=worse)
    assert len(_reasons(alone, champion=_champion(alone))) == 1
    many = _with_slices(worse=worse, **{f"slice {n}": 0.5 for n in range(49)})
    assert _reasons(many, champion=_champion(many)) == []


def test_equal_models_are_vetoed_in_any_of_many_slices_in_at_most_one_of_twenty() -> None:
    generator = np.random.default_rng(4)
    section = SECTION.model_copy(update={"slice_margin": 0.0})
    vetoed = 0
    for _ in range(200):
        slices = {}
        for number in range(20):
            values = 0.5 + 0.2 * generator.normal(size=NUM_USERS)
            slices[str(number)] = UserValues(USERS, values, np.ones(NUM_USERS))
        own = Result({}, _values(0.5), slices=slices)
        vetoed += bool(_reasons(own, section, champion=_champion(own)))
    assert vetoed / 200 <= 0.05


def test_a_slice_of_too_few_users_is_not_looked_at() -> None:
    few = SECTION.min_users - 1
    own = Result({}, _values(0.5), slices={"few": _values(0.1, num_users=few)})
    champion = Result({}, _values(0.5), slices={"few": _values(0.5, num_users=few)})
    assert _reasons(own, champion=champion) == []


@pytest.mark.parametrize(
    ("ratio", "words"), [(0.3, "too low"), (0.6, None), (1.0, None), (1.8, None), (3.0, "too high")]
)
def test_predictions_beyond_the_limits_speak(ratio: float, words: str | None) -> None:
    generator = np.random.default_rng(5)
    observed = generator.poisson(2.0, NUM_USERS).astype(float)
    calibration = UserCalibration(
        USERS, np.full(NUM_USERS, 2 * ratio), observed, np.full(200, 10.0)
    )
    reasons = _reasons(Result({}, _values(0.5), calibration={"click": calibration}))
    assert [words in each for each in reasons] == ([] if words is None else [True])
    if words is not None:
        assert "predictions of click" in reasons[0]
    rare = calibration._replace(observed=np.where(USERS < 40, observed, 0))
    assert _reasons(Result({}, _values(0.5), calibration={"click": rare})) == []


def test_disliked_posts_that_are_surely_ranked_higher_speak() -> None:
    champion = Result({}, _values(0.5), negatives={"report": _values(0.5)})
    for mean, is_vetoed in ((0.6, True), (0.51, False), (0.4, False)):
        own = Result({}, _values(0.5), negatives={"report": _values(mean, seed=3)})
        reasons = _reasons(own, champion=champion)
        assert bool(reasons) == is_vetoed
        assert all("posts with report are surely ranked higher" in each for each in reasons)


def test_a_veto_tells_its_numbers() -> None:
    own = _with_slices(new=0.4)
    (veto,) = vetoes.of(SECTION, "candidate", {"candidate": own, "champion": _champion(own)})
    told = veto.to_json()
    assert (told["about"], told["users"], told["looked_at"]) == ("new", NUM_USERS, 1)
    assert told["value"] == pytest.approx(-0.1)
    assert told["limit"] == pytest.approx(-0.025)
    assert told["interval"][1] < told["limit"]
