"""Learning is judged by the truth about the world, on the rows on which the models are judged."""

import numpy as np
import pytest

from benchmarks import learning, pipeline
from components.settings.loading import load


@pytest.fixture(scope="module")
def measured():
    return list(learning.results(learning.Sizes(days=1, impressions_per_day=8_000)))


@pytest.mark.slow
def test_every_frequent_action_is_compared_with_what_can_be_known(measured):
    aucs = [each for each in measured if each.unit == "AUC"]
    names = [each.name.removeprefix("learning_auc_") for each in aucs]
    assert names == ["favorite", "reply", "repost", "click", "vqv", "share"]  # not the rare one
    for each in aucs:
        assert 0.4 < each.ours < each.peer
        assert each.peer > 0.8


@pytest.mark.slow
def test_recall_is_compared_with_most_popular_and_the_truth_is_told(measured):
    (recall,) = [each for each in measured if each.unit == "recall@100"]
    assert 0 < recall.peer < 1
    told = float(recall.note.split("likes were drawn: ")[1].split(",")[0])
    assert told > 2 * recall.peer


def test_the_truth_knows_how_likely_each_user_is_to_like_each_post(tmp_path):
    config = load(pipeline.configure(tmp_path, "synthetic", {"num_users": 20, "num_posts": 30}))
    truth = learning.Truth.of(config, config.first_day)
    posts = truth.world.population.posts(config.first_day).post_ids
    vectors = truth.encode_posts(posts, posts)
    assert vectors.shape == (30, 20)
    chances = truth.world.true_probabilities(np.full(len(posts), truth.user_ids[7]), posts)
    likes = [truth.actions.index(name) for name in ("favorite", "reply", "repost", "share")]
    expected = 1 - np.prod(1 - chances[:, likes], axis=1)
    np.testing.assert_allclose(vectors[:, 7], expected, rtol=1e-6)
