"""Sources that start at what a user engaged with."""

import dataclasses
from pathlib import Path

import numpy as np

from components.serving.sources.histories import Authors, Similar
from tests.components.serving.sources.conftest import with_settings


def _rows(source, requests, count: int) -> list[list[int]]:
    return [[row for row in rows if row >= 0] for rows in source.find(requests, count).tolist()]


def test_authors_are_the_last_ones_first_and_each_in_turn(small) -> None:
    # Author 1 has rows 0, 2, 1 from the newest on, author 2 rows 3 and 4 of ages 100 and 3.
    requests = small.requests([[4, 1, 0], [1, 4, 4], [0, 0, 0], [7, 0, 0]])
    assert _rows(Authors(small.catalogue), requests, 4) == [[0, 4, 2, 3], [4, 0, 3, 2], [], []]


def test_authors_leave_out_what_is_excluded_and_what_was_no_engagement(small) -> None:
    requests = small.requests([[1, 4]], excluded=([0, 0], [4, 0]))
    assert _rows(Authors(small.catalogue), requests, 3) == [[3, 2, 1]]
    none = requests.windows._replace(history_actions=np.zeros((1, 2), np.uint64))
    assert _rows(Authors(small.catalogue), dataclasses.replace(requests, windows=none), 3) == [[]]


def test_a_post_that_was_liked_and_reported_was_no_engagement(small) -> None:
    requests = small.requests([[1, 4]])
    reported = requests.windows._replace(history_actions=np.array([[0b101, 0b001]], np.uint64))
    requests = dataclasses.replace(requests, windows=reported)
    assert _rows(Authors(small.catalogue), requests, 3) == [[4, 3]]


def test_similar_posts_are_near_the_mean_of_the_last_positives(small) -> None:
    requests = small.requests([[1, 7, 7, 7], [1, 1, 1, 0], [0, 0, 0, 0]])
    found = _rows(Similar(small.catalogue), requests, 3)
    assert found == [[6, 5, 4], [0, 1, 2], []]


def test_one_number_is_no_content(small) -> None:
    corpus = dataclasses.replace(small.catalogue.corpus, vectors=np.ones((8, 1), np.float32))
    source = Similar(small.catalogue._replace(corpus=corpus))
    assert _rows(source, small.requests([[1]]), 3) == [[]]


def test_authors_whom_a_user_follows_come_last_who_wrote_last_first(small, tmp_path: Path) -> None:
    path = tmp_path / "follows.csv"
    path.write_text("user_id,author_id\n1,2\n1,3\n1,1\n3,3\n3,2\n3,99\n")
    catalogue = small.catalogue._replace(
        config=with_settings(small.catalogue.config, followed_authors=path)
    )
    # User 1 engaged with author 2; of user 2 nothing is known; user 3 follows alone.
    requests = small.requests([[4], [0], [0]], excluded=([2], [5]))
    assert _rows(Authors(catalogue), requests, 5) == [[4, 0, 5, 3, 2], [], [4, 3]]
