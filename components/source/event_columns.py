"""From the raw rows of a source to the canonical columns of events."""

import datetime

import numpy as np

from components.source import own_authors
from components.source.described_posts import Columns, DescribedPosts
from components.source.layouts import Layout
from components.source.raw_rows import RawRows
from components.source.row_checks import Rejections, RowCheck
from components.tables.text_collector import TextCollector
from phoenix.data.days import DAY_MS, midnight_ms


def parse(
    layout: Layout,
    rows: RawRows,
    day: datetime.date,
    posts: DescribedPosts,
    rejections: Rejections,
    texts: TextCollector,
) -> Columns:
    """Returns the canonical columns of rows that can be read; rejects the others.

    Args:
      layout: The meaning of the source's columns.
      rows: n rows of one file; of lists, their entries.
      day: The day on which they arrived.
      posts: Who wrote which post, where rows do not say it.
      rejections: Takes the rows that cannot be read, and what is wrong with them.
      texts: Takes the texts of ids that are text, also of rows that cannot be read.

    Returns:
      `[k]` each, k <= n: the columns of `INGESTED` without `event_id`, of the optional ones those
      that the layout maps.
    """
    columns, count = layout.event_columns, len(rows.lines)
    check = RowCheck(count, layout.null_words)
    if layout.slates is not None:
        check.entries(rows, layout.slates.lists[0])
    ids = {
        name: check.identifier(
            rows, columns[name], layout.text_ids.get(name), texts.reader_that_takes(name)
        )
        for name in ("user_id", "post_id")
    }
    if "author_id" in columns:
        ids["author_id"] = check.identifier(
            rows,
            columns["author_id"],
            layout.text_ids.get("author_id"),
            texts.reader_that_takes("author_id"),
            otherwise=ids["post_id"],  # what nobody made is its own author
        )
        own_authors.keep_texts(layout, columns, rows, ids["post_id"], texts)
    events = ids | _parse_times(layout, rows, day, check)
    surface = np.zeros(count, np.int64)
    if "surface" in columns:
        surface = check.surface(rows, columns["surface"], layout.surfaces)
    events["surface"] = surface.astype(np.int32)
    dwell = np.zeros(count)
    if "dwell_seconds" in columns:
        dwell = check.number(rows, columns["dwell_seconds"])
    scale = 1_000 if layout.dwell_unit == "ms" else 1
    # Absurd values stay absurd in float32, for the row rules to name.
    events["dwell_seconds"] = np.clip(dwell / scale, -1e30, 1e30).astype(np.float32)
    actions = np.zeros(count, np.uint64)
    for bit, rule in enumerate(layout.actions):
        actions |= check.action(rows, rule).astype(np.uint64) << np.uint64(bit)
    events["actions"] = actions
    if "author_id" not in columns:
        events["author_id"], is_known = posts.authors_of(events["post_id"])
        post_ids = events["post_id"]
        check.mark(
            ~is_known,
            "unknown_author",
            rows,
            columns["post_id"],
            lambda row: f"a post whose author the post files name{posts.rejection(post_ids[row])}",
        )
    events |= served(layout, rows, check)
    events["file"] = np.broadcast_to(np.array(rows.file, object), count)
    events["line"] = rows.lines
    if rows.entries is not None:
        events["entry"] = rows.entries
    rejections.add("events", rows, check)
    return rows_where(events, check.is_good)


def _parse_times(layout: Layout, rows: RawRows, day: datetime.date, check: RowCheck) -> Columns:
    columns = layout.event_columns
    shown_at = check.time(rows, columns["shown_at"], *layout.time_form("shown_at"))
    arrived_at = shown_at
    if "ingested_at" in columns:
        arrived_at = check.time(rows, columns["ingested_at"], *layout.time_form("ingested_at"))
    elif layout.day_pattern is not None:
        # Of a late row nobody says when it arrived: it was known when its file was complete.
        is_late = shown_at < midnight_ms(day)
        arrived_at = np.where(is_late, midnight_ms(day) + DAY_MS - 1, shown_at)
    return {"shown_at": shown_at, "ingested_at": arrived_at}


def served(layout: Layout, rows: RawRows, check: RowCheck) -> Columns:
    """Returns the optional columns that are mapped; an empty cell is null, of a weight 1."""
    columns = layout.event_columns
    served: Columns = {
        name: check.text(rows, columns[name])
        for name in ("feed", "request_id", "source_event_id")
        if name in columns
    }
    if "position" in columns:
        served["position"] = check.optional_number(rows, columns["position"], is_whole=True)
    elif rows.entries is not None:
        served["position"] = rows.entries
    if rows.entries is not None and "source_event_id" in columns:
        # Of a slate that is told twice the same entries are repeats, not all of its entries.
        ids = served["source_event_id"]
        served["source_event_id"] = np.array(
            [each and f"{each}[{n}]" for each, n in zip(ids, rows.entries, strict=True)], object
        )
    if "propensity" in columns:
        served["propensity"] = check.optional_number(rows, columns["propensity"])
    if "weight" in columns:
        weight = check.optional_number(rows, columns["weight"])
        served["weight"] = np.where(np.isnan(weight), 1.0, weight)
    if "sampling_rate" in columns:
        rate = check.optional_number(rows, columns["sampling_rate"])
        rate[np.isnan(rate)] = 1.0
        # The weight that would come of another rate would not say what is wrong.
        is_bad = (rate <= 0) | (rate > 1)
        expected = "a rate above 0 and up to 1 (of one row in ten, 0.1)"
        check.mark(is_bad, "bad_sampling_rate", rows, columns["sampling_rate"], expected)
        served["weight"] = 1.0 / np.where(is_bad, 1.0, rate)
    return served


def rows_where(part: Columns, mask: np.ndarray) -> Columns:
    """Returns the rows at which a mask is true."""
    # Nearly always all rows pass: nothing is copied then.
    return part if mask.all() else {name: values[mask] for name, values in part.items()}
