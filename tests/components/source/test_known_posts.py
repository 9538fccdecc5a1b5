import datetime

import numpy as np

from components.source.known_posts import DAY_MS, KnownPosts
from components.source.shown_posts import ShownPosts
from components.tables.text_collector import TextCollector

DAY = datetime.date(1970, 1, 11)


def shown(*rows: tuple[int, int, int]) -> KnownPosts:
    """Posts that were shown: post, author, time."""
    posts = KnownPosts(DAY, TextCollector())
    for row in rows:
        posts.add_shown(ShownPosts.of(*(np.array([value]) for value in row)))
    return posts


def test_a_post_nobody_describes_is_as_old_as_its_first_impression() -> None:
    known = shown((5, 50, 300), (4, 40, 100), (5, 50, 200)).known()
    assert known["post_id"].tolist() == [4, 5]
    assert known["created_at"].tolist() == [100, 200]
    assert known["eligible"].all()


def test_the_first_impression_decides_between_two_authors() -> None:
    assert shown((5, 51, 300), (5, 50, 300), (5, 49, 400)).known()["author_id"].tolist() == [50]


def test_a_post_of_a_later_day_is_not_known_yet() -> None:
    known = shown((5, 50, 11 * DAY_MS - 1), (6, 50, 11 * DAY_MS)).known()
    assert known["post_id"].tolist() == [5]


def test_authors_of_unknown_posts_are_unknown() -> None:
    authors, is_known = shown().authors_of(np.array([3, 0]))
    assert authors.tolist() == [0, 0]
    assert is_known.tolist() == [False, True], "the row rules name an id 0 better"
