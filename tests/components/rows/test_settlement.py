"""The account of arbitrary days, held against counting row by row."""

import datetime
from collections import Counter

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from components.rows.account import FATES
from components.rows.day_parts.day_arrivals import Arrivals
from components.rows.settlement import settle
from components.settings.config import Config
from phoenix.data.days import DAY_MS, midnight_ms
from schemas.events import EVENTS, INGESTED, QUARANTINED, REJECTED

DAY = datetime.date(2026, 1, 20)
START = midnight_ms(DAY)
CONFIG = Config.model_validate(
    {
        "store": "store",
        "first_day": "2026-01-15",
        "ingest_events": {"source": {"layout": "synthetic"}},
        "actions": [{"name": "favorite", "is_positive": True}, {"name": "click"}],
        "validate_events": {"num_surfaces": 3, "late_days": 7},
    }
)
files = st.sampled_from(["a.csv", "b.csv", None])
rows = st.lists(
    st.tuples(files, st.integers(-1, 2), st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)),
    max_size=25,
)  # file, user, time, surface, actions
late = st.lists(st.tuples(files, st.integers(1, 9)), max_size=8)  # file, days too late
rejected = st.lists(files, max_size=5)


def ingested(values: list[tuple]) -> pa.Table:
    """File, user, time, surface and actions as rows that came."""
    columns = list(zip(*values, strict=True)) if values else [[]] * 5
    count = len(values)
    arrays = {
        "event_id": range(1, count + 1),
        "user_id": columns[1],
        "post_id": [5] * count,
        "author_id": [6] * count,
        "shown_at": columns[2],
        "ingested_at": columns[2],
        "surface": columns[3],
        "actions": columns[4],
        "dwell_seconds": [1.0] * count,
        "file": columns[0],
        "line": range(2, count + 2),
    }
    return pa.Table.from_arrays(
        [pa.array(list(arrays[f.name]), f.type) for f in INGESTED.schema()],
        schema=INGESTED.schema(),
    )


def settle_day(events: list, late_rows: list, bad: list):
    rejections = [
        {"table": "events", "file": f, "line": n, "rule": "malformed_row", "detail": "?", "raw": ""}
        for n, f in enumerate(bad)
    ]
    arrivals = Arrivals(
        events=ingested([(f, u, START + t, s, a) for f, u, t, s, a in events]),
        rejected=pa.Table.from_pylist(rejections, schema=REJECTED.schema()),
        late=ingested([(f, 1, START - days * DAY_MS, 0, 0) for f, days in late_rows]),
    )
    return settle(arrivals, CONFIG, DAY)


@settings(deadline=None, max_examples=30)
@given(rows, late, rejected)
def test_the_account_matches_counting_row_by_row(events, late_rows, bad) -> None:
    settlement = settle_day(events, late_rows, bad)
    expected: dict[str, Counter] = {}

    def count(file: str | None, fate: str) -> None:
        expected.setdefault(file or "(no file)", Counter()).update(["rows_in", fate])

    seen = set()
    for file, user, time, surface, _ in events:
        if user <= 0 or surface > 2:
            count(file, "quarantined")
        else:
            count(file, "duplicate" if (user, time) in seen else "accepted")
            seen.add((user, time))
    for file, days in late_rows:
        count(file, "late" if days <= 5 else "quarantined")  # the first day is five days before
    for file in bad:
        count(file, "quarantined")
    counts = {
        each["file"]: {k: v for k, v in each.items() if k != "file" and v}
        for each in settlement.files
    }
    assert counts == {file: dict(counter) for file, counter in expected.items()}
    assert settlement.account["rows_in"] == sum(settlement.account[fate] for fate in FATES)
    assert sum(settlement.late_by_day.values()) == settlement.account["late"]
    assert QUARANTINED.problems(settlement.quarantined.schema) == []
    assert EVENTS.problems(settlement.accepted.schema) == []


def test_a_row_tells_which_rule_it_breaks_first_and_with_what() -> None:
    settlement = settle_day(
        [("a.csv", -4, 0, 9, 0), ("a.csv", 1, DAY_MS, 0, 0)], [("b.csv", 8)], []
    )
    by_rule = {row["rule"]: row for row in settlement.quarantined.to_pylist()}
    assert by_rule["negative_id"]["detail"] == "user_id: expected an id above 0, got -4"
    assert by_rule["negative_id"]["user_id"] == -4
    assert by_rule["wrong_day"]["detail"] == (
        "shown_at: expected a time within 2026-01-20 UTC, got 2026-01-21 00:00:00.000Z"
    )
    assert by_rule["too_late"]["detail"] == (
        "shown_at: expected a time since 2026-01-15, got 2026-01-12 00:00:00.000Z"
    )
    assert (by_rule["too_late"]["file"], by_rule["too_late"]["line"]) == ("b.csv", 2)
