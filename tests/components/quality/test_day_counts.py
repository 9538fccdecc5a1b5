import datetime
import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from components.quality import day_counts
from components.quality.day_counts import DayCounts
from components.tables import data_files
from schemas.events import EVENTS, LABELS

DAY = datetime.date(2026, 1, 2)
START = 1_767_312_000_000
ACTIONS = ["favorite", "click"]


def rows_of(number: int, seed: int) -> pa.Table:
    generator = np.random.default_rng(seed)
    shown_at = START + generator.integers(0, 86_400_000, number)
    columns = {
        "event_id": np.arange(1, number + 1),
        "user_id": generator.integers(1, 20, number),
        "post_id": generator.integers(1, 9, number),
        "author_id": generator.integers(1, 3, number),
        "shown_at": shown_at,
        "ingested_at": shown_at + generator.integers(-5, 9_000, number),
        "surface": generator.choice([0, 3, 12], number).astype(np.int32),
        "actions": generator.integers(0, 4, number).astype(np.uint64),
        "dwell_seconds": generator.exponential(5, number).astype(np.float32),
    }
    return data_files.arrow_table(EVENTS, columns)


def counts_of(rows: pa.Table, unknown: Sequence[str] = ()) -> DayCounts:
    return day_counts.count(rows, LABELS.schema().empty_table(), ACTIONS, DAY, unknown)


@given(
    number=st.integers(0, 120),
    seed=st.integers(0, 2**32 - 1),
    num_parts=st.integers(1, 6),
)
def test_counts_of_users_add_up_to_those_of_all_of_them(
    number: int, seed: int, num_parts: int
) -> None:
    rows = rows_of(number, seed)
    of_part = rows["user_id"].to_numpy() % num_parts
    parts = [rows.filter(pa.array(of_part == part)) for part in range(num_parts)]
    merged = day_counts.merge([counts_of(part) for part in parts])
    whole = counts_of(rows)
    assert merged.posts.sort_by("post_id").equals(whole.posts.sort_by("post_id"))
    for name in set(DayCounts.__dataclass_fields__) - {"posts"}:
        assert getattr(merged, name) == getattr(whole, name), name


def test_the_order_of_rows_does_not_change_the_last_digit_of_a_mean() -> None:
    rows = rows_of(5_000, seed=1)
    times = np.random.default_rng(2).lognormal(0, 9, 5_000).astype(np.float32)
    index = rows.schema.get_field_index("dwell_seconds")
    rows = rows.set_column(index, rows.schema.field(index), pa.array(times))
    backwards = rows.take(pa.array(np.arange(len(rows))[::-1]))
    means = {counts_of(each).mean_dwell_seconds for each in (rows, backwards)}
    assert means == {math.fsum(times.tolist()) / len(times)}


def test_late_actions_are_labels_with_an_action_of_impressions_of_earlier_days() -> None:
    rows = rows_of(4, seed=5)
    columns = data_files.columns(
        rows.select([name for name in LABELS.names if name in rows.column_names])
    )
    columns |= {
        "shown_at": START + np.array([-1, -1, 0, 5]),
        "actions": np.array([1, 0, 1, 1], np.uint64),
    }
    labels = data_files.arrow_table(LABELS, columns)
    assert day_counts.count(rows, labels, ACTIONS, DAY).late_actions == 1


def test_an_action_that_the_day_could_not_know_has_no_count() -> None:
    counts = counts_of(rows_of(50, 3), unknown=["click"])
    assert list(counts.actions) == ["favorite", day_counts.NO_ACTION]
