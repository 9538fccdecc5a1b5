from pathlib import Path

import numpy as np

from components.features.post_facts import PostFacts
from tests.components.event_rows import created_at, ms, write_posts

POSTS = np.array([1, 2, 3, 4, 8, 99])


def test_a_post_is_found_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    facts = PostFacts.read(write_posts(tmp_path, 0) / "posts.parquet")
    expected = [*created_at(POSTS[:3], np.full(3, ms(0))), 0, 0, 0]
    assert facts.created_at(POSTS).tolist() == expected
    assert facts.created_at(POSTS.reshape(2, 3)).shape == (2, 3)


def test_nothing_is_known_where_there_are_no_posts() -> None:
    nothing = PostFacts(np.empty(0, np.int64), np.empty(0, np.int64))
    assert nothing.created_at(POSTS).tolist() == [0] * 6
