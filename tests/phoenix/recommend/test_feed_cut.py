"""The cut of a feed equals its definition, whatever the order of its candidates."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.recommend import feed_cut
from phoenix.recommend.feed_cut import AuthorDiversity, Limit, Places, Quotas

DIVERSITY = AuthorDiversity(0.5, 0.25)


def test_diversity_multipliers_by_hand() -> None:
    scores = np.array([[0.8, 0.9, 0.7, 0.6, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5]])
    posts = np.array([[1, 2, 3, 4, 5], [1, 2, 3, 4, 0]])
    authors = np.array([[7, 7, 8, 7, 7], [7, 0, 0, 8, 7]])
    expected = [[0.625, 1, 1, 0.4375, 0.34375], [1, 1, 1, 1, 1]]
    result = feed_cut.diversity_multipliers(scores, posts, authors, decay=0.5, floor=0.25)
    np.testing.assert_array_equal(result, np.float32(expected))


def test_diversity_moves_a_repeated_author_down() -> None:
    feed = feed_cut.feed(
        np.array([[0.9, 0.8, 0.6]], np.float32),
        np.array([[1, 2, 3]]),
        np.array([[7, 7, 8]]),
        length=3,
        diversity=DIVERSITY,
    )
    assert feed.candidates.tolist() == [[0, 2, 1]]
    np.testing.assert_allclose(feed.scores, [[0.9, 0.6, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(feed.base_scores * feed.multipliers, feed.scores)


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_order_of_candidates_does_not_matter(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 8))
    posts = np.array([data.draw(st.permutations(range(1, 20)))[:size]])
    authors = np.array([data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))])
    choices = st.sampled_from([0.25, 0.5, 1.0])
    scores = np.array([data.draw(st.lists(choices, min_size=size, max_size=size))], np.float32)
    shuffled = np.array(data.draw(st.permutations(range(size))))

    def served(order: np.ndarray) -> list[int]:
        feed = feed_cut.feed(
            scores[:, order],
            posts[:, order],
            authors[:, order],
            length=5,
            diversity=DIVERSITY,
        )
        return posts[0, order][feed.candidates[0]].tolist()

    assert served(np.arange(size)) == served(shuffled)


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_no_group_has_more_places_than_it_may_and_none_is_no_group(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 9))
    posts = np.array([data.draw(st.permutations(range(10)))[:size]])  # 0 is padding
    scores = np.array(
        [data.draw(st.lists(st.floats(0, 1, width=32), min_size=size, max_size=size))]
    )
    some_groups = st.lists(st.integers(0, 2), min_size=size, max_size=size)
    limits = [
        Limit(np.array([data.draw(some_groups)]), data.draw(st.integers(1, 3))) for _ in range(2)
    ]
    feed = feed_cut.feed(
        scores,
        posts,
        np.zeros((1, size), int),
        length=5,
        diversity=DIVERSITY,
        places=Places(limits=limits),
    )
    best = sorted(np.flatnonzero(posts[0]), key=lambda c: (-scores[0, c], posts[0, c]))
    for limit in limits:
        left, counts = [], Counter[int]()
        for place in best:
            group = limit.groups[0, place]
            if group == 0 or counts[group] < limit.most:
                left.append(place)
            counts[group] += 1
        best = left
    assert [place for place in feed.candidates[0].tolist() if place >= 0] == best[:5]


def test_padding_is_never_served() -> None:
    feed = feed_cut.feed(
        np.array([[0.1, 0.9]], np.float32),
        np.array([[5, 0]]),
        np.array([[1, 1]]),
        length=4,
        diversity=DIVERSITY,
    )
    assert feed.candidates.tolist() == [[0, -1]]


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_quotas_hold_and_everything_else_is_the_best(data: st.DataObject) -> None:
    size, length = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 6))
    posts = np.array([data.draw(st.permutations(range(10)))[:size]])  # 0 is padding
    scores = np.array(
        [data.draw(st.lists(st.floats(0, 1, width=32), min_size=size, max_size=size))]
    )
    groups = np.array([data.draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))])
    first = data.draw(st.integers(0, length))
    least = {1: first, 2: data.draw(st.integers(0, length - first))}
    feed = feed_cut.feed(
        scores,
        posts,
        np.zeros((1, size), int),
        length=length,
        diversity=DIVERSITY,
        places=Places(quotas=Quotas(groups, least)),
    )
    places = [place for place in feed.candidates[0].tolist() if place >= 0]
    # The order of a feed: by score, then by lower post.
    best = sorted(np.flatnonzero(posts[0]), key=lambda c: (-scores[0, c], posts[0, c]))
    reserved = [
        place
        for group in (1, 2)
        for place in [place for place in best if groups[0, place] == group][: least[group]]
    ]
    others = [place for place in best if place not in reserved][: length - len(reserved)]
    assert places == [place for place in best if place in reserved or place in others]
