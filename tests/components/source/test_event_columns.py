import datetime

import numpy as np
import pyarrow as pa

from components.source import event_columns
from components.source.described_posts import Columns, DescribedPosts
from components.source.layouts import ActionRule, Layout
from components.source.raw_rows import RawRows
from components.source.row_checks import Rejections
from components.tables.text_collector import TextCollector
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
    columns = event_columns.parse(layout, rows, DAY, DescribedPosts(texts), rejections, texts)
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


SERVED = {
    "position": "rank",
    "feed": "release",
    "propensity": "chance",
    "request_id": "request",
    "source_event_id": "event",
}


def test_what_was_served_is_kept_where_it_is_mapped_and_an_empty_cell_is_null() -> None:
    columns, rejected = parse(
        layout_of(**SERVED),
        rank=["0", ""],
        release=[" 3f2a ", ""],
        chance=["0.25", None],
        request=["r-1", "NULL"],
        event=[17, None],
    )
    assert rejected == []
    np.testing.assert_array_equal(columns["position"], [0, np.nan])
    np.testing.assert_array_equal(columns["propensity"], [0.25, np.nan])
    assert columns["feed"].tolist() == ["3f2a", None]
    assert columns["request_id"].tolist() == ["r-1", "NULL"]
    assert columns["source_event_id"].tolist() == ["17", None]


def test_a_log_that_says_nothing_of_what_was_served_has_no_column_for_it() -> None:
    columns, _ = parse(layout_of())
    assert not {*SERVED, "weight"} & columns.keys()


def test_a_weight_is_one_over_the_sampling_rate_and_one_where_nobody_says() -> None:
    columns, _ = parse(layout_of(sampling_rate="rate"), rate=["0.1", ""])
    np.testing.assert_allclose(columns["weight"], [10, 1])
    columns, _ = parse(layout_of(weight="w"), w=[2.5, None])
    assert columns["weight"].tolist() == [2.5, 1.0]


def test_a_rate_that_is_none_is_rejected_and_says_so() -> None:
    columns, (percent, zero) = parse(layout_of(sampling_rate="rate"), rate=["10", "0"])
    assert len(columns["weight"]) == 0
    assert percent["rule"] == zero["rule"] == "bad_sampling_rate"
    assert percent["detail"] == (
        "rate: expected a rate above 0 and up to 1 (of one row in ten, 0.1), got '10'"
    )


def test_numbers_of_what_was_served_that_cannot_be_read_are_rejected() -> None:
    rows = {"rank": ["first", "2.5"], "chance": ["high", "1e999"]}
    for name, column in (("position", "rank"), ("propensity", "chance")):
        _, rejected = parse(layout_of(**{name: column}), **{column: rows[column]})
        assert [row["rule"] for row in rejected] == ["unreadable_number"] * 2
    _, (rejected,) = parse(layout_of(position="rank"), rank=["1", "3000000000"])
    assert rejected["detail"] == "rank: expected a whole number, or nothing, got '3000000000'"
