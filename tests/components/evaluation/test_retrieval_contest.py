"""The contest of retrievers measures what it says, on windows whose truth is known."""

import numpy as np
import pytest

from components.evaluation.retrieval_contest import RetrievalContest
from phoenix.data.windows import Windows
from phoenix.recommend.baselines import Random
from phoenix.recommend.recommender import PostInputs


class Favourite:
    """Retrieves one given post first for everybody, and scores all others alike."""

    name = "favourite"

    def __init__(self, post_id: int) -> None:
        self.post_id = post_id

    def encode_users(self, windows: Windows) -> np.ndarray:
        return np.ones((len(windows.user_ids), 1), np.float32)

    def encode_posts(
        self, post_ids: np.ndarray, author_ids: np.ndarray, inputs: PostInputs | None = None
    ) -> np.ndarray:
        return (post_ids == self.post_id).astype(np.float32)[:, None]


def test_recall_asks_for_liked_posts_that_were_not_in_the_history(
    three_days, windows, collection
) -> None:
    config = three_days.config
    section = config.evaluate_models.model_copy(update={"retrieval_k": 1})
    config = config.model_copy(update={"evaluate_models": section})
    labels = windows.labels.copy()
    labels[tuple(np.argwhere(labels & np.uint64(0b101))[::3].T)] |= np.uint64(0b1000)
    windows = windows._replace(labels=labels)
    contest = RetrievalContest(config, windows, collection)

    order = np.lexsort((windows.starts_at, windows.user_ids))
    history, liked, reported = {}, {}, {}
    for index in order:
        user = int(windows.user_ids[index])
        history.setdefault(user, set(windows.history_post_ids[index].tolist()))
        for post, bits in zip(
            windows.candidate_post_ids[index], windows.labels[index], strict=True
        ):
            if post and int(bits) & 0b101 and int(post) not in history[user]:
                liked.setdefault(user, set()).add(int(post))
            if post and int(bits) & 0b1000:
                reported.setdefault(user, set()).add(int(post))
    assert any(liked.get(user, set()) & posts for user, posts in reported.items())
    liked = {user: posts - reported.get(user, set()) for user, posts in liked.items()}
    liked = {user: posts for user, posts in liked.items() if posts}
    post = max(
        collection.post_ids.tolist(), key=lambda one: sum(one in some for some in liked.values())
    )
    eligible = set(collection.post_ids[collection.is_eligible].tolist())
    # Who has seen the post already gets any of the others, which score alike.
    expected = np.mean(
        [
            1 / len(eligible - history[user])
            if post in history[user]
            else (post in some) / len(some)
            for user, some in liked.items()
        ]
    )
    report = contest.judge(Favourite(post)).report
    assert report["users"] == len(liked)
    assert report["recall@1"] == pytest.approx(expected)


class Shuffled:
    """Retrieves in another order each time, as a random recommender would."""

    name = "shuffled"

    def __init__(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)

    def encode_users(self, windows: Windows) -> np.ndarray:
        return self.generator.normal(size=(len(windows.user_ids), 8)).astype(np.float32)

    def encode_posts(
        self, post_ids: np.ndarray, author_ids: np.ndarray, inputs: PostInputs | None = None
    ) -> np.ndarray:
        return self.generator.normal(size=(len(post_ids), 8)).astype(np.float32)


def test_chance_is_computed_as_many_random_answers_have_it(three_days, windows, collection) -> None:
    contest = RetrievalContest(three_days.config, windows, collection)
    chance = contest.judge(Random(three_days.config.action_names, 0))
    results = [contest.judge(Shuffled(seed)) for seed in range(60)]
    drawn = [result.report["recall@20"] for result in results]
    # Three standard errors of their mean.
    assert chance.report["recall@20"] == pytest.approx(
        np.mean(drawn), abs=3 * np.std(drawn) / np.sqrt(len(drawn))
    )
    assert chance.by_user is not None
    assert results[0].by_user is not None
    np.testing.assert_array_equal(chance.by_user.user_ids, results[0].by_user.user_ids)


def test_a_day_on_which_nobody_liked_anything_has_no_recall_and_is_no_bug(
    three_days, windows, collection
) -> None:
    quiet = windows._replace(labels=np.zeros_like(windows.labels))
    contest = RetrievalContest(three_days.config, quiet, collection)
    for retriever in (Favourite(1), Random(three_days.config.action_names, 0)):
        result = contest.judge(retriever)
        assert (result.value, result.report["users"]) == (None, 0)
    assert "nobody liked" in contest.gaps[0]


class Same:
    """Scores all posts alike."""

    name = "same"

    def encode_users(self, windows: Windows) -> np.ndarray:
        return np.ones((len(windows.user_ids), 2), np.float32)

    def encode_posts(
        self, post_ids: np.ndarray, author_ids: np.ndarray, inputs: PostInputs | None = None
    ) -> np.ndarray:
        return np.ones((len(post_ids), 2), np.float32)


def test_a_retriever_that_scores_all_posts_alike_has_the_value_of_chance(
    three_days, windows, collection
) -> None:
    contest = RetrievalContest(three_days.config, windows, collection)
    same = contest.judge(Same()).by_user
    chance = contest.judge(Random(three_days.config.action_names, 0)).by_user
    assert same is not None
    assert chance is not None
    np.testing.assert_allclose(same.values, chance.values)


def test_retrieval_without_anything_to_find_says_so(three_days, windows, collection) -> None:
    config = three_days.config
    assert not RetrievalContest(config, windows, collection).gaps
    nothing = windows._replace(labels=np.zeros_like(windows.labels))
    (sentence,) = RetrievalContest(config, nothing, collection).gaps
    assert sentence.startswith("no recall@20: nobody liked an eligible post")
