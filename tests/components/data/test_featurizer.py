import datetime
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components import data_files, featurizer
from components.config import Config
from components.errors import BadDataError
from phoenix.windows import Windows
from schemas.events import EVENTS

DAY = datetime.date(2026, 1, 2)
MIDNIGHT = 1_767_312_000_000
CONFIG = Config.model_validate(
    {
        "store": "store",
        "first_day": "2026-01-01",
        "ingest_events": {"source": {"layout": "synthetic"}},
        "actions": [{"name": "favorite", "is_positive": True}],
        "hashing": {"num_user_hashes": 1, "num_author_hashes": 3},
        "build_features": {"history_length": 3, "num_candidates": 2, "window_minutes": 1},
        "materialize_feeds": {"surface": 4},
    }
)
SPEC = featurizer.hash_spec(CONFIG.hashing)
# Two days of few users in steps of 20 seconds around midnight: ties and full windows are common.
events = st.lists(
    st.tuples(st.integers(1, 3), st.integers(-9, 9), st.integers(0, 4), st.integers(1, 9)),
    max_size=30,
)


def write_events(folder: Path, rows: list[tuple[int, int, int, int]]) -> list[Path]:
    """User, time in steps, delay in steps, post."""
    users, steps, delays, posts = np.array(rows, np.int64).reshape(-1, 4).T
    shown_at = MIDNIGHT + steps * 20_000
    columns = {
        "event_id": np.arange(1, len(rows) + 1)[::-1],
        "user_id": users,
        "post_id": posts,
        "author_id": posts + 100,
        "shown_at": shown_at,
        "ingested_at": shown_at + delays * 20_000,
        "surface": (posts % 3).astype(np.int32),
        "actions": (posts % 2).astype(np.uint64),
        "dwell_seconds": posts.astype(np.float32),
    }
    files = []
    for name, part in (("before", shown_at < MIDNIGHT), ("day", shown_at >= MIDNIGHT)):
        files.append(folder / f"{name}.parquet")
        table = {column: values[part] for column, values in columns.items()}
        data_files.write(files[-1], data_files.arrow_table(EVENTS, table))
    return files


def plain_windows(rows: list[tuple[int, int, int, int]]) -> list[tuple]:
    """The definition, one impression at a time: user, start, history, candidates."""
    log = sorted(
        (user, step, len(rows) - place, step + delay, post)
        for place, (user, step, delay, post) in enumerate(rows)
    )
    windows: list[list[tuple]] = []
    for event in (event for event in log if event[1] >= 0):
        last = windows[-1] if windows else None
        if last and last[0][0] == event[0] and len(last) < 2 and event[1] - last[0][1] <= 3:
            last.append(event)
        else:
            windows.append([event])
    found = []
    for window in windows:
        user, start = window[0][:2]
        known = [e[4] for e in log if e[0] == user and e[1] < start and e[3] <= start]
        found.append((user, start, known[-3:], [e[4] for e in window], window[0][2]))
    return found


@settings(deadline=None, max_examples=25)
@given(events)
def test_features_match_their_definition(rows: list[tuple[int, int, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ids, windows = featurizer.day_windows(write_events(Path(folder), rows), CONFIG, day=DAY)
    found = [
        (
            windows.user_ids[n],
            (windows.starts_at[n] - MIDNIGHT) // 20_000,
            [post for post in windows.history_post_ids[n].tolist() if post],
            [post for post in windows.candidate_post_ids[n].tolist() if post],
            ids[n],
        )
        for n in range(len(ids))
    ]
    assert found == plain_windows(rows)


def example(folder: Path) -> tuple[np.ndarray, Windows]:
    rows = [(1, -3, 0, 5), (1, -2, 0, 6), (1, 0, 0, 7), (1, 1, 0, 8), (1, 2, 0, 9), (2, 5, 0, 5)]
    return featurizer.day_windows(write_events(folder, rows), CONFIG, day=DAY)


def test_everything_of_an_impression_stays_together(tmp_path: Path) -> None:
    _, windows = example(tmp_path)
    posts = windows.history_post_ids
    is_real = posts != 0
    assert posts.tolist() == [[5, 6, 0], [6, 7, 8], [0, 0, 0]]
    np.testing.assert_array_equal(windows.history_author_ids, np.where(is_real, posts + 100, 0))
    np.testing.assert_array_equal(windows.history_surfaces, posts % 3)
    np.testing.assert_array_equal(windows.history_actions, posts % 2)
    np.testing.assert_array_equal(windows.history_dwell_seconds, posts)
    np.testing.assert_array_equal(windows.labels, windows.candidate_post_ids % 2)
    np.testing.assert_array_equal(windows.history_post_hashes, SPEC.post.hash_ids(posts))
    np.testing.assert_array_equal(
        windows.candidate_author_hashes, SPEC.author.hash_ids(windows.candidate_author_ids)
    )
    np.testing.assert_array_equal(windows.user_hashes, SPEC.user.hash_ids(windows.user_ids))
    assert windows.history_author_hashes.shape == (3, 3, 3)


def test_windows_survive_the_file(tmp_path: Path) -> None:
    ids, windows = example(tmp_path)
    path = tmp_path / "windows.parquet"
    featurizer.write_windows(path, windows, ids=ids, spec=SPEC)
    for name, one, other in zip(
        Windows._fields, windows, featurizer.read_windows(path, spec=SPEC), strict=True
    ):
        np.testing.assert_array_equal(one, other, name)
        assert one.dtype == other.dtype, name


def test_no_windows_survive_the_file_either(tmp_path: Path) -> None:
    ids, windows = example(tmp_path)
    path = tmp_path / "windows.parquet"
    featurizer.write_windows(path, windows.rows(slice(0, 0)), ids=ids[:0], spec=SPEC)
    again = featurizer.read_windows(path)
    assert again.history_post_hashes.shape == (0, 3, 2)


def test_windows_of_another_hashing_are_refused(tmp_path: Path) -> None:
    ids, windows = example(tmp_path)
    path = tmp_path / "windows.parquet"
    featurizer.write_windows(path, windows, ids=ids, spec=SPEC)
    other = featurizer.hash_spec(CONFIG.hashing.model_copy(update={"post_rows": 77}))
    with pytest.raises(BadDataError, match="build the features again"):
        featurizer.read_windows(path, spec=other)


def test_a_request_at_a_window_s_start_sees_the_window_s_history(tmp_path: Path) -> None:
    _, windows = example(tmp_path)
    files = [tmp_path / "before.parquet", tmp_path / "day.parquet"]
    for n in range(len(windows.user_ids)):
        at = datetime.datetime.fromtimestamp(windows.starts_at[n] / 1000, datetime.UTC)
        asked = featurizer.request_windows(
            files, CONFIG, user_ids=windows.user_ids[n : n + 1], at=at
        )
        for name in Windows._fields[:11]:
            np.testing.assert_array_equal(
                getattr(asked, name)[0],
                getattr(windows, name)[n],
                f"training is not serving: {name}",
            )


def test_candidates_of_a_request_are_hashed_like_those_of_training(tmp_path: Path) -> None:
    _, windows = example(tmp_path)
    posts, authors = np.array([[5, 6, 0], [7, 0, 0], [8, 9, 1]]), np.array([[1, 2, 0]] * 3)
    asked = featurizer.with_candidates(windows, CONFIG, post_ids=posts, author_ids=authors)
    np.testing.assert_array_equal(asked.candidate_post_hashes, SPEC.post.hash_ids(posts))
    assert asked.candidate_surfaces.tolist() == [[4, 4, 0], [4, 0, 0], [4, 4, 4]]
    assert not asked.labels.any()
    np.testing.assert_array_equal(asked.history_post_ids, windows.history_post_ids)
