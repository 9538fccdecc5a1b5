import numpy as np
import pytest

from components.rows import row_kinds
from components.settings.config import Config
from components.tables import data_files
from schemas.events import EVENTS

SOURCE = {
    "layout": "columns",
    "events": "log.csv",
    "event_columns": {"user_id": "u", "post_id": "p", "author_id": "a", "shown_at": "t"},
}


def config(**source: str) -> Config:
    return Config.model_validate(
        {
            "store": "store",
            "first_day": "2026-01-01",
            "ingest_events": {"source": SOURCE | source},
            "actions": [{"name": "favorite", "is_positive": True}, {"name": "click"}],
        }
    )


def shares(posts: list[int], actions: list[int], minutes: list[int]) -> dict[str, float]:
    count = len(posts)
    columns = {
        "event_id": np.arange(1, count + 1),
        "user_id": np.ones(count, np.int64),
        "post_id": np.array(posts),
        "author_id": np.ones(count, np.int64),
        "shown_at": np.array(minutes) * 60_000,
        "ingested_at": np.array(minutes) * 60_000,
        "surface": np.zeros(count, np.int32),
        "actions": np.array(actions, np.uint64),
        "dwell_seconds": np.zeros(count, np.float32),
    }
    signs = row_kinds.count(data_files.arrow_table(EVENTS, columns), count)
    return row_kinds.measure([signs], count)


VISITS = [post for post in (1, 2, 3, 4) for _ in range(2)]


def test_views_that_are_followed_by_sales_look_like_actions() -> None:
    measured = shares(VISITS, [2, 1] * 4, list(range(8)))
    assert measured == {"one_action": 1.0, "repeated_post": 0.5}
    text = row_kinds.advice(measured, config())
    assert text is not None
    assert "100% have exactly one action" in text
    assert "`ingest_events.source.rows: actions`" in text
    assert row_kinds.advice(measured, config(rows="actions")) is None, "it is declared"


def test_a_handful_of_rows_is_enough_to_be_told_of() -> None:
    # Two customers: a view and a sale of one item by each, and a view of another item.
    measured = shares([100, 100, 101, 102, 102], [2, 1, 2, 2, 1], [0, 1, 2, 3, 3])
    assert row_kinds.advice(measured, config()) is not None


@pytest.mark.parametrize(
    ("posts", "actions", "minutes"),
    [
        (VISITS, [0, 1] * 4, range(8)),  # impressions, of which some are ignored
        (range(8), [1] * 8, range(8)),  # positives alone
        (VISITS, [2, 1] * 4, range(0, 800, 100)),  # a post that comes again hours later
        ([1] * 4, [1] * 4, range(4)),  # too few rows to say anything
    ],
)
def test_other_logs_do_not_look_like_actions(
    posts: list[int], actions: list[int], minutes: range
) -> None:
    measured = shares(list(posts), actions, list(minutes))
    assert row_kinds.advice(measured, config()) is None
