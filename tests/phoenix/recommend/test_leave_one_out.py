"""Leave-one-out equals its definition: nothing of a target is seen, every rank is counted out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.recommend.leave_one_out import (
    Events,
    catalogue_hashes,
    hit_rate,
    ndcg,
    split,
    target_ranks,
)

NUM_POSTS = 9
SPEC = catalogue_hashes(NUM_POSTS)
USERS = st.lists(
    st.lists(st.integers(1, NUM_POSTS), min_size=3, max_size=12), min_size=1, max_size=5
)


def events(users):
    return [Events(np.array(user, np.int64), np.ones(len(user), np.uint64)) for user in users]


class FixedScores:
    """A retriever that gives every user the same score for each post."""

    name = "fixed"

    def __init__(self, scores):
        self.scores = np.array(scores, np.float32)

    def encode_users(self, windows):
        return np.ones((len(windows.user_ids), 1), np.float32)

    def encode_posts(self, post_ids, author_ids):
        return self.scores[post_ids - 1][:, None]


def test_every_post_of_a_small_catalogue_has_a_row_of_its_own():
    rows = SPEC.post.hash_ids(np.arange(NUM_POSTS + 1))[:, 0]
    np.testing.assert_array_equal(rows, np.arange(NUM_POSTS + 1))


@settings(deadline=None, max_examples=50)
@given(USERS, st.integers(2, 6))
def test_all_but_two_events_are_trained_on_once_each_and_targets_never(users, max_length):
    parts = split(events(users), max_length=max_length, hash_spec=SPEC)
    pieces = [row[row != 0].tolist() for row in parts.train.history_post_ids]
    for number, user in enumerate(users):
        kept = user[:-2]
        while kept:
            piece = pieces.pop(0)
            assert kept[-len(piece) :] == piece
            kept = kept[: len(kept) - len(piece) + 1] if len(piece) < len(kept) else []
        for back, part in ((2, parts.validation), (1, parts.test)):
            known = part.windows.history_post_ids[number]
            assert known[known != 0].tolist() == user[:-back][-max_length:]
            assert part.windows.candidate_post_ids[number, 0] == user[-back]
            assert part.seen[number].tolist() == user[:-back]
    assert not pieces


@settings(deadline=None, max_examples=50)
@given(
    USERS,
    st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan]), min_size=NUM_POSTS, max_size=NUM_POSTS),
    st.booleans(),
)
def test_a_rank_counts_all_that_is_not_worse(users, scores, is_masked):
    test = split(events(users), max_length=4, hash_spec=SPEC).test
    ranks = target_ranks(
        FixedScores(scores),
        test.windows,
        num_posts=NUM_POSTS,
        seen=test.seen if is_masked else None,
        lengths=[2],
    )
    for rank, user in zip(ranks, users, strict=True):
        target = user[-1]
        hidden = set(user[:-1]) - {target} if is_masked else set()
        others = [scores[post - 1] for post in range(1, NUM_POSTS + 1) if post not in hidden]
        assert rank == sum(not score < scores[target - 1] for score in others)


def test_hit_rate_and_ndcg_by_hand():
    ranks = np.array([1, 2, 11])
    assert hit_rate(ranks, 10) == pytest.approx(2 / 3)
    assert ndcg(ranks, 10) == pytest.approx((1 + 1 / np.log2(3)) / 3)


def test_a_log_without_a_user_to_judge_is_refused():
    with pytest.raises(ValueError, match="No user has the 3 events"):
        split(events([[1, 2]]), max_length=4, hash_spec=SPEC)
