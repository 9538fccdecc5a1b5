import datetime

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from components.config import Config
from components.row_rules import merged, rules

DAY = datetime.date(2026, 1, 2)
START = 1_767_312_000_000
CONFIG = Config.model_validate(
    {
        "store": "store",
        "first_day": "2026-01-01",
        "ingest_events": {"source": {"layout": "synthetic"}},
        "actions": [{"name": "favorite", "is_positive": True}, {"name": "click"}],
        "validate_events": {"num_surfaces": 3, "max_dwell_seconds": 60, "max_future_minutes": 1},
    }
)
# Two users, posts and times, so that most rows share their key with another.
events = st.lists(
    st.tuples(
        st.integers(1, 2), st.integers(1, 2), st.integers(0, 1), st.integers(0, 3),
        st.integers(0, 2), st.integers(0, 1), st.integers(0, 4),
    ),
    max_size=20,
)  # fmt: skip


def columns(rows: list[tuple]) -> dict[str, np.ndarray]:
    """User, post, time, actions, dwell, surface, delay of arrival."""
    user, post, time, actions, dwell, surface, delay = np.array(rows, np.int64).reshape(-1, 7).T
    return {
        "event_id": np.arange(1, len(rows) + 1),
        "user_id": user,
        "post_id": post,
        "author_id": post + 10,
        "shown_at": START + time,
        "ingested_at": START + time + delay,
        "surface": surface.astype(np.int32),
        "actions": actions.astype(np.uint64),
        "dwell_seconds": dwell.astype(np.float32),
    }


@settings(deadline=None)
@given(events)
def test_merging_matches_its_definition(rows: list[tuple]) -> None:
    result = merged(columns(rows), np.arange(len(rows)))
    groups: dict[tuple, list[tuple[int, tuple]]] = {}
    for event_id, row in enumerate(rows, start=1):
        groups.setdefault(row[:3], []).append((event_id, row))
    expected, exact, conflicting = [], 0, 0
    for (user, _, time), group in groups.items():
        versions = {row[3:6] for _, row in group}
        arrivals = [time + row[6] for _, row in group]
        actions = 0
        for _, row in group:
            actions |= row[3]
        arrival = max(arrivals) if len(versions) > 1 else min(arrivals)
        dwell = max(row[4] for _, row in group)
        expected.append((user, time, group[0][0], actions, dwell, group[0][1][5], arrival))
        exact += len(group) - len(versions)
        conflicting += len(versions) - 1
    kept = result.events
    found = zip(
        kept["user_id"], kept["shown_at"] - START, kept["event_id"], kept["actions"],
        kept["dwell_seconds"], kept["surface"], kept["ingested_at"] - START, strict=True,
    )  # fmt: skip
    assert list(found) == sorted(expected)
    assert (result.num_exact, result.num_conflicting) == (exact, conflicting)
    assert len(rows) == len(kept["event_id"]) + exact + conflicting


@settings(deadline=None)
@given(events, st.integers(0, 2**20 - 1))
def test_rows_that_are_left_out_change_nothing(rows: list[tuple], chosen: int) -> None:
    taken = np.flatnonzero([chosen >> number & 1 for number in range(len(rows))])
    whole = columns(rows)
    # Ids that need all 63 bits are sorted another way, to the same order.
    for shift in (0, 2**62):
        shifted = whole | {"user_id": np.where(whole["user_id"] > 1, shift + 2, 1)}
        some = {name: values[taken] for name, values in shifted.items()}
        expected = merged(some, np.arange(len(taken)))
        found = merged(shifted, taken)
        assert found.num_exact == expected.num_exact
        for name, values in expected.events.items():
            np.testing.assert_array_equal(found.events[name], values, err_msg=name)


def broken_by(**values: float) -> list[str]:
    good = columns([(1, 1, 0, 1, 1, 1, 0)])
    changed = {
        name: np.array([values[name]]).astype(array.dtype) if name in values else array
        for name, array in good.items()
    }
    return [broken.rule for broken in rules(changed, CONFIG, DAY) if broken.is_broken.any()]


def test_each_rule_breaks_where_it_says() -> None:
    late, day_ms = START + 60_001, 86_400_000
    cases = {
        "zero_id": [{"user_id": 0}, {"post_id": 0}, {"author_id": 0}],
        "negative_id": [{"user_id": -1}, {"post_id": -1}, {"author_id": -1}],
        "bad_surface": [{"surface": -1}, {"surface": 3}],
        "bad_dwell": [{"dwell_seconds": v} for v in (-0.5, 60.5, np.nan, np.inf)],
        "unknown_action": [{"actions": 4}],
        "future_timestamp": [{"shown_at": late, "ingested_at": START}],
        "wrong_day": [
            {"shown_at": START - 1},
            {"shown_at": START + day_ms, "ingested_at": START + day_ms},
        ],
    }
    for rule, changes in cases.items():
        for change in changes:
            assert broken_by(**change) == [rule], change


def test_values_at_the_limits_keep_the_rules() -> None:
    limits = {
        "surface": (0, 2),
        "dwell_seconds": (0, 60),
        "actions": (0, 3),
        "user_id": (1, 2**62),
        "shown_at": (START, START + 60_000),
    }
    for name, values in limits.items():
        for value in values:
            assert broken_by(**{name: value}) == [], (name, value)
    assert broken_by() == []
