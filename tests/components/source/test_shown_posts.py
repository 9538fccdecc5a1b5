from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from components.source.shown_posts import ShownCollector, ShownPosts, remove
from components.tables.id_texts import IdTexts
from components.tables.text_collector import TextCollector

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
    collector = ShownCollector(TextCollector())
    collector.add(of(some))
    collector.add(of(others))
    found = collector.posts()
    first = {}
    for post, author, time in some + others:
        first[post] = min(first.get(post, (time, author)), (time, author))
    assert found.post_ids.tolist() == sorted(first)
    assert found.shown_at.tolist() == [first[post][0] for post in sorted(first)]
    assert found.author_ids.tolist() == [first[post][1] for post in sorted(first)]


def test_posts_come_back_as_they_were_kept(tmp_path: Path) -> None:
    posts = of([(3, 1, 5), (1, 2, 4)])
    posts.save(tmp_path / "posts.npy")
    assert ShownPosts.load(tmp_path / "posts.npy").digest() == posts.digest()
    assert of([(3, 1, 6), (1, 2, 4)]).digest() != posts.digest()


def test_texts_of_posts_and_authors_are_kept_and_removed_with_the_posts(tmp_path: Path) -> None:
    texts = {"post_id": IdTexts.of("post_id", np.array([3, 1]), pa.array(["c", "a"]))}
    posts = ShownPosts(np.array([1, 3]), np.array([2, 1]), np.array([4, 5]), texts)
    merged = ShownPosts.merge([posts, of([(7, 1, 1)])])
    merged.save(tmp_path / "posts.npy")
    loaded = ShownPosts.load(tmp_path / "posts.npy")
    assert loaded.texts["post_id"].names_of(loaded.post_ids) == ["a", "c", "7"]
    remove(tmp_path / "posts.npy")
    assert list(tmp_path.iterdir()) == []
