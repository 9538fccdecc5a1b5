"""The contests measure what they say, on windows whose truth is known."""

import datetime

import numpy as np
import pytest

from components.evaluation.contest import (
    RankingContest,
    RetrievalContest,
    first_windows,
    sample_users,
)
from components.features import shapes, windows_files
from components.release import eligible_posts
from phoenix.data.windows import Windows, unpack_actions
from phoenix.recommend.baselines import Random
from phoenix.recommend.recommender import PostInputs

LAST = "2026-01-03"


class Oracle:
    """Knows every label, or gets every one wrong, or breaks."""

    name = "oracle"

    def __init__(self, actions: tuple[str, ...], mode: str) -> None:
        self.actions, self.mode = actions, mode

    def predict(self, windows: Windows) -> np.ndarray:
        done = unpack_actions(windows.labels, len(self.actions))
        values = {"right": done, "wrong": 1 - done, "broken": done * np.nan}
        return np.clip(values[self.mode], 0.01, 0.99)

    def predict_dwell(self, windows: Windows) -> None:
        del windows  # knows actions alone


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


@pytest.fixture
def windows(three_days) -> Windows:
    path = three_days.artifact("build_features", LAST).folder
    return windows_files.read_windows(path, spec=shapes.hash_spec(three_days.config.hashing))


def test_who_knows_the_labels_ranks_perfectly_and_who_errs_ranks_worst(three_days, windows) -> None:
    contest = RankingContest(three_days.config, windows)
    right = contest.judge(Oracle(three_days.config.action_names, "right")).report
    wrong = contest.judge(Oracle(three_days.config.action_names, "wrong")).report
    assert right["gauc"] > 0.95
    assert right["ndcg@5"] > 0.97
    assert right["actions"]["click"]["auc"] == 1.0
    assert right["actions"]["click"]["rce"] > 90
    assert wrong["actions"]["click"]["auc"] == 0.0
    assert wrong["ndcg@5"] < right["ndcg@5"]


def test_predictions_that_are_no_numbers_have_no_metric(three_days, windows) -> None:
    contest = RankingContest(three_days.config, windows)
    result = contest.judge(Oracle(three_days.config.action_names, "broken"))
    assert result.value is None
    assert result.report["not_finite"] > 0


def test_recall_asks_for_liked_posts_that_were_not_in_the_history(three_days, windows) -> None:
    config = three_days.config
    day = datetime.date.fromisoformat(LAST)
    posts = three_days.artifact("validate_events", LAST).path("posts.parquet")
    collection = eligible_posts.collection_of(posts, config, day)
    section = config.evaluate_models.model_copy(update={"retrieval_k": 1})
    config = config.model_copy(update={"evaluate_models": section})
    contest = RetrievalContest(config, windows, collection)

    order = np.lexsort((windows.starts_at, windows.user_ids))
    history, liked = {}, {}
    for index in order:
        user = int(windows.user_ids[index])
        history.setdefault(user, set(windows.history_post_ids[index].tolist()))
        for post, bits in zip(
            windows.candidate_post_ids[index], windows.labels[index], strict=True
        ):
            if post and int(bits) & 0b101 and int(post) not in history[user]:
                liked.setdefault(user, set()).add(int(post))
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


def test_chance_is_computed_as_many_random_answers_have_it(three_days, windows) -> None:
    day = datetime.date.fromisoformat(LAST)
    posts = three_days.artifact("validate_events", LAST).path("posts.parquet")
    collection = eligible_posts.collection_of(posts, three_days.config, day)
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
    three_days, windows
) -> None:
    day = datetime.date.fromisoformat(LAST)
    posts = three_days.artifact("validate_events", LAST).path("posts.parquet")
    collection = eligible_posts.collection_of(posts, three_days.config, day)
    quiet = windows._replace(labels=np.zeros_like(windows.labels))
    contest = RetrievalContest(three_days.config, quiet, collection)
    for retriever in (Favourite(1), Random(three_days.config.action_names, 0)):
        result = contest.judge(retriever)
        assert (result.value, result.report["users"]) == (None, 0)
    assert "nobody liked" in contest.gaps[0]


def test_a_sample_has_so_many_users_with_all_their_windows(windows) -> None:
    sample = sample_users(windows, 30, seed=1)
    users = np.unique(sample.user_ids)
    assert len(users) == 30
    assert len(sample.user_ids) == np.isin(windows.user_ids, users).sum()
    again, other = (sample_users(windows, 30, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(again.user_ids, sample.user_ids)
    assert not np.array_equal(np.unique(other.user_ids), users)
    assert sample_users(windows, 10_000, seed=1) is windows


def test_the_first_window_of_a_user_is_the_earliest_and_there_is_one_for_each(windows) -> None:
    requests = first_windows(windows)
    earliest: dict[int, int] = {}
    for user, moment in zip(windows.user_ids.tolist(), windows.starts_at.tolist(), strict=True):
        earliest[user] = min(moment, earliest.get(user, moment))
    assert requests.user_ids.tolist() == sorted(earliest)
    assert requests.starts_at.tolist() == [earliest[user] for user in sorted(earliest)]
    assert len(first_windows(windows.rows(slice(0, 0))).user_ids) == 0


def test_metrics_that_nobody_can_compute_are_said_in_words(three_days, windows) -> None:
    config = three_days.config
    assert not [each for each in RankingContest(config, windows).gaps if "gauc" in each]
    everything = np.where(windows.candidate_mask, np.uint64(0b0111), np.uint64(0))
    # Each impression has a click, and one of two other actions.
    places = np.arange(windows.labels.size).reshape(windows.labels.shape)
    either = np.where(places % 2, np.uint64(0b0011), np.uint64(0b0110))
    either = np.where(windows.candidate_mask, either, np.uint64(0))
    nothing = "no gauc and no ndcg@5: nothing was gained"
    by_labels = {
        "no negative": (everything, nothing),
        "click": (either, "no gauc: every impression of the day gained something"),
        "no positive": (np.zeros_like(windows.labels), nothing),
    }
    for words, (labels, sentence) in by_labels.items():
        contest = RankingContest(config, windows._replace(labels=labels))
        gaps = contest.gaps
        assert any(each.startswith(sentence) for each in gaps)
        assert any(each.startswith("no auc of click") and words in each for each in gaps)
        report = contest.judge(Oracle(config.action_names, "right")).report
        assert report["gauc"] is None
        assert report["actions"]["click"]["auc"] is None
        assert ("no auc of not_interested: it followed no impression, no positive") in gaps
    actions = [each.model_copy(update={"weight": 1.0}) for each in config.actions]
    equal = config.model_copy(update={"actions": actions})
    contest = RankingContest(equal, windows._replace(labels=either))
    assert "ndcg@5 is 1 in any order: all impressions gained the same" in contest.gaps
    # A day without impressions is told of as such.
    assert not RankingContest(config, windows.rows(slice(0))).gaps


def test_an_action_that_every_impression_has_is_left_out_of_the_gain(three_days, windows) -> None:
    config = three_days.config
    oracle = Oracle(config.action_names, "right")
    clicked = windows._replace(
        labels=np.where(windows.candidate_mask, windows.labels | np.uint64(0b0010), np.uint64(0))
    )
    contest = RankingContest(config, clicked)
    assert "click is left out of the gain: every impression of the day has it" in contest.gaps
    assert "click is left out" not in " ".join(RankingContest(config, windows).gaps)
    report = contest.judge(oracle).report
    # As if clicks had no weight, where the gain of an impression would be 1 at least.
    actions = [
        action.model_copy(update={"weight": 0.0}) if action.name == "click" else action
        for action in config.actions
    ]
    weightless = RankingContest(config.model_copy(update={"actions": actions}), clicked)
    expected = weightless.judge(oracle).report
    assert report["ndcg@5"] == pytest.approx(expected["ndcg@5"], abs=1e-3)
    assert report["gauc"] == pytest.approx(expected["gauc"], abs=1e-3), (
        "not None: some gain nothing"
    )


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
    three_days, windows
) -> None:
    day = datetime.date.fromisoformat(LAST)
    posts = three_days.artifact("validate_events", LAST).path("posts.parquet")
    collection = eligible_posts.collection_of(posts, three_days.config, day)
    contest = RetrievalContest(three_days.config, windows, collection)
    same = contest.judge(Same()).by_user
    chance = contest.judge(Random(three_days.config.action_names, 0)).by_user
    assert same is not None
    assert chance is not None
    np.testing.assert_allclose(same.values, chance.values)


def test_retrieval_without_anything_to_find_says_so(three_days, windows) -> None:
    config, day = three_days.config, datetime.date.fromisoformat(LAST)
    posts = three_days.artifact("validate_events", LAST).path("posts.parquet")
    collection = eligible_posts.collection_of(posts, config, day)
    assert not RetrievalContest(config, windows, collection).gaps
    nothing = windows._replace(labels=np.zeros_like(windows.labels))
    (sentence,) = RetrievalContest(config, nothing, collection).gaps
    assert sentence.startswith("no recall@20: nobody liked an eligible post")
