import datetime
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components import contract
from components.errors import BadDataError
from components.quality import day_counts, day_statistics
from components.quality.day_statistics import DayStatistics
from components.run.context import Context
from components.settings.config import Config
from components.store.artifacts import Store
from components.tables import data_files
from phoenix.data import histograms
from schemas.events import EVENTS, LABELS

DAY = datetime.date(2026, 1, 2)
START = 1_767_312_000_000
CONFIG = Config.model_validate(
    {
        "store": "store",
        "first_day": "2026-01-01",
        "actions": [{"name": "favorite", "is_positive": True}, {"name": "click"}],
        "ingest_events": {"source": {"layout": "synthetic"}},
    }
)


def day_of_rows(number: int, seed: int = 0) -> pa.Table:
    generator = np.random.default_rng(seed)
    shown_at = START + np.sort(generator.integers(0, 80_000_000, number))
    posts = generator.integers(1, 30, number)
    columns = {
        "event_id": np.arange(1, number + 1),
        "user_id": generator.integers(1, 40, number),
        "post_id": posts,
        "author_id": posts % 5 + 1,
        "shown_at": shown_at,
        "ingested_at": shown_at + generator.integers(0, 9_000, number),
        "surface": generator.choice([0, 3, 12], number).astype(np.int32),
        "actions": generator.integers(0, 4, number).astype(np.uint64),
        "dwell_seconds": generator.exponential(5, number).astype(np.float32),
    }
    return data_files.arrow_table(EVENTS, columns)


def measured(rows: pa.Table, known: pa.Table | None = None) -> DayStatistics:
    counts = day_counts.count(rows, LABELS.schema().empty_table(), CONFIG.action_names, DAY)
    return day_statistics.measure(counts, known, CONFIG, DAY)


def test_numbers_are_those_that_one_counts_row_by_row() -> None:
    table = day_of_rows(500)
    rows = table.to_pylist()
    known = pa.table({"post_id": [2, 3, 5], "author_id": [3, 9, 1]})  # 3 was by another author
    day = measured(table, known)
    posts = {row["post_id"] for row in rows}
    surfaces = Counter(str(row["surface"]) for row in rows)
    last = max(row["shown_at"] for row in rows)
    waited = [(row["ingested_at"] - row["shown_at"]).total_seconds() / 60 for row in rows]
    midnight = datetime.datetime(2026, 1, 3, tzinfo=datetime.UTC)
    expected = {
        "volume": 500,
        "users": len({row["user_id"] for row in rows}),
        "posts": len(posts),
        "any_action": sum(row["actions"] > 0 for row in rows),
        "action_rates/favorite": sum(row["actions"] & 1 for row in rows) / 500,
        "action_rates/click": sum(row["actions"] >> 1 for row in rows) / 500,
        **{f"surfaces/{name}": count / 500 for name, count in surfaces.items()},
        "freshness/quiet_minutes": (midnight - last).total_seconds() / 60,
        "freshness/delay_minutes": sum(waited) / 500,
        "author_stable/changed_posts": 1,
        "unseen_posts": sum(row["post_id"] not in (2, 3, 5) for row in rows) / 500,
    }
    assert day.metrics == pytest.approx(expected, rel=1e-4)
    per_user = Counter(row["user_id"] for row in rows)
    assert day.histograms["rows_per_user"] == histograms.of_numbers(
        np.array(list(per_user.values()))
    )
    actions = day.histograms["action"].counts
    assert actions["(none)"] == sum(row["actions"] == 0 for row in rows)
    assert day.summary["hours"][5] == sum(row["shown_at"].hour == 5 for row in rows)


def test_two_authors_of_a_post_within_the_day_are_noticed_without_history() -> None:
    table = day_of_rows(2)
    both = table.set_column(2, "post_id", pa.array([7, 7])).set_column(
        3, "author_id", pa.array([1, 2])
    )
    day = measured(both)
    assert day.metrics["author_stable/changed_posts"] == 1
    assert "unseen_posts" not in day.metrics


def test_everything_is_unseen_after_a_day_without_posts() -> None:
    nothing = pa.table({"post_id": pa.array([], pa.int64()), "author_id": pa.array([], pa.int64())})
    day = measured(day_of_rows(5), nothing)
    assert day.metrics["unseen_posts"] == 1


def test_a_day_without_rows_is_counted_and_not_compared() -> None:
    day = measured(EVENTS.schema().empty_table())
    assert day.metrics == {"volume": 0, "users": 0, "posts": 0}
    assert day.histograms == {}
    assert day.summary["action_rates"] == {"favorite": 0, "click": 0}


def test_days_add_up_to_the_histograms_of_all_their_rows() -> None:
    parts = [day_of_rows(300, seed) for seed in (1, 2)]
    whole = measured(pa.concat_tables(parts)).histograms
    days = [measured(part).histograms for part in parts]
    for name in whole.keys() - {"rows_per_user"}:  # the same user comes on both days
        merged = histograms.merge(day[name] for day in days)
        assert merged.counts == whole[name].counts


def test_a_day_of_before_there_were_statistics_says_what_to_do(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    context = Context(contract.VALIDATE_EVENTS, CONFIG, DAY, store)
    with context.write(inputs=[], config={}) as draft:
        data_files.write(draft.folder / data_files.ACCEPTED_FILE, day_of_rows(5))
    later = Context(contract.VALIDATE_EVENTS, CONFIG, DAY + datetime.timedelta(days=1), store)
    message = "has no statistics.json: .*`phoenix step validate_events --day 2026-01-02`"
    with pytest.raises(BadDataError, match=message):
        day_statistics.read_past_days(later)
