"""Files by local day with times of another zone, folded and labelled, against a slow definition.

Days on which clocks are changed: a local day has 23 or 25 hours, and an hour has two names or none.
"""

import datetime
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components.rows import action_logs, settlement
from components.rows.day_parts.day_arrivals import Arrivals
from components.rows.rules import KEY
from components.settings.config import Config
from components.source import source as sources
from components.store.artifacts import Store
from components.tables import data_files
from components.tables.event_ids import event_ids
from phoenix.data.days import DAY_MS, day_number, day_of_number
from schemas.events import INGESTED, REJECTED
from tests.components.plain_folding import plain_match, plain_times

HOUR = 3_600_000
FOLD_HOURS = 3
NUM_DAYS = 3
# User, post, hour in which it was done, hours until it arrived, actions, whether the writer of the
# file before went on into the hour of the arrival.
Event = tuple[int, int, int, int, int, bool]
logs = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.integers(1, 2),
        st.integers(0, 24 * NUM_DAYS - 1),
        st.sampled_from([0, 0, 0, 1, 2, 25, 49]),
        st.integers(1, 3),
        st.booleans(),
    ),
    min_size=1,
    max_size=25,
)
# Around the changes: twice in one hour, repeated, late and across midnights of three zones.
BORDERS: list[Event] = [
    *((1, 1, hour, 0, 1, False) for hour in (0, 1, 23, 24, 25, 26, 30, 47, 48, 49, 54)),
    *((1, 2, hour, delay, 2, True) for hour in (0, 23, 28, 47) for delay in (0, 2, 25)),
    (2, 1, 29, 0, 1, False), (2, 1, 30, 0, 1, False), (2, 1, 30, 0, 1, False),
    (2, 1, 31, 1, 2, False), (2, 2, 24, 49, 3, False), (2, 2, 27, 25, 1, False),
]  # fmt: skip
# The second of three days has the change: zone of the days, zone of the times.
CHANGES = {
    "Europe/Berlin Europe/Berlin": datetime.date(2026, 3, 29),
    "America/New_York Asia/Tokyo": datetime.date(2026, 11, 1),
    "UTC Europe/Paris": datetime.date(2026, 10, 25),
    "Pacific/Auckland America/New_York": datetime.date(2026, 4, 5),
}


@dataclass(frozen=True)
class Told:
    """A row as it is written, and what it means."""

    user: int
    post: int
    shown_at: int  # ms
    arrived_at: int
    actions: int
    file_day: datetime.date  # local
    account_day: int  # UTC, from 1970
    texts: Sequence[str]

    @property
    def shown_day(self) -> int:
        return self.shown_at // DAY_MS

    @property
    def turn(self) -> int:
        return max(self.arrived_at // DAY_MS - self.shown_day, 0)


def moment(ms: int, zone: str) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(ms / 1000, ZoneInfo(zone))


def read_back(text: str, zone: str) -> int:
    """The first moment that has this name."""
    local = datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=0)
    return round(local.timestamp() * 1000)


def told(event: Event, first: datetime.date, day_zone: str, time_zone: str) -> Told:
    """Writes an event down, and reads it as a person would."""
    user, post, hour, delay, actions, runs_on = event
    done = day_number(first) * DAY_MS + hour * HOUR
    texts = tuple(
        f"{moment(each, time_zone):%Y-%m-%dT%H:%M:%S}" for each in (done, done + delay * HOUR)
    )
    shown_at, arrived_at = (read_back(text, time_zone) for text in texts)
    file_day = moment(done + delay * HOUR - runs_on * (HOUR - 1), day_zone).date()
    start, end = (
        round(
            datetime.datetime.combine(day, datetime.time(), ZoneInfo(day_zone)).timestamp() * 1000
        )
        for day in (file_day, file_day + datetime.timedelta(days=1))
    )
    is_within = start <= shown_at < end + HOUR
    account_day = (shown_at if is_within else end - 1) // DAY_MS
    return Told(user, post, shown_at, arrived_at, actions, file_day, account_day, texts)


def config_of(folder: Path, first: datetime.date, day_zone: str, time_zone: str) -> Config:
    columns = {name: name for name in ("user_id", "post_id", "author_id", "shown_at")}
    return Config.model_validate(
        {
            "store": str(folder / "store"),
            "first_day": first - datetime.timedelta(days=2),
            "ingest_events": {
                "source": {
                    "layout": "columns",
                    "events": str(folder / "{day}.csv"),
                    "event_columns": {**columns, "ingested_at": "known_at"},
                    "time_unit": "iso",
                    "rows": "actions",
                    "fold_minutes": FOLD_HOURS * 60,
                    "day_zone": day_zone,
                    "time_zone": time_zone,
                }
            },
            # Of two moments of one name the later one may seem to have arrived before it was done.
            "validate_events": {"max_future_minutes": 120},
            "build_features": {"window_minutes": 60},
            "actions": [{"name": name, "weight": 1, "is_positive": True} for name in ("a", "b")],
        }
    )


def write(folder: Path, rows: Sequence[Told], days: Sequence[datetime.date]) -> None:
    header = "user_id,post_id,author_id,shown_at,known_at,a,b"
    for day in days:  # also those on which nothing came, as a logger writes them
        lines = [
            f"{row.user},{row.post},9,{','.join(row.texts)},{row.actions & 1},{row.actions >> 1}"
            for row in rows
            if row.file_day == day
        ]
        (folder / f"{day}.csv").write_text("\n".join([header, *lines]) + "\n")


def read(config: Config, day: datetime.date) -> tuple[pa.Table, pa.Table]:
    """The events and the late rows that arrived on a UTC day."""
    parts: list[list[pa.Table]] = [[], []]

    def take(*pieces: dict) -> None:
        for part, columns in zip(parts, pieces, strict=True):
            if len(columns["line"]):
                keys = (columns[name] for name in ("user_id", "post_id", "shown_at"))
                part.append(
                    data_files.arrow_table(INGESTED, {**columns, "event_id": event_ids(*keys)})
                )

    files = sources.open_source(config, Store(config.store))
    reading = files.read_day(day, take)
    assert not reading.rejections.rows
    nothing = INGESTED.schema().empty_table()
    events, late = (pa.concat_tables([nothing, *part]) for part in parts)
    return events, late


def settle(
    config: Config, day: int, events: pa.Table, late: pa.Table, accepted: dict[int, pa.Table]
) -> settlement.Settlement:
    late_days = {each // DAY_MS for each in data_files.columns(late)["shown_at"].tolist()}
    earlier = [
        accepted[each].select(KEY) for each in sorted({*late_days, day - 1}) if each in accepted
    ]
    arrivals = Arrivals(
        events=events,
        rejected=REJECTED.schema().empty_table(),
        late=late,
        earlier=pa.concat_tables([action_logs.no_impressions(), *earlier]),
    )
    return settlement.settle(arrivals, config, day_of_number(day))


Key = tuple[int, int, int]  # user, post, time
States = dict[Key, list[tuple[int, int]]]  # arrivals and the actions that they add


def settled_states(config: Config, days: Sequence[int]) -> tuple[set[Key], States]:
    """What the steps make: all days in order, then each again with what arrived for it."""
    read_days = {day: read(config, day_of_number(day)) for day in days}
    first: dict[int, pa.Table] = {}
    again: dict[int, pa.Table] = {}
    tables = []
    for day in days:
        settled = settle(config, day, *read_days[day], first)
        first[day] = settled.accepted
        is_late = data_files.columns(settled.labels)["shown_at"] < day * DAY_MS
        tables.append(settled.labels.filter(pa.array(is_late)))
    for day in days:
        late = pa.concat_tables(
            [read_days[each][1] for each in days if each > day] or [read_days[day][1].slice(0, 0)]
        )
        shown = data_files.columns(late)["shown_at"] // DAY_MS
        events = pa.concat_tables([read_days[day][0], late.filter(pa.array(shown == day))])
        settled = settle(config, day, events, read_days[day][1].slice(0, 0), again)
        again[day] = settled.accepted
        tables += [settled.accepted, settled.labels]
    states: States = defaultdict(list)
    for table in tables:
        columns = data_files.columns(table)
        for row in zip(
            *(
                columns[name].tolist()
                for name in ("user_id", "post_id", "shown_at", "ingested_at", "actions")
            ),
            strict=True,
        ):
            states[row[:3]].append(row[3:])
    accepted = {key for table in again.values() for key in _keys(table)}
    return accepted, states


def _keys(table: pa.Table) -> list[Key]:
    columns = data_files.columns(table.select(["user_id", "post_id", "shown_at"]))
    return list(zip(*(values.tolist() for values in columns.values()), strict=True))


def plain_states(rows: Sequence[Told], days: Sequence[int]) -> tuple[set[Key], States]:
    """The same by the definition."""
    fold = FOLD_HOURS * HOUR
    states: States = defaultdict(list)

    def of_days(*, runs_again: bool) -> dict[int, set[Key]]:
        starts: dict[int, set[Key]] = {}
        for day in days:
            own = [
                row
                for row in rows
                if row.shown_day == day and (runs_again or row.account_day == day)
            ]
            open_ones = [key for key in starts.get(day - 1, ()) if key[2] >= day * DAY_MS - fold]
            actions = [(row.user, row.post, row.shown_at, row.turn) for row in own]
            starts[day] = set()
            for row, time in zip(own, plain_times(actions, open_ones, fold), strict=True):
                if time >= day * DAY_MS:
                    starts[day].add((row.user, row.post, time))
                if runs_again:
                    states[row.user, row.post, time].append((row.arrived_at, row.actions))
        return starts

    before = of_days(runs_again=False)
    for row in rows:
        if row.account_day > row.shown_day:
            late_days = {
                each.shown_day
                for each in rows
                if each.account_day == row.account_day > each.shown_day
            }
            known = [
                key for day in {*late_days, row.account_day - 1} for key in before.get(day, ())
            ]
            match = plain_match((row.user, row.post, row.shown_at), known, fold, is_late=True)
            key = (row.user, row.post, row.shown_at if match is None else match)
            states[key].append((row.arrived_at, row.actions))
    after = of_days(runs_again=True)
    return set().union(*after.values()), states


def known_at(states: States, key: Key, time: int) -> int:
    actions = 0
    for arrived_at, added in states.get(key, ()):
        actions |= added if arrived_at <= time else 0
    return actions


@pytest.mark.parametrize("change", CHANGES)
@settings(deadline=None, max_examples=4)
@example(log=BORDERS)
@given(log=logs)
def test_folded_actions_and_late_labels_are_those_of_the_definition(
    change: str, log: list[Event]
) -> None:
    day_zone, time_zone = change.split()
    first = CHANGES[change] - datetime.timedelta(days=1)
    rows = [told(event, first, day_zone, time_zone) for event in log]
    file_days = [first + datetime.timedelta(days=each) for each in range(-2, NUM_DAYS + 4)]
    days = [day_number(first) + each for each in range(-1, NUM_DAYS + 3)]
    with tempfile.TemporaryDirectory() as name:
        config = config_of(Path(name), first, day_zone, time_zone)
        write(Path(name), rows, file_days)
        accepted, states = settled_states(config, days)
    expected, plain = plain_states(rows, days)
    assert accepted == expected
    moments = {row.arrived_at for row in rows}
    for key in accepted:
        for time in moments:
            assert known_at(states, key, time) == known_at(plain, key, time), (key, time)
