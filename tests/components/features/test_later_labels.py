"""Labels that come later, from the raw rows to what every reader knows, against a definition.

Every row of these logs has two times: when its impression was shown, and when the row arrived.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components.contract import ExitCode
from components.features import day_windows, event_log, later_labels, shapes, windows_files
from components.features.day_windows import DayFiles
from components.features.impression_facts import ImpressionFacts
from components.features.state import State
from components.features.windows_files import FeaturesWriter, Known
from components.rows import settlement
from components.rows.day_parts.day_arrivals import Arrivals
from components.settings.config import Config
from components.tables import bucket_files, data_files
from components.tables.data_files import IMPRESSIONS_FILE
from components.tables.event_ids import event_ids
from phoenix.data.days import day_number
from phoenix.data.states import LabelRows
from schemas.buckets import NUM_SLOTS
from schemas.events import INGESTED, LABELS, REJECTED
from tests.components.event_rows import (
    NUM_DAYS,
    STEPS_PER_DAY,
    config_of,
    day_of,
    ms,
    write_posts,
)

# User, post, shown at step, arrives so many steps later, actions.
Event = tuple[int, int, int, int, int]
logs = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.integers(1, 3),
        st.integers(0, NUM_DAYS * STEPS_PER_DAY - 1),
        st.sampled_from([0, 0, 0, 1, 5, 12, 13, 30]),
        st.integers(0, 7),
    ),
    max_size=40,
)
# At midnight, of one arrival twice, in the order of neither time, and more often than a history is
# long.
BORDERS: list[Event] = [
    (1, 1, 11, 0, 0), (1, 1, 11, 1, 1), (1, 1, 11, 1, 2), (1, 1, 11, 13, 4), (1, 1, 12, 0, 0),
    (1, 2, 3, 30, 4), (1, 2, 3, 0, 1), *((2, 1 + n % 3, n, 0, 0) for n in range(9)),
    (2, 1, 0, 12, 7), (2, 3, 8, 5, 2), (2, 3, 8, 5, 1), (2, 2, 1, 12, 1), (2, 1, 36, 0, 0),
]  # fmt: skip
SETTINGS = (
    {"history_days": 4},
    {"history_days": 2, "gap_minutes": 240, "attribution_minutes": 720},
)


def config_with(**features: object) -> Config:
    actions = [{"name": f"a{n}", "weight": 1.0, "is_positive": True} for n in range(3)]
    return Config.model_validate({**config_of(**features).model_dump(), "actions": actions})


def arrival_day(event: Event) -> int:
    return (event[2] + event[3]) // STEPS_PER_DAY


def table_of(events: Sequence[Event]) -> pa.Table:
    users, posts, steps, delays, actions = np.array(events, np.int64).reshape(-1, 5).T
    columns = {
        "user_id": users,
        "post_id": posts,
        "author_id": posts + 100,
        "shown_at": ms(0) + steps * (ms(1) - ms(0)),
        "ingested_at": ms(0) + (steps + delays) * (ms(1) - ms(0)),
        "surface": np.zeros(len(users), np.int32),
        "actions": actions.astype(np.uint64),
        "dwell_seconds": np.zeros(len(users), np.float32),
        "file": np.full(len(users), "a", object),
        "line": np.arange(len(users)),
    }
    ids = event_ids(columns["user_id"], columns["post_id"], columns["shown_at"])
    return data_files.arrow_table(INGESTED, {**columns, "event_id": ids})


def build(folder: Path, log: list[Event], config: Config, *, runs_again: bool) -> list[Path]:
    """Makes the data steps of every day of what arrived on it; or again, when all is there."""
    folders: list[Path] = []
    for number in range(NUM_DAYS):
        of_day = [event for event in log if event[2] // STEPS_PER_DAY == number]
        on_time = [event for event in of_day if arrival_day(event) == number]
        later = sorted(set(of_day) - set(on_time), key=arrival_day) if runs_again else []
        late = [e for e in log if arrival_day(e) == number and e[2] // STEPS_PER_DAY < number]
        arrivals = Arrivals(
            events=table_of([*on_time, *later]),
            rejected=REJECTED.schema().empty_table(),
            late=table_of(late),
        )
        settled = settlement.settle(arrivals, config, day_of(number))
        folders.append(write_posts(folder / str(number), number))
        for name in ("accepted", "labels"):
            data_files.write(folders[-1] / f"{name}.parquet", getattr(settled, name))
        before = ([folders[-2] / IMPRESSIONS_FILE],) if number else ()
        state = State((), before, not before, day_of(number), config.build_features)
        facts = ImpressionFacts({state.day: folders[-1]})
        shape = shapes.shape_metadata(config.build_features)
        metadata = shape | later_labels.metadata(config.build_features)
        files = DayFiles([folders[-1] / "accepted.parquet"], [folders[-1] / "labels.parquet"])
        with FeaturesWriter(folders[-1], metadata) as writer:
            for block in day_windows.day_blocks(state, files, config.build_features, facts):
                writer.write(block)
    return folders


class Definition:
    """What was known at every moment, found by looking at all rows for every question."""

    def __init__(self, log: list[Event], config: Config, *, runs_again: bool) -> None:
        self.log, self.section = log, config.build_features
        # A day that is not run again has the impressions of which a row came in time.
        is_there = [runs_again or arrival_day(event) == event[2] // STEPS_PER_DAY for event in log]
        self.keys = {event[:3] for event, there in zip(log, is_there, strict=True) if there}

    def state(self, key: tuple, step: float) -> int | None:
        rows = [event for event in self.log if event[:3] == key and key[2] + event[3] <= step]
        return int(np.bitwise_or.reduce([event[4] for event in rows])) if rows else None

    def history(self, user: int, start: int) -> list[tuple[int, int, int]]:
        cutoff, day = start - self.section.gap_minutes // 120, start // STEPS_PER_DAY
        oldest = (day - self.section.history_days) * STEPS_PER_DAY
        rows = [
            (ms(key[2]), key[1], state)
            for key in self.keys
            if key[0] == user
            and oldest <= key[2] < cutoff
            and (state := self.state(key, cutoff)) is not None
        ]
        # Posts of one moment come in the order of their events.
        rows.sort(key=lambda row: (row[0], _id(user, row[1], row[0])))
        return rows[-self.section.history_length :]

    def labels(self, shown_day: int, reader_day: int) -> set[tuple[int, int, int, int]]:
        """User, post, time, label of the candidates of a day, for who reads on a later one."""
        found = set()
        for key in self.keys:
            limit: float = reader_day * STEPS_PER_DAY - 0.5
            first = min(event[3] for event in self.log if event[:3] == key)
            if self.section.attribution_minutes is not None:
                late = self.section.attribution_minutes // 120
                limit = min(limit, key[2] + late)
            state = self.state(key, limit)
            if key[2] // STEPS_PER_DAY == shown_day and state is not None:
                found.add((key[0], key[1], ms(key[2]), state))
                assert first <= limit - key[2]
        return found


def _id(user: int, post: int, shown_at: int) -> int:
    return int(event_ids(*(np.array([each]) for each in (user, post, shown_at)))[0])


def known_to(folders: list[Path], shown_day: int, reader_day: int, *, runs_again: bool) -> Known:
    """What a reader takes who knows all that arrived before its own day."""
    tables = [LABELS.schema().empty_table()]
    for folder in folders[shown_day + 1 : reader_day]:
        tables.append(data_files.read(folder / "labels.parquet", LABELS))
    labels = LabelRows(*data_files.columns(pa.concat_tables(tables)).values())
    halves = [range(NUM_SLOTS // 2), range(NUM_SLOTS // 2, NUM_SLOTS)]
    slots = bucket_files.slots_of(labels.user_ids)
    parts = [(own, labels.rows(np.isin(slots, own))) for own in halves]
    day = day_number(day_of(shown_day))
    labels = event_log.labels_by_day(parts, [day])[day]
    return Known(ms(reader_day * STEPS_PER_DAY) - 1, labels, drops_late_impressions=runs_again)


@pytest.mark.parametrize("runs_again", [False, True])
@pytest.mark.parametrize("features", SETTINGS)
@settings(deadline=None, max_examples=5)
@example(log=BORDERS)
@given(log=logs)
def test_every_reader_knows_each_action_from_its_arrival_on(
    features: dict, runs_again: bool, log: list[Event]
) -> None:
    config = config_with(**features)
    definition = Definition(log, config, runs_again=runs_again)
    spec = shapes.hash_spec(config.hashing)
    with tempfile.TemporaryDirectory() as name:
        folders = build(Path(name), log, config, runs_again=runs_again)
        for day, folder in enumerate(folders):
            for reader_day in range(day + 1, NUM_DAYS + 1):
                known = known_to(folders, day, reader_day, runs_again=runs_again)
                windows = windows_files.read_windows(folder, spec=spec, known=known)
                is_real = windows.candidate_mask
                users = np.repeat(windows.user_ids, is_real.sum(axis=1))
                columns = windows.candidate_post_ids, windows.candidate_shown_at, windows.labels
                found = list(zip(users, *(column[is_real] for column in columns), strict=True))
                assert len(found) == len(set(found))
                assert set(found) == definition.labels(day, reader_day), (day, reader_day)
            for row, user in enumerate(windows.user_ids.tolist()):
                start = int(windows.starts_at[row] - ms(0)) // (ms(1) - ms(0))
                history = zip(
                    windows.history_shown_at[row].tolist(),
                    windows.history_post_ids[row].tolist(),
                    windows.history_actions[row].tolist(),
                    strict=True,
                )
                assert [each for each in history if each[1]] == definition.history(user, start)


BY_DAY = """
ingest_events:
  source:
    layout: columns
    events: source/{day}.csv
    event_columns: {user_id: user_id, post_id: video_id, author_id: tab, shown_at: time_ms}
build_features: {history_length: 4, num_candidates: 2}
"""
STEPS = ("ingest_events", "validate_events", "build_features")
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


@pytest.fixture
def converted(deployment, row: Callable[..., dict]):
    """Post 1 is clicked on the first day and liked on the third."""
    deployment.configure(BY_DAY)
    first = row(-1440, user_id=1, video_id=1)
    deployment.log([first, row(-1439, user_id=1, video_id=2, is_click=0)], f"{DAYS[0]}.csv")
    deployment.log([row(0, user_id=1, video_id=3)], f"{DAYS[1]}.csv")
    deployment.log(
        [first | {"is_like": 1}, row(1440, user_id=1, video_id=4, is_click=0)], f"{DAYS[2]}.csv"
    )
    return deployment


def run_all(deployment, days: Sequence[str] = DAYS) -> None:
    for day in days:
        for name in STEPS:
            assert deployment.run(name, day)[0] in (ExitCode.DONE, ExitCode.NOTHING_TO_DO)


def histories(deployment, days: Sequence[str] = DAYS[1:]) -> list[list[tuple[int, int]]]:
    spec = shapes.hash_spec(config_of().hashing)
    found = []
    for day in days:
        folder = deployment.artifact("build_features", day).folder
        windows = windows_files.read_windows(folder, spec=spec)
        line = zip(windows.history_post_ids[0], windows.history_actions[0], strict=True)
        found.append([(int(post), int(actions)) for post, actions in line if post])
    return found


def test_a_late_label_leaves_its_impression_in_the_histories_before_it(converted) -> None:
    run_all(converted)
    as_known_then = [[(1, 2), (2, 0)], [(1, 2), (2, 0), (3, 2)]]
    assert histories(converted) == as_known_then
    third = converted.artifact("validate_events", DAYS[2]).facts
    assert (third["rows_in"], third["accepted"], third["late"]) == (2, 1, 1)
    assert (third["labels"], third["labels_by_day"]) == (1, {DAYS[0]: 1})
    assert "run_again" not in converted.record("validate_events", DAYS[2]), "it is no news of rows"
    run_all(converted)  # the first day now takes the row, and says the same
    assert histories(converted) == as_known_then
    converted.log([{**_row_of_fourth(converted)}], "2026-01-04.csv")
    run_all(converted, ["2026-01-04"])
    assert histories(converted, ["2026-01-04"]) == [[(1, 3), (2, 0), (3, 2), (4, 0)]]


def _row_of_fourth(deployment) -> dict:
    import csv

    with (deployment.source / f"{DAYS[1]}.csv").open() as file:
        row = next(csv.DictReader(file))
    return row | {"time_ms": str(int(row["time_ms"]) + 2 * 86_400_000), "video_id": "5"}
