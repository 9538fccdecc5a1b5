from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.features import event_log
from components.features.event_log import UserStream, side_by_side
from components.tables.bucket_files import BucketFiles
from schemas.buckets import NUM_SLOTS
from tests.components.event_rows import ms, write_day

EMPTY = (np.empty(0, np.int64), np.empty(0, np.int64))
rows = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 99)), max_size=30)


def stream(rows: list[tuple[int, int]], part: int) -> UserStream:
    users, values = np.array(sorted(rows), np.int64).reshape(-1, 2).T
    cuts = range(0, len(users), part)
    return UserStream([(users[n : n + part], values[n : n + part]) for n in cuts], empty=EMPTY)


@given(rows, rows, st.integers(1, 7), st.integers(1, 9))
def test_both_streams_leave_whole_and_by_the_same_users(
    first: list[tuple[int, int]], second: list[tuple[int, int]], part: int, size: int
) -> None:
    pairs = list(side_by_side(stream(first, part), stream(second, part), block_rows=size))
    for given_rows, side in ((first, 0), (second, 1)):
        users = np.concatenate([pair[side][0] for pair in pairs])
        values = np.concatenate([pair[side][1] for pair in pairs])
        assert list(zip(users, values, strict=True)) == sorted(given_rows)
    groups = [set(one[0].tolist()) | set(other[0].tolist()) for one, other in pairs]
    assert sum(map(len, groups)) == len(set.union(*groups)), "a user is in two blocks"


def test_a_block_holds_little_more_than_asked_for() -> None:
    users = [(user, 0) for user in range(1000) for _ in range(3)]
    pairs = side_by_side(stream(users, 10), stream(users, 10), block_rows=50)
    assert max(len(one[0]) + len(other[0]) for one, other in pairs) <= 100


def test_events_come_in_order_of_user_time_and_event(tmp_path: Path) -> None:
    log = [(2, 5, 0, 7), (1, 9, 0, 8), (1, 3, 0, 9), (1, 3, 0, 6)]
    files = [write_day(tmp_path / "a", log[:2]), write_day(tmp_path / "b", log)]
    events = event_log.in_order([BucketFiles([file]) for file in files], range(NUM_SLOTS))
    users, posts, _, times, *_, ids = events
    assert users.tolist() == [1, 1, 1, 1, 2, 2]
    assert posts.tolist() == [9, 6, 8, 8, 7, 7]
    assert ids.tolist() == [3, 4, 2, 2, 1, 1]
    assert times.tolist() == [ms(3)] * 2 + [ms(9)] * 2 + [ms(5)] * 2
    assert [array.dtype for array in events] == [array.dtype for array in event_log.NO_EVENTS]
