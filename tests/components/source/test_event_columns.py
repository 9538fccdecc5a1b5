import datetime

import numpy as np
import pyarrow as pa

from components.source import event_columns
from components.source.known_posts import Columns, KnownPosts
from components.source.layouts import ActionRule, Layout
from components.source.raw_rows import RawRows
from components.source.row_checks import Rejections
from components.tables.id_texts import TextCollector
from phoenix.data.days import DAY_MS, midnight_ms

DAY = datetime.date(2026, 1, 2)
START = midnight_ms(DAY)


def layout_of(*, day_pattern: str | None = None, **more: str) -> Layout:
    columns = {"user_id": "u", "post_id": "p", "author_id": "a", "shown_at": "t"}
    return Layout(
        event_files=[],
        day_pattern=day_pattern,
        event_columns=columns | more,
        actions=[ActionRule(column="like"), ActionRule(column="stars", at_least=4)],
        time_unit="ms",
        dwell_unit="ms",
    )


def parse(layout: Layout, **cells: list) -> tuple[Columns, list[dict]]:
    """Two good rows, with other cells where they are given; the columns and what is rejected."""
    good = {"u": [7, 8], "p": [1, 2], "a": [5, 6], "t": [START, START + 1]}
    values = good | {"like": [1, 0], "stars": [5, 4]} | cells
    rows = RawRows("a.csv", np.array([2, 3]), {name: pa.array(c) for name, c in values.items()})
    rejections, texts = Rejections(), TextCollector()
    columns = event_columns.parse(layout, rows, DAY, KnownPosts(DAY, texts), rejections, texts)
    return columns, rejections.rows


def test_actions_are_bits_in_the_order_of_the_configuration() -> None:
    columns, _ = parse(layout_of(), stars=[3, 4])
    assert columns["actions"].tolist() == [0b01, 0b10]


def test_a_column_that_is_not_mapped_is_zero_and_dwell_is_in_seconds() -> None:
    columns, rejected = parse(layout_of())
    assert columns["surface"].tolist() == columns["dwell_seconds"].tolist() == [0, 0]
    columns, rejected = parse(layout_of(dwell_seconds="d", surface="s"), d=[1500, 1e300], s=[3, 0])
    assert columns["dwell_seconds"].tolist() == [1.5, np.float32(1e30)]
    assert (columns["surface"].tolist(), rejected) == ([3, 0], [])


def test_a_late_row_of_a_file_by_day_arrived_when_its_file_was_complete() -> None:
    times = [START - 1, START + 5]
    columns, _ = parse(layout_of(day_pattern="{day}.csv"), t=times)
    assert columns["ingested_at"].tolist() == [START + DAY_MS - 1, START + 5]
    columns, _ = parse(layout_of(), t=times)
    assert columns["ingested_at"].tolist() == times
    columns, _ = parse(layout_of(ingested_at="at"), t=times, at=[START, START + 9])
    assert columns["ingested_at"].tolist() == [START, START + 9]


def test_a_row_that_cannot_be_read_is_rejected_with_its_place() -> None:
    columns, (rejected,) = parse(layout_of(), u=["7", "x"])
    assert (columns["user_id"].tolist(), columns["line"].tolist()) == ([7], [2])
    assert (rejected["file"], rejected["line"], rejected["rule"]) == (
        "a.csv",
        3,
        "unreadable_number",
    )


def test_parts_without_a_row_are_left_out_of_the_whole() -> None:
    columns, _ = parse(layout_of())
    nothing = event_columns.rows_where(columns, np.zeros(2, bool))
    assert event_columns.concatenate([nothing, columns])["line"].tolist() == [2, 3]
    assert event_columns.concatenate([nothing]) == {}
