"""Lists of posts: less what a user may not be shown, and new posts first where it says so."""

from pathlib import Path

import numpy as np

from components.serving.sources.lists import Fresh, Listed, Popular
from tests.components.serving.sources.conftest import HOUR, with_settings


def _rows(source, requests, count: int) -> list[list[int]]:
    return [[row for row in rows if row >= 0] for rows in source.find(requests, count).tolist()]


def test_popular_is_one_order_for_all_less_what_is_excluded(small) -> None:
    catalogue = small.catalogue
    values = catalogue.popular.encode_posts(catalogue.corpus.post_ids, catalogue.corpus.author_ids)
    best = [row for row in np.argsort(-values[:, 0], kind="stable").tolist() if row != 7]
    requests = small.requests([[1], [0]], excluded=([1], [best[0]]))
    assert _rows(Popular(catalogue), requests, 3) == [best[:3], best[1:4]]


def test_fresh_posts_are_the_users_nearest_or_else_the_newest(small) -> None:
    requests = small.requests([[1], [0]])
    # The query is along the first axis, from which the corpus turns away row by row.
    assert _rows(Fresh(small.catalogue), requests, 9) == [[0, 2, 4, 6], [0, 2, 4, 6]]
    requests.queries[0] = [0, 1]
    assert _rows(Fresh(small.catalogue), requests, 9) == [[6, 4, 2, 0], [0, 2, 4, 6]]


def test_fresh_posts_are_no_excluded_and_no_held_back_ones(small) -> None:
    requests = small.requests([[1], [0]], excluded=([0, 1], [0, 2]))
    assert _rows(Fresh(small.catalogue), requests, 2) == [[2, 4], [0, 4]]


def test_what_is_new_depends_on_the_moment_of_each_request(small) -> None:
    requests = small.requests([[1], [1]])
    requests.windows.starts_at[1] += 22 * HOUR
    assert _rows(Fresh(small.catalogue), requests, 9) == [[0, 2, 4, 6], [0, 2]]


def test_nobody_asks_for_fresh_posts(small) -> None:
    requests = small.requests([[1]])
    nobody = requests.windows.rows(slice(0, 0))
    empty = type(requests)(nobody, requests.queries[:0], requests.excluded)
    assert Fresh(small.catalogue).find(empty, 3).shape[0] == 0


def test_listed_posts_are_the_users_own_and_then_those_for_everybody(small, tmp_path: Path) -> None:
    path = tmp_path / "listed.csv"
    path.write_text("post_id,user_id\n5,\n2,1\n8,1\n99,1\n1,\n4,1\n5,1\n3,\n")
    config = with_settings(small.catalogue.config, listed_posts=path)
    source = Listed(small.catalogue._replace(config=config))
    # Post 8 is held back, and post 99 is not there; the third user may not be shown post 5.
    requests = small.requests([[0], [1], [1]], excluded=([2], [4]))
    found = [[row for row in rows if row != 7] for rows in _rows(source, requests, 5)]
    assert found == [[1, 3, 4, 0, 2], [4, 0, 2], [0, 2]]
    assert [rows[:2] for rows in _rows(source, requests, 2)] == [[1, 7], [4, 0], [0, 2]]
