from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from components.features import state as feature_state
from components.features.impression_facts import ImpressionFacts
from components.features.state import State
from components.tables import bucket_files
from schemas.buckets import NUM_SLOTS
from tests.components.event_rows import config_of, day_of, write_day, write_posts

EVERYBODY = range(NUM_SLOTS)


def test_the_first_day_begins_with_nothing() -> None:
    state = State((), (), True, day_of(0), config_of().build_features)
    assert not state.slot_sizes().any()
    assert len(state.log(EVERYBODY).user_ids) == 0


def test_a_state_holds_what_a_history_of_the_day_may_need(tmp_path: Path) -> None:
    config = config_of(history_length=2, history_days=1, gap_minutes=240).build_features
    # The gap ends at step 10: the steps from there on are not history yet, step 9 has to arrive.
    rows = [(1, step, 5 if step == 9 else 0, step + 1) for step in range(12)]
    posts = ImpressionFacts({day_of(0): write_posts(tmp_path / "posts", 0)})
    events = ([write_day(tmp_path / "events", rows)],)
    state = State((), events, True, day_of(1), config, facts=posts)
    assert state.log(EVERYBODY).post_ids.tolist() == [8, 9, 10, 11, 12]
    tomorrow = State((), state.files, True, day_of(2), config, facts=posts)
    assert len(tomorrow.log(EVERYBODY).user_ids) == 0


def test_what_shapes_a_state_is_in_its_reach() -> None:
    reaches = [
        feature_state.reach(config_of(**change).build_features)
        for change in (
            {},
            {"history_length": 4},
            {"history_days": 4},
            {"gap_minutes": 4},
        )
    ]
    assert all(reach not in reaches[:place] for place, reach in enumerate(reaches))
    same = config_of(num_candidates=7, window_minutes=9).build_features
    assert feature_state.reach(same) == reaches[0]


def test_forgotten_users_leave_the_state(tmp_path: Path) -> None:
    config = config_of().build_features
    events = write_day(tmp_path / "events", [(1, 9, 0, 5), (2, 9, 0, 6), (3, 9, 0, 7)])
    posts = ImpressionFacts({day_of(0): write_posts(tmp_path / "posts", 0)})
    state = State((), ([events],), True, day_of(1), config, erased=(2, 9), facts=posts)
    assert state.log(EVERYBODY).user_ids.tolist() == [1, 3]


def test_a_state_is_read_by_slots_whatever_holds_it(tmp_path: Path) -> None:
    config = config_of(history_days=4).build_features
    rows = [(user, user % 12, 0, 5) for user in range(1, 200)]
    posts = ImpressionFacts({day_of(0): write_posts(tmp_path / "posts", 0)})
    path = write_day(tmp_path / "events", rows)
    bucket_files.write(tmp_path, "cut.parquet", pq.read_table(path), num_buckets=8)
    for files in ([path], bucket_files.paths(tmp_path, "cut.parquet")):
        state = State((), (files,), True, day_of(1), config, facts=posts)
        assert state.slot_sizes().sum() == len(rows)
        for slots in (range(3), range(3, 40), range(40, NUM_SLOTS)):
            log = state.log(slots)
            assert log.user_ids.tolist() == [
                user
                for user in range(1, 200)
                if bucket_files.slots_of(np.array([user]))[0] in slots
            ]
