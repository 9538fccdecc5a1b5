"""Every recommender keeps the promises of the interfaces, whichever it is."""

import numpy as np
import pytest

from phoenix.data.engagement.rates import Rates
from phoenix.recommend.baselines import MostPopular, Random
from phoenix.recommend.recommender import Ranker, Retriever
from tests.phoenix.planted import ACTIONS, RANKER, RETRIEVAL, untrained, world

WINDOWS = world(7).windows
POPULAR = MostPopular(tuple(ACTIONS), tuple(ACTIONS[:1]), Rates.none(len(ACTIONS)))
RANDOM = Random(tuple(ACTIONS), seed=5)
RETRIEVERS: dict[str, Retriever] = {
    "two_tower": untrained(RETRIEVAL),
    "most_popular": POPULAR,
    "random": RANDOM,
}
RANKERS: dict[str, Ranker] = {
    "ranking_transformer": untrained(RANKER),
    "most_popular": POPULAR,
    "random": RANDOM,
}


@pytest.mark.parametrize("name", RETRIEVERS)
def test_a_retriever_gives_a_vector_of_one_size_for_every_user_and_post(name: str) -> None:
    retriever = RETRIEVERS[name]
    posts = np.unique(WINDOWS.candidate_post_ids[WINDOWS.candidate_mask])
    users = retriever.encode_users(WINDOWS)
    vectors = retriever.encode_posts(posts, np.ones_like(posts))
    assert retriever.name == name
    assert (len(users), len(vectors)) == (len(WINDOWS.user_ids), len(posts))
    assert users.shape[1] == vectors.shape[1]
    assert (users.dtype, vectors.dtype) == (np.float32, np.float32)
    alone = retriever.encode_users(WINDOWS.rows(slice(2, 3)))
    np.testing.assert_allclose(alone, users[2:3], atol=1e-5)


@pytest.mark.parametrize("name", RANKERS)
def test_a_ranker_gives_finite_probabilities_that_do_not_depend_on_the_batch(name: str) -> None:
    ranker = RANKERS[name]
    probabilities = ranker.predict(WINDOWS)
    assert ranker.name == name
    assert probabilities.shape == (*WINDOWS.candidate_post_ids.shape, len(ranker.actions))
    assert probabilities.dtype == np.float32
    assert np.all((probabilities >= 0) & (probabilities <= 1))
    alone = ranker.predict(WINDOWS.rows(slice(2, 3)))
    np.testing.assert_allclose(alone, probabilities[2:3], atol=1e-5)
    assert ranker.predict_dwell(WINDOWS) is None
