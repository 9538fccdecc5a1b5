"""Pairs of users and posts become pairs of requests and posts, whole or block by block."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.serving.seen import SeenPairs, SeenPosts

ids = st.integers(1, 2**62)


def test_seen_posts_of_some_users_are_named_by_their_place() -> None:
    seen_posts = SeenPosts(np.array([3, 3, 5, 9]), np.array([10, 11, 10, 12]))
    pairs = seen_posts.of_users(np.array([3, 9, 20]))
    assert (pairs.places.tolist(), pairs.post_ids.tolist()) == ([0, 0, 1], [10, 11, 12])


@given(st.sets(st.tuples(ids, ids), max_size=20), st.sets(ids, max_size=5))
def test_pairs_of_users_equal_the_slow_definition(
    pairs: set[tuple[int, int]], strangers: set[int]
) -> None:
    users = sorted({user for user, _ in list(pairs)[::2]} | strangers)
    expected = [(users.index(user), post) for user, post in sorted(pairs) if user in users]
    columns = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    places, posts = SeenPosts(columns[:, 0], columns[:, 1]).of_users(np.array(users, np.int64))
    assert list(zip(places.tolist(), posts.tolist(), strict=True)) == expected


@given(st.lists(st.integers(0, 20), max_size=30).map(sorted), st.integers(1, 7))
def test_blocks_of_pairs_make_up_the_whole(places: list[int], size: int) -> None:
    pairs = SeenPairs(np.array(places, np.int64), np.arange(len(places)))
    together = []
    for start in range(0, 21, size):
        block = pairs.of_block(start, start + size)
        assert ((block.places >= 0) & (block.places < size)).all()
        together += zip((block.places + start).tolist(), block.post_ids.tolist(), strict=True)
    assert together == list(zip(places, range(len(places)), strict=True))


def test_nothing_seen_is_no_pair_of_anybody() -> None:
    assert len(SeenPosts.none().of_users(np.array([1, 2])).places) == 0
    assert len(SeenPairs.none().of_block(0, 5).post_ids) == 0
