from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from components.rows.shown_posts import ShownCollector, ShownPosts
from schemas.posts import SHOWN_POSTS

impressions = st.lists(
    st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 9)), max_size=30
)


def of(rows: list[tuple[int, int, int]]) -> ShownPosts:
    return ShownPosts.of(*np.array(rows, np.int64).reshape(-1, 3).T)


@settings(deadline=None)
@given(impressions, impressions)
def test_each_post_has_its_first_impression_however_they_come(
    some: list[tuple[int, int, int]], others: list[tuple[int, int, int]]
) -> None:
    collector = ShownCollector()
    collector.add(of(some))
    collector.add(of(others))
    found = collector.posts()
    first = {}
    for post, author, time in some + others:
        first[post] = min(first.get(post, (time, author)), (time, author))
    assert found.post_ids.tolist() == sorted(first)
    assert found.shown_at.tolist() == [first[post][0] for post in sorted(first)]
    assert found.author_ids.tolist() == [first[post][1] for post in sorted(first)]


def test_posts_come_back_as_they_were_written(tmp_path: Path) -> None:
    of([(3, 1, 5), (1, 2, 4)]).write(tmp_path / "posts.parquet")
    posts = ShownPosts.read(tmp_path / "posts.parquet")
    assert posts.post_ids.tolist() == [1, 3]
    assert (posts.author_ids.tolist(), posts.shown_at.tolist()) == ([2, 1], [4, 5])
    table = pq.read_table(tmp_path / "posts.parquet")
    assert SHOWN_POSTS.problems(table.schema) == []


def test_posts_may_be_left_out() -> None:
    rest = of([(3, 1, 5), (1, 2, 4), (2, 2, 4)]).without(np.array([0, 1, 3, 9]))
    assert rest.post_ids.tolist() == [2]
    assert of([(3, 1, 5)]).without(np.empty(0, np.int64)).post_ids.tolist() == [3]
