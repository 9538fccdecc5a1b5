"""Measures of variety, by hand."""

import datetime

import numpy as np
import pytest

from components.release.corpus import Corpus
from components.serving.seen import SeenPosts
from components.serving.variety import Places, Variety
from phoenix.data.days import midnight_ms

DAY = datetime.date(2026, 1, 20)
HOUR = 3_600_000
NOTHING = SeenPosts.none()


def _variety(num_posts: int = 4, created: tuple[int, ...] = ()) -> Variety:
    ids = np.arange(num_posts) + 1
    corpus = Corpus(
        "a",
        ids,
        np.minimum(ids, 3),  # posts 3, 4 and so on are of one author
        np.ones(num_posts, bool),
        np.array(created or [0] * num_posts, np.int64),
        np.zeros((num_posts, 0), np.float32),
        np.ones((num_posts, 1), np.float32),
    )
    return Variety(corpus, DAY)


def _places(*feeds: list[int], is_ranked: bool = True) -> Places:
    posts = np.array([post for feed in feeds for post in feed])
    users = np.repeat(np.arange(len(feeds)) + 1, [len(feed) for feed in feeds])
    return Places(users, posts, np.minimum(posts, 3), np.full(len(posts), is_ranked))


@pytest.mark.parametrize("posts", [[1, 2, 3, 4], [1, 1, 1, 1], [1, 1, 2, 3], [4, 4, 4, 2, 2, 1]])
def test_the_gini_index_is_half_of_the_relative_mean_difference(posts: list[int]) -> None:
    variety = _variety()
    variety.add(_places(*([post] for post in posts)), NOTHING, NOTHING)
    counts = np.bincount(posts, minlength=5)[1:]
    expected = np.abs(counts[:, None] - counts).mean() / (2 * counts.mean())
    assert variety.report(len(posts))["gini"] == pytest.approx(expected)


def test_novelty_is_what_few_have_seen() -> None:
    variety = _variety()
    # Of three users all have seen post 1, and one post 2.
    shown = SeenPosts(np.array([7, 7, 8, 9]), np.array([1, 2, 1, 1]))
    variety.add(_places([1, 2, 3]), shown, NOTHING)
    assert variety.report(1)["novelty_bits"] == pytest.approx((0 + 1 + 2) / 3)


def test_a_place_is_repeated_where_the_user_was_ranked_anew_and_had_a_feed() -> None:
    variety = _variety()
    earlier = SeenPosts(np.array([1, 1, 3]), np.array([2, 4, 1]))
    variety.add(_places([1, 2], [1, 2]), NOTHING, earlier)
    assert variety.report(2)["repeated_share"] == 0.5
    variety.add(_places([2, 4], is_ranked=False), NOTHING, earlier)
    assert variety.report(3)["repeated_share"] == 0.5


def test_ages_run_to_the_end_of_the_day_and_new_authors_have_no_older_post() -> None:
    midnight = midnight_ms(DAY)
    variety = _variety(created=(midnight - HOUR, midnight + 2 * HOUR, 0, midnight + HOUR))
    variety.add(_places([1, 2, 3, 4]), NOTHING, NOTHING)
    report = variety.report(1)
    assert report["age_hours"] == [22, 22.5, 23, 24, 25]
    assert report["new_share"] == 0.5
    assert report["new_author_share"] == 0.25  # author 3 has an older post, of an unknown time


def test_nothing_is_said_of_no_feeds() -> None:
    report = _variety().report(0)
    names = ("gini", "repeated_share", "novelty_bits", "age_hours")
    assert [report[name] for name in names] == [None] * 4
