import datetime
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components.features import event_log, requests, shapes, windows_files
from components.features.impression_facts import ImpressionFacts
from components.features.state import State
from components.settings.attributes import AttributesConfig
from components.settings.config import Config
from components.tables.bucket_files import BucketFiles
from components.tables.data_files import IMPRESSIONS_FILE, WINDOWS_FILE
from phoenix.data.windows import Windows
from tests.components.event_rows import (
    NUM_DAYS,
    STEPS_PER_DAY,
    Row,
    build_days,
    build_features_of,
    config_of,
    created_at,
    day_of,
    ms,
)

SETTINGS = (
    {},
    {"history_days": 2, "gap_minutes": 240},
    {"history_days": 3, "history_length": 5, "attribution_minutes": 360},
)
# Few users over four days: ties, full windows and arrivals days later are common.
logs = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(0, NUM_DAYS * STEPS_PER_DAY - 1),
        st.sampled_from([0, 0, 0, 1, 2, 3, 7, 14, 30]),
        st.integers(1, 9),
    ),
    max_size=60,
    unique_by=lambda row: (row[0], row[1], row[3]),  # several states have a test of their own
)

# What stands at a border of every setting: midnights, as old as a history may be; shown or arrived
# at the end of a gap; more rows than a history holds, the last of them at that end.
BORDERS: list[Row] = [
    *((1, step, 0, step // 12 + 1) for step in (0, 11, 12, 23, 24, 36)),
    *((2, step, 0, step - 2) for step in (3, 4, 5, 6, 7, 8, 9, 10, 11)),
    (2, 12, 0, 1),
    *[(3, 7, 4, 1), (3, 8, 2, 2), (3, 9, 0, 3), (3, 10, 0, 4), (3, 11, 1, 5), (3, 12, 0, 6)],
    (3, 24, 0, 7),
]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block for every user or two, as a day of millions has."""
    monkeypatch.setattr(event_log, "BLOCK_ROWS", 4)


def plain_history(rows: list[Row], config: Config, user: int, cutoff: int, day: int) -> list[int]:
    """The definition: of what was over and had arrived, the latest."""
    section = config.build_features
    oldest = (day - section.history_days) * STEPS_PER_DAY
    known = sorted(
        (step, place, post)
        for place, (owner, step, delay, post) in enumerate(rows)
        if owner == user and oldest <= step < cutoff and step + delay <= cutoff
    )
    return [post for _, _, post in known][-section.history_length :]


def plain_windows(rows: list[Row], config: Config, day: int) -> list[tuple]:
    """The definition over the whole log: user, start, history, candidates."""
    section = config.build_features
    in_time = (section.attribution_minutes or 10**6) // 120
    shown = sorted(
        (user, step, place, post)
        for place, (user, step, delay, post) in enumerate(rows)
        if step // STEPS_PER_DAY == day and delay <= in_time
    )
    windows: list[list[tuple]] = []
    for event in shown:
        last = windows[-1] if windows else None
        if last and last[0][0] == event[0] and len(last) < 2 and event[1] - last[0][1] <= 2:
            last.append(event)
        else:
            windows.append([event])
    found = []
    for window in windows:
        user, start = window[0][:2]
        cutoff = start - section.gap_minutes // 120
        history = plain_history(rows, config, user, cutoff, day)
        found.append((user, ms(start), history, [event[3] for event in window]))
    return found


def listed(windows: Windows) -> list[tuple]:
    histories, candidates = windows.history_post_ids, windows.candidate_post_ids
    return [
        (
            windows.user_ids[n],
            windows.starts_at[n],
            [post for post in histories[n].tolist() if post],
            [post for post in candidates[n].tolist() if post],
        )
        for n in range(len(windows.user_ids))
    ]


@pytest.mark.parametrize("features", SETTINGS)
@settings(deadline=None, max_examples=8)
@example(rows=BORDERS)
@given(rows=logs)
def test_every_day_is_what_the_definition_makes_of_the_whole_log(
    features: dict, rows: list[Row]
) -> None:
    config = config_of(**features)
    spec = shapes.hash_spec(config.hashing)
    with tempfile.TemporaryDirectory() as name:
        folders = build_days(Path(name), rows, config)
        for day, folder in enumerate(folders):
            windows = windows_files.read_windows(folder, spec=spec)
            # Chunks come in order of slots.
            of_users = sorted(listed(windows), key=lambda window: window[0])
            assert of_users == plain_windows(rows, config, day)
            for side in ("history", "candidate"):
                posts, shown_at, found = (
                    getattr(windows, f"{side}_{name}")
                    for name in ("post_ids", "shown_at", "created_at")
                )
                expected = np.where(posts, created_at(posts, shown_at), 0)
                np.testing.assert_array_equal(found, expected, side)
            moment = day_of(day + 1)
            asked = requests.RequestLog(
                [folder / IMPRESSIONS_FILE],
                config,
                at=datetime.datetime.combine(moment, datetime.time(), datetime.UTC),
            ).windows(np.array([9, 3, 1]))
            end = (day + 1) * STEPS_PER_DAY
            assert [history for _, _, history, _ in listed(asked)] == [
                plain_history(rows, config, user, end, day + 1) for user in (9, 3, 1)
            ], "the feeds know more or less than the windows of the next day"


# Whose (a post or a user), the step since which it is known, and the value.
versions = st.lists(
    st.tuples(st.integers(1, 9), st.integers(-5, NUM_DAYS * STEPS_PER_DAY), st.integers(1, 99)),
    max_size=25,
)


def with_attributes(config: Config, folder: Path, known: list[tuple]) -> Config:
    """The configuration with what is said of users and posts, the same of both."""
    lines = "".join(f"{whose},{ms(step)},{value}\n" for whose, step, value in known)
    (folder / "known.csv").write_text("id,since,size\n" + lines)
    files = {"files": str(folder / "known.csv"), "id": "id", "known_at": "since"}
    size = {"column": "size", "kind": "raw", "default": -1}
    hour = {"column": "hour", "kind": "bucketized", "boundaries": [6, 18]}
    declared = [
        {"name": "hour", "side": "context"} | hour,
        {"name": "user_size", "side": "user"} | size,
        {"name": "post_size", "side": "post"} | size,
    ]
    chosen = {"users": files, "posts": files, "declared": declared}
    attributes = AttributesConfig.model_validate(chosen)
    return config.model_copy(update={"attributes": attributes})


def plain_value(known: list[tuple], whose: int, at: int) -> int:
    """The definition: of what was known by then, the latest; of one moment, the last row."""
    rows = [(ms(step), place, value) for place, (w, step, value) in enumerate(known) if w == whose]
    return max((row for row in rows if row[0] <= at), default=(0, 0, -1))[2]


@pytest.mark.parametrize("features", [{}, {"history_days": 3, "gap_minutes": 300}])
@settings(deadline=None, max_examples=6)
@given(rows=logs, known=versions)
def test_attributes_are_what_was_known_at_the_moment(
    features: dict, rows: list[Row], known: list[tuple]
) -> None:
    gap = features.get("gap_minutes", 0) * 60_000
    with tempfile.TemporaryDirectory() as name:
        config = with_attributes(config_of(**features), Path(name), known)
        spec = shapes.hash_spec(config.hashing)
        for day, folder in enumerate(build_days(Path(name), rows, config)):
            windows = windows_files.read_windows(folder, spec=spec)
            users = [plain_value(known, *each) for each in _moments(windows, gap)]
            assert windows.user_attributes[:, 0].tolist() == users
            for side in ("history", "candidate"):
                posts, shown_at, values = (
                    getattr(windows, f"{side}_{field}")
                    for field in ("post_ids", "shown_at", "attributes")
                )
                for place in np.argwhere(posts).tolist():
                    post, at = posts[*place], shown_at[*place]
                    hour = at // 3_600_000 % 24
                    expected = [plain_value(known, post, at - gap), 1 + (hour >= 6) + (hour >= 18)]
                    assert values[*place].tolist() == expected
                assert not values[posts == 0].any()
            end = day_of(day + 1)
            asked = requests.RequestLog(
                [folder / IMPRESSIONS_FILE],
                config,
                at=datetime.datetime.combine(end, datetime.time(), datetime.UTC),
            ).windows(np.array([9, 1]))
            # The file of a day knows nothing of the first moment after it.
            moment = ms((day + 1) * STEPS_PER_DAY) - 1
            of_users = [plain_value(known, user, moment) for user in (9, 1)]
            assert asked.user_attributes[:, 0].tolist() == of_users


def _moments(windows: Windows, gap: int) -> list[tuple[int, int]]:
    return list(zip(windows.user_ids.tolist(), (windows.starts_at - gap).tolist(), strict=True))


@settings(deadline=None, max_examples=5)
@example(
    rows=[
        (1, 37, 0, 1),
        (3, 0, 0, 1),
        *[(1, 0, 0, 1)] * 2,
        (2, 0, 0, 1),
        (1, 27, 0, 1),
        (1, 29, 0, 1),
    ]
)
@given(rows=logs)
def test_a_state_made_from_events_knows_of_posts_what_their_days_knew(rows: list[Row]) -> None:
    section = config_of(history_days=3).build_features
    with tempfile.TemporaryDirectory() as name:
        folders = build_days(Path(name), rows, config_of(history_days=3))
        events = tuple([Path(name) / f"events{number}"] for number in range(NUM_DAYS - 1))
        posts = {day_of(number): folders[number] for number in range(NUM_DAYS - 1)}
        state = State((), events, True, day_of(NUM_DAYS - 1), section, facts=ImpressionFacts(posts))
        again = Path(name) / "again"
        again.mkdir()
        build_features_of(state, Path(name) / f"events{NUM_DAYS - 1}", again)
        for file in (IMPRESSIONS_FILE, WINDOWS_FILE):
            # Rows, not bytes: blocks end elsewhere where a state brings fewer rows than events do.
            assert pq.read_table(again / file).equals(pq.read_table(folders[-1] / file))


def test_a_state_is_bounded_by_the_length_of_histories_and_by_their_days(tmp_path: Path) -> None:
    rows = [(1, step, 0, 5) for step in range(48)] + [(2, 0, 0, 5), (3, 0, 40, 5)]
    folders = build_days(tmp_path, rows, config_of(history_length=3, history_days=1))
    kept = [
        np.sort(BucketFiles([folder / IMPRESSIONS_FILE]).read(["user_id"])["user_id"].to_numpy())
        for folder in folders
    ]
    assert kept[0].tolist() == [1] * STEPS_PER_DAY + [2, 3]
    assert kept[1].tolist() == [1] * (3 + STEPS_PER_DAY) + [2, 3], "a day later they may count"
    assert kept[2].tolist() == kept[3].tolist() == [1] * (3 + STEPS_PER_DAY)
