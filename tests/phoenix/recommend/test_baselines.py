"""The baselines: fitted by a stated formula, blind to order, the same after a round trip."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phoenix.data.engagement.counts import Ids, Outcomes, Tally
from phoenix.data.engagement.rates import POPULARITY, Rates
from phoenix.data.windows import Windows
from phoenix.recommend.baselines import (
    Collection,
    MostPopular,
    Random,
    load_baseline,
    save_baseline,
    serve,
)

ACTIONS = ("favorite", "click")


def counted(posts: list[int], authors: list[int], bits: list[int]) -> MostPopular:
    """The most popular recommender of some impressions."""
    tally = Tally(len(ACTIONS))
    nobody = np.ones(len(posts), np.int64)
    done = np.array(bits, np.uint64)
    tally.add(
        Ids(nobody, np.array(posts, np.int64), np.array(authors, np.int64), nobody),
        Outcomes(done, np.zeros_like(done), np.ones(len(posts))),
    )
    return MostPopular(ACTIONS, ("favorite",), Rates.of(tally.counts()))


FITTED = counted([10, 10, 10, 20, 30], [1, 1, 1, 1, 2], [3, 1, 0, 2, 1])


def windows(user_ids: list[int], candidates: list[list[int]]) -> Windows:
    """Windows without history."""
    users, posts = np.array(user_ids), np.array(candidates)
    wide = np.zeros((*posts.shape, 2), np.int32)
    history = np.zeros((len(users), 4), np.int64)
    return Windows(
        user_ids=users,
        starts_at=np.zeros(len(users), np.int64),
        user_hashes=np.zeros((len(users), 2), np.int32),
        user_attributes=np.zeros((len(users), 0), np.float32),
        history_post_ids=history,
        history_author_ids=history,
        history_post_hashes=np.zeros((len(users), 4, 2), np.int32),
        history_author_hashes=np.zeros((len(users), 4, 2), np.int32),
        history_shown_at=history,
        history_actions=history.astype(np.uint64),
        history_surfaces=history.astype(np.int32),
        history_dwell_seconds=history.astype(np.float32),
        history_created_at=history,
        history_attributes=np.zeros((*history.shape, 0), np.float32),
        candidate_post_ids=posts,
        candidate_author_ids=posts,
        candidate_post_hashes=wide,
        candidate_author_hashes=wide,
        candidate_shown_at=posts,
        candidate_surfaces=posts.astype(np.int32),
        candidate_created_at=np.zeros_like(posts),
        candidate_attributes=np.zeros((*posts.shape, 0), np.float32),
        labels=np.zeros(posts.shape, np.uint64),
        label_dwell_seconds=np.zeros(posts.shape, np.float32),
    )


def test_most_popular_retrieves_by_the_likes_to_be_expected() -> None:
    posts, authors = np.array([30, 10, 20, 99]), np.array([2, 1, 1, 7])
    vectors = FITTED.encode_posts(posts, authors)
    likes = FITTED.rates.smoothed(posts, authors)[:, 0]
    np.testing.assert_allclose(vectors[:, 0], likes * [2, 4, 2, 1], rtol=1e-6)


def test_retrieval_that_reads_counts_starts_from_the_same_likes() -> None:
    posts, authors = np.array([30, 10, 20, 99]), np.array([2, 1, 1, 7])
    known = FITTED.rates.popularity(posts, authors, np.array([True, False]))
    engagement = np.exp(known[:, POPULARITY.index("engagement")])
    np.testing.assert_allclose(engagement, FITTED.encode_posts(posts, authors)[:, 0], rtol=1e-5)


def test_most_popular_ranks_by_smoothed_rates() -> None:
    found = FITTED.predict(windows([1], [[10, 99]]))[0]
    expected = FITTED.rates.smoothed(np.array([10, 99]), np.array([10, 99]))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_of_a_log_without_negatives_most_popular_ranks_by_how_often_a_post_is_shown(
    tmp_path: Path,
) -> None:
    shown = [10] * 9 + [20] * 3 + [30]
    model = replace(counted(shown, [1] * 13, [1] * 13), is_among_drawn=True)
    posts = np.array([30, 10, 99, 20])
    found = model.predict(windows([1], [posts.tolist()]))[0, :, 0]
    # Beside an even share of the drawn posts, of which there are as many.
    n, share = np.array([1, 9, 0, 3]), 1 + 13 / 3
    rates = model.rates.smoothed(posts, posts)[:, 0]
    np.testing.assert_allclose(found, rates * (1 + n) / (1 + n + share), rtol=1e-6)
    assert posts[np.argsort(-found)].tolist() == [10, 20, 30, 99]
    save_baseline(tmp_path, model)
    loaded = load_baseline(tmp_path)
    np.testing.assert_array_equal(loaded.predict(windows([1], [posts.tolist()]))[0, :, 0], found)


def test_a_post_that_was_never_shown_is_ordered_by_its_author() -> None:
    model = counted([10] * 9 + [20] * 9, [1] * 9 + [2] * 9, [1] * 9 + [0] * 9)
    vectors = model.encode_posts(np.array([98, 99]), np.array([2, 1]))
    assert vectors[0, 0] < vectors[1, 0]


def test_most_popular_of_nothing_still_answers() -> None:
    empty = MostPopular(ACTIONS, ("click",), Rates.none(len(ACTIONS)))
    assert empty.predict(windows([1], [[10]])).tolist() == [[[0.5, 0.5]]]
    assert empty.encode_posts(np.array([1]), np.array([1])).tolist() == [[0.5]]


def test_names_of_actions_fit_the_rates() -> None:
    for actions, positive in ((ACTIONS[:1], ()), (ACTIONS, ("share",))):
        with pytest.raises(ValueError, match="names of 2 actions"):
            MostPopular(actions, positive, Rates.none(2))


@pytest.mark.parametrize("ranker", [FITTED, Random(ACTIONS, 3)], ids=["most_popular", "random"])
def test_prediction_does_not_depend_on_order_or_batch(ranker: MostPopular | Random) -> None:
    together = ranker.predict(windows([5, 6], [[10, 20, 30], [30, 10, 99]]))
    alone = ranker.predict(windows([6], [[99, 10]]))
    np.testing.assert_array_equal(alone[0], together[1, [2, 1]])


def test_random_is_uniform_and_gaussian_and_depends_on_the_seed() -> None:
    ids = np.arange(1, 4001)
    values = Random(ACTIONS, 3).predict(windows([7], [ids.tolist()]))
    assert 0 < values.min() < values.max() < 1
    np.testing.assert_allclose(values.mean(axis=(0, 1)), 0.5, atol=0.02)
    vectors = Random(ACTIONS, 3).encode_posts(ids, ids)
    np.testing.assert_allclose([vectors.mean(), vectors.std()], [0, 1], atol=0.02)
    assert not np.array_equal(vectors, Random(ACTIONS, 4).encode_posts(ids, ids))


def test_random_takes_any_seed() -> None:
    seeds = [0, 1, 2**59, 2**63 + 3, 2**64 + 5]  # as the configuration does
    vectors = [Random(ACTIONS, seed).encode_users(windows([7], [[1]])) for seed in seeds]
    assert all(np.isfinite(each).all() for each in vectors)
    assert len({each.tobytes() for each in vectors}) == len(seeds)


@pytest.mark.parametrize("model", [FITTED, Random(ACTIONS, 3)], ids=["most_popular", "random"])
def test_baselines_survive_a_round_trip(model: MostPopular | Random, tmp_path: Path) -> None:
    save_baseline(tmp_path / "model", model)
    save_baseline(tmp_path / "again", load_baseline(tmp_path / "model"))
    first = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}


def test_serving_collects_ranks_and_cuts() -> None:
    collection = Collection(
        np.array([10, 20, 30, 40]), np.array([1, 1, 1, 1]), np.array([True, True, True, False])
    )
    requests = windows([1, 2], [[0], [0]])
    excluded = (np.array([1]), np.array([0]))  # the second user saw post 10
    posts = serve(FITTED, collection, requests, 10, excluded=excluded)
    assert posts.tolist() == [[10, 30, 20, 0], [30, 20, 0, 0]]


def test_serving_from_an_empty_collection_returns_nothing() -> None:
    nothing = np.empty(0, np.int64)
    collection = Collection(nothing, nothing, np.empty(0, bool))
    assert serve(FITTED, collection, windows([1], [[0]]), 10).shape == (1, 0)


def test_a_folder_of_the_first_format_gives_the_same_answers(tmp_path: Path) -> None:
    posts, popularity = np.array([10, 20, 30]), np.array([7, 0, 2], np.float32)
    rates = np.array([[0.2, 0.5], [0.01, 0.3], [0.6, 0.9]], np.float32)
    overall = np.array([0.1, 0.4], np.float32)
    arrays = {"post_ids": posts, "popularity": popularity, "rates": rates, "global_rates": overall}
    for name, values in arrays.items():
        np.save(tmp_path / f"{name}.npy", values)
    description = {"kind": "most_popular", "actions": list(ACTIONS)}
    (tmp_path / "model.json").write_text(json.dumps(description))
    model = load_baseline(tmp_path)
    found = model.predict(windows([1], [[30, 10, 99]]))[0]
    np.testing.assert_allclose(found, [rates[2], rates[0], overall], rtol=1e-6)
    assert isinstance(model, MostPopular)
    vectors = model.encode_posts(posts, np.zeros(3, np.int64))
    np.testing.assert_allclose(vectors[:, 0], popularity, atol=1e-6)
