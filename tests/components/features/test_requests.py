import datetime
from pathlib import Path

import numpy as np
import pytest

from components.features import requests, shapes, windows_files
from components.tables.data_files import IMPRESSIONS_FILE
from tests.components.event_rows import build_days, config_of, day_of


def midnight_after(number: int) -> datetime.datetime:
    """The end of a day, which is the moment of its feeds."""
    return datetime.datetime.combine(day_of(number + 1), datetime.time(), datetime.UTC)


def test_a_request_has_the_history_that_had_arrived_by_then(tmp_path: Path) -> None:
    rows = [(1, 2, 0, 5), (1, 9, 9, 6), (1, 11, 0, 7), (2, 3, 0, 8)]
    config = config_of(history_days=2)
    first, second = build_days(tmp_path, rows, config)[:2]
    for folder, number, posts in ((first, 0, [5, 7]), (second, 1, [5, 6, 7])):
        windows = requests.RequestLog(
            [folder / IMPRESSIONS_FILE], config, at=midnight_after(number)
        ).windows(np.array([9, 1]))
        assert windows.user_ids.tolist() == [9, 1], "in the order of the request"
        assert not windows.history_post_ids[0].any(), "a user without history has an empty one"
        assert [post for post in windows.history_post_ids[1].tolist() if post] == posts
        assert windows.candidate_post_ids.tolist() == [[0], [0]], "candidates come later"


def test_the_moment_of_a_request_needs_a_time_zone(tmp_path: Path) -> None:
    folder = build_days(tmp_path, [(1, 0, 0, 5)], config_of())[0]
    with pytest.raises(TypeError, match="offset-naive"):
        requests.RequestLog(
            [folder / IMPRESSIONS_FILE], config_of(), at=midnight_after(0).replace(tzinfo=None)
        ).windows(np.array([1]))


def test_candidates_of_a_request_are_hashed_like_those_of_training(tmp_path: Path) -> None:
    config = config_of()
    spec = shapes.hash_spec(config.hashing)
    build_days(tmp_path, [(1, 0, 0, 5), (2, 1, 0, 6), (3, 2, 0, 7)], config)
    windows = windows_files.read_windows(tmp_path / "0", spec=spec)
    posts, authors = np.array([[5, 6, 0], [7, 0, 0], [8, 9, 1]]), np.array([[1, 2, 0]] * 3)
    requested = requests.with_candidates(
        windows,
        config,
        post_ids=posts,
        author_ids=authors,
        created_at=authors * 1000,
        of_posts=np.zeros((3, 3, 0)),
    )
    np.testing.assert_array_equal(requested.candidate_post_hashes, spec.post.hash_ids(posts))
    assert requested.candidate_surfaces.tolist() == [[4, 4, 0], [4, 0, 0], [4, 4, 4]]
    assert requested.candidate_created_at.tolist() == [
        [1000, 2000, 0],
        [1000, 0, 0],
        [1000, 2000, 0],
    ]
    assert not requested.labels.any()
    np.testing.assert_array_equal(requested.history_post_ids, windows.history_post_ids)
