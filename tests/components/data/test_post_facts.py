from pathlib import Path

import numpy as np
import pytest

from components.post_facts import DatedPostFacts, PostFacts
from tests.components.data.event_rows import STEPS_PER_DAY, created_at, day_of, ms, write_posts

POSTS = np.array([1, 2, 3, 4, 8, 99])


def test_a_post_is_found_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    facts = PostFacts.read(write_posts(tmp_path / "posts", 0))
    expected = [*created_at(POSTS[:3], np.full(3, ms(0))), 0, 0, 0]
    assert facts.created_at(POSTS).tolist() == expected
    assert facts.created_at(POSTS.reshape(2, 3)).shape == (2, 3)


def test_nothing_is_known_where_there_are_no_posts() -> None:
    nothing = PostFacts(np.empty(0, np.int64), np.empty(0, np.int64))
    assert nothing.created_at(POSTS).tolist() == [0] * 6


def test_an_impression_takes_what_its_own_day_knew(tmp_path: Path) -> None:
    days = {day_of(number): write_posts(tmp_path / str(number), number) for number in range(3)}
    steps = np.array([2, 0, 1, 2]) * STEPS_PER_DAY + 5
    posts, shown_at = np.array([1, 1, 1, 3]), np.array([ms(step) for step in steps])
    found = DatedPostFacts(days).created_at(posts, shown_at)
    assert len(set(found.tolist())) == 4
    np.testing.assert_array_equal(found, created_at(posts, shown_at))


def test_an_impression_of_another_day_is_a_bug(tmp_path: Path) -> None:
    facts = DatedPostFacts({day_of(0): write_posts(tmp_path / "posts", 0)})
    with pytest.raises(KeyError):
        facts.created_at(np.array([1]), np.array([ms(STEPS_PER_DAY)]))
