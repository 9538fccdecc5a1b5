"""Scores and feeds by hand-computed numbers."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.recommend import scoring


def test_offset_follows_the_published_formula() -> None:
    weights = [0.5, 42.82, -367.22]  # the published sums: 43.32 and 367.22
    probabilities = np.array([[0.5, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.5]])
    expected = [0.251, 0.001, (-183.61 + 367.22) / 410.54 * 0.001]
    scores = scoring.weighted_scores(probabilities, weights).scores
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_a_broken_head_counts_as_zero_and_is_reported() -> None:
    probabilities = np.array([[np.nan, 0.5], [0.25, np.inf]])
    result = scoring.weighted_scores(probabilities, [1.0, 2.0])
    np.testing.assert_allclose(result.scores, [1.001, 0.251], rtol=1e-6)
    assert result.num_not_finite.tolist() == [1, 1]
    padded = scoring.weighted_scores(probabilities, [1.0, 2.0], np.array([False, True]))
    assert padded.num_not_finite.tolist() == [0, 1]


def test_without_weights_the_score_is_not_offset() -> None:
    assert scoring.weighted_scores(np.array([[0.5]]), [0.0]).scores.tolist() == [0.0]


def test_diversity_multipliers_by_hand() -> None:
    scores = np.array([[0.8, 0.9, 0.7, 0.6, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5]])
    posts = np.array([[1, 2, 3, 4, 5], [1, 2, 3, 4, 0]])
    authors = np.array([[7, 7, 8, 7, 7], [7, 0, 0, 8, 7]])
    expected = [[0.625, 1, 1, 0.4375, 0.34375], [1, 1, 1, 1, 1]]
    result = scoring.diversity_multipliers(scores, posts, authors, decay=0.5, floor=0.25)
    np.testing.assert_array_equal(result, np.float32(expected))


def test_diversity_moves_a_repeated_author_down() -> None:
    feed = scoring.feed(
        np.array([[0.9, 0.8, 0.6]], np.float32),
        np.array([[1, 2, 3]]),
        np.array([[7, 7, 8]]),
        length=3,
        author_decay=0.5,
        author_floor=0.25,
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
        feed = scoring.feed(
            scores[:, order],
            posts[:, order],
            authors[:, order],
            length=5,
            author_decay=0.5,
            author_floor=0.25,
        )
        return posts[0, order][feed.candidates[0]].tolist()

    assert served(np.arange(size)) == served(shuffled)


def test_padding_is_never_served() -> None:
    feed = scoring.feed(
        np.array([[0.1, 0.9]], np.float32),
        np.array([[5, 0]]),
        np.array([[1, 1]]),
        length=4,
        author_decay=0.5,
        author_floor=0.25,
    )
    assert feed.candidates.tolist() == [[0, -1]]
