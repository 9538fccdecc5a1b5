"""A mixture is a mean of logarithms, from most popular at one end to the model at the other."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.data.engagement.counts import Ids, Outcomes, Tally
from phoenix.data.engagement.rates import Rates
from phoenix.recommend.baselines import MostPopular, Random
from phoenix.recommend.mixture import RankerMixture, RetrieverMixture
from phoenix.recommend.named_actions import (
    ranker_for,
    reads_evidence,
    retriever_for,
    temperature,
    unpredicted_actions,
)
from phoenix.recsys_retrieval_model import TEMPERATURE
from tests.phoenix.planted import ACTIONS, RANKER, RETRIEVAL, author_of, untrained, world

WINDOWS = world(12).windows
POSTS = np.arange(1, 41)


def popular(actions: tuple[str, ...] = ACTIONS) -> MostPopular:
    """What is popular after random impressions, of which no post has equally many."""
    generator = np.random.default_rng(1)
    posts = np.concatenate([np.repeat(POSTS, POSTS), generator.integers(1, 101, 500)])
    nobody = np.ones(len(posts), np.int64)
    done = generator.integers(0, 2, len(posts)).astype(np.uint64)
    tally = Tally(len(actions))
    tally.add(
        Ids(nobody, posts, author_of(posts), nobody),
        Outcomes(done, np.zeros_like(done), np.ones(len(posts))),
    )
    return MostPopular(actions, ("like",), Rates.of(tally.counts()))


def log_odds(values: np.ndarray) -> np.ndarray:
    return np.log(values) - np.log1p(-values)


def scores(retriever) -> np.ndarray:
    return retriever.encode_users(WINDOWS) @ retriever.encode_posts(POSTS, author_of(POSTS)).T


def test_a_ranker_mixture_is_most_popular_at_share_0_and_the_model_at_share_1() -> None:
    model, counted = untrained(RANKER), popular()
    none = RankerMixture(model, counted, 0.0).predict(WINDOWS)
    np.testing.assert_array_equal(none, counted.predict(WINDOWS))
    whole = RankerMixture(model, counted, 1.0).predict(WINDOWS)
    np.testing.assert_allclose(whole, model.predict(WINDOWS), rtol=1e-6)


def test_in_between_log_odds_are_the_weighted_mean() -> None:
    model, counted = untrained(RANKER), popular()
    mixed = RankerMixture(model, counted, 0.25).predict(WINDOWS)
    own, rates = model.predict(WINDOWS).astype(float), counted.predict(WINDOWS).astype(float)
    inner = (rates > 1e-6) & (rates < 1 - 1e-6)
    expected = 0.25 * log_odds(own[inner]) + 0.75 * log_odds(rates[inner])
    np.testing.assert_allclose(log_odds(mixed[inner].astype(float)), expected, atol=1e-4)


def test_an_action_that_the_model_does_not_know_has_its_rate() -> None:
    actions = ("like", "share")
    model = ranker_for(untrained(RANKER), ACTIONS, actions)
    mixture = RankerMixture(model, popular(actions), 0.5)
    assert mixture.actions == actions
    assert unpredicted_actions(mixture) == ()
    expected = mixture.popular.predict(WINDOWS)[..., 1]
    np.testing.assert_array_equal(mixture.predict(WINDOWS)[..., 1], expected)


def test_a_model_that_is_no_number_makes_a_mixture_that_is_none() -> None:
    model = untrained(RANKER)
    broken = type("Broken", (), {"name": "broken", "actions": ACTIONS})()
    broken.predict = lambda windows: np.full_like(model.predict(windows), np.nan)
    assert np.isnan(RankerMixture(broken, popular(), 0.5).predict(WINDOWS)).all()
    assert not reads_evidence(RankerMixture(model, popular(), 0.5))


@pytest.mark.parametrize("learned", [math.log(0.2), -20.0])
def test_scores_of_a_retriever_mixture_are_the_weighted_mean_of_logarithms(learned: float) -> None:
    model, counted = untrained(RETRIEVAL), popular()
    model.params[TEMPERATURE] = {"log_temperature": jnp.asarray(learned, jnp.float32)}
    least = max(math.exp(learned), 0.01)
    assert temperature(model) == pytest.approx(least)
    expected = np.log(counted.encode_posts(POSTS, author_of(POSTS))[:, 0])
    np.testing.assert_allclose(
        scores(RetrieverMixture(model, counted, 0.25)),
        0.25 * scores(model) / least + 0.75 * expected,
        rtol=1e-3,
        atol=1e-4,
    )


def test_a_retriever_mixture_orders_as_most_popular_at_share_0_and_as_the_model_at_share_1() -> (
    None
):
    model, counted = untrained(RETRIEVAL), popular()
    for share, one in ((0.0, counted), (1.0, model)):
        found = np.argsort(-scores(RetrieverMixture(model, counted, share)), axis=1, kind="stable")
        np.testing.assert_array_equal(found, np.argsort(-scores(one), axis=1, kind="stable"))


def test_of_an_unknown_user_a_mixture_knows_nothing_either() -> None:
    model = untrained(RETRIEVAL)
    unknown = WINDOWS._replace(
        user_hashes=np.zeros_like(WINDOWS.user_hashes),
        history_post_hashes=np.zeros_like(WINDOWS.history_post_hashes),
    )
    assert not model.encode_users(unknown).any()
    assert not RetrieverMixture(model, popular(), 0.5).encode_users(unknown).any()


def test_models_of_another_list_of_actions_and_baselines_have_a_temperature() -> None:
    model = untrained(RETRIEVAL)
    model.params[TEMPERATURE] = {"log_temperature": jnp.asarray(-1.0, jnp.float32)}
    other = retriever_for(model, ACTIONS, tuple(reversed(ACTIONS)))
    assert temperature(other) == temperature(model) == pytest.approx(math.exp(-1.0))
    assert temperature(Random(ACTIONS, 1)) == 1.0
