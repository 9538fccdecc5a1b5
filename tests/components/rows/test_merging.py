"""Repeated rows as impressions and labels, held against a definition."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from components.rows import engine_rows, merging
from components.rows.merging import Merged
from components.tables import data_files
from schemas.events import EVENTS, INGESTED, LABELS

START = 1_767_225_600_000
# User, post, time, actions, dwell, surface, delay of arrival; so few users, posts and times that
# most rows share their key with another.
events = st.lists(
    st.tuples(
        st.integers(1, 2), st.integers(1, 2), st.integers(0, 1), st.integers(0, 7),
        st.integers(0, 2), st.integers(0, 1), st.integers(0, 4),
    ),
    max_size=20,
)  # fmt: skip
Row = tuple[int, int, int, int, int, int, int]


def columns(rows: list[Row]) -> dict[str, np.ndarray]:
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
        "file": np.full(len(rows), "a", object),
        "line": np.arange(len(rows)),
    }


def merged(values: dict[str, np.ndarray]) -> tuple[pa.Table, Merged]:
    """The accepted rows, and what was made of those that are repeated."""
    rows = engine_rows.to_engine(data_files.arrow_table(INGESTED, values))[0]
    accepted, of_groups = merging.merge_repetitions(rows, np.arange(len(rows)))
    return engine_rows.from_engine(accepted), of_groups


def plain_states(group: list[tuple[int, Row]]) -> list[tuple[int, int, int]]:
    """Arrival, actions and dwell of each arrival that says something new."""
    states: list[tuple[int, int, int]] = []
    for arrival in sorted({row[2] + row[6] for _, row in group}):
        known = [row for _, row in group if row[2] + row[6] <= arrival]
        actions = 0
        for row in known:
            actions |= row[3]
        state = (arrival, actions, max(row[4] for row in known))
        if not states or states[-1][1:] != state[1:]:
            states.append(state)
    return states


@settings(deadline=None, max_examples=80)
@given(events)
def test_rows_become_what_was_first_known_and_labels(rows: list[Row]) -> None:
    groups: dict[tuple, list[tuple[int, Row]]] = {}
    for event_id, row in enumerate(rows, start=1):
        groups.setdefault(row[:3], []).append((event_id, row))
    expected, labels, outcomes = [], [], []
    num_exact = num_conflicting = num_conflicts = 0
    for (user, post, time), group in groups.items():
        first, *later = plain_states(group)
        surface = min(group, key=lambda each: (each[1][6], each[0]))[1][5]
        accepted_row = (user, time, group[0][0], post, surface)
        expected.append((*accepted_row, *first))
        outcomes.append((*accepted_row, first[0], *(later or [first])[-1][1:]))
        labels += [(user, time, post, *state) for state in later]
        versions = len({row[3:6] for _, row in group})
        num_exact += len(group) - versions
        num_conflicting += versions - 1
        num_conflicts += versions > 1
    accepted, of_groups = merged(columns(rows))
    names = ("user_id", "shown_at", "event_id", "post_id", "surface")
    signals = ("ingested_at", "actions", "dwell_seconds")
    assert listed(accepted, *names, *signals) == sorted(expected)
    last = merging.with_last_states(accepted, of_groups.last_states)
    assert EVENTS.problems(last.schema) == []
    assert listed(last, *names, *signals) == sorted(outcomes)
    assert listed(of_groups.labels, "user_id", "shown_at", "post_id", *signals) == sorted(labels)
    assert LABELS.problems(of_groups.labels.schema) == []
    counts = of_groups.counts
    found = (counts.num_exact, counts.num_conflicting, counts.num_conflicts)
    assert found == (num_exact, num_conflicting, num_conflicts)


def listed(table: pa.Table, *names: str) -> list[tuple]:
    values = data_files.columns(table)
    return [
        tuple(int(value) for value in row)
        for row in zip(
            *(values[name] - START * name.endswith("_at") for name in names), strict=True
        )
    ]


def test_the_union_of_actions_holds_all_64_bits() -> None:
    values = columns([(1, 1, 0, 0, 0, 0, 0)] * 3)
    values["actions"] = np.array([2**63 + 1, 2**62 + 1, 4], np.uint64)
    accepted, _ = merged(values)
    assert accepted["actions"].to_pylist() == [2**63 + 2**62 + 5]


def test_the_two_zeros_are_one() -> None:
    values = columns([(1, 1, 0, 0, 0, 0, 0)] * 2)
    values["dwell_seconds"] = np.array([-0.0, 0.0], np.float32)
    accepted, of_groups = merged(values)
    assert (of_groups.counts.num_exact, of_groups.counts.num_conflicts) == (1, 0)
    assert not np.signbit(accepted["dwell_seconds"].to_numpy()).any()


def test_labels_of_impressions_elsewhere_are_all_their_states() -> None:
    values = columns([(1, 1, 0, 1, 0, 0, 1), (1, 1, 0, 2, 0, 0, 3), (2, 1, 0, 0, 0, 0, 0)])
    rows = engine_rows.to_engine(data_files.arrow_table(INGESTED, values))[0]
    labels = merging.labels_of(rows)
    assert listed(labels, "user_id", "ingested_at", "actions") == [(1, 1, 1), (1, 3, 3), (2, 0, 0)]


def test_of_rows_that_are_merged_the_first_says_how_it_was_served() -> None:
    values = columns([(1, 1, 0, 1, 0, 0, 0), (1, 1, 0, 2, 0, 0, 0)])
    values |= {"position": np.array([4, 9]), "feed": np.array([None, "f"], object)}
    accepted, _ = merged(values)
    assert accepted.select(["position", "feed", "actions"]).to_pylist() == [
        {"position": 4, "feed": None, "actions": 3}
    ]


@settings(deadline=None, max_examples=40)
@given(events, st.integers(0, 2**20 - 1))
def test_rows_that_do_not_count_are_as_if_they_had_not_come(rows: list[Row], bits: int) -> None:
    table = engine_rows.to_engine(data_files.arrow_table(INGESTED, columns(rows)))[0]
    places = np.array([n for n in range(len(rows)) if bits >> n & 1], np.int64)
    alone = table.take(pa.array(places))
    accepted, of_groups = merging.merge_repetitions(table, places)
    expected, of_others = merging.merge_repetitions(alone, np.arange(len(places)))
    assert accepted.equals(expected)
    assert of_groups.labels.equals(of_others.labels)
    assert of_groups.counts == of_others.counts
