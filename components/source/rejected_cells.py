"""The readable cells of rejected rows, so that who mends a row need not write them again."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.source import event_columns
from components.source.layouts import Layout
from components.source.raw_rows import RawRows
from components.source.row_checks import RowCheck
from components.tables.id_texts import IdTexts
from components.tables.text_collector import TextCollector
from schemas.events import QUARANTINED

Cells = tuple[np.ndarray, np.ndarray]  # values, and which of them could be read


def complete(rows: pa.Table, layout: Layout) -> tuple[pa.Table, Sequence[IdTexts]]:
    """Returns rows with what can be read of those that could not be, and the texts of their ids.

    Args:
      rows: In the schema `QUARANTINED`.
      layout: The columns of the source.
    """
    contents = [_content(raw) for raw in rows["raw"].to_pylist()]
    places = [place for place, content in enumerate(contents) if content]
    if not places:
        return rows, []
    texts = TextCollector()
    entries = None
    if "entry" in rows.column_names:
        entries = rows["entry"].take(pa.array(places)).fill_null(0).to_numpy()
    of_contents = [contents[place] for place in places]
    for name, (values, is_good) in _cells(layout, of_contents, entries, texts).items():
        field = QUARANTINED.with_optional([name]).schema().field(name)
        if name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
        index, column = rows.schema.get_field_index(name), rows[name].combine_chunks()
        of_rows, mask = np.zeros(len(rows), values.dtype), np.zeros(len(rows), bool)
        of_rows[places], mask[places] = values, is_good
        kind = pa.int64() if pa.types.is_timestamp(column.type) else column.type
        read = pa.array(of_rows, mask=~mask).cast(kind).cast(column.type)
        rows = rows.set_column(index, rows.schema.field(index), pc.fill_null(column, read))
    return rows, list(texts.texts().values())


def _content(raw: str | None) -> dict[str, Any]:
    """Returns the source columns of a row; nothing of one that does not have them."""
    try:
        content = json.loads(raw or "")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _cells(
    layout: Layout,
    contents: Sequence[Mapping[str, Any]],
    entries: np.ndarray | None,
    texts: TextCollector,
) -> dict[str, Cells]:
    """Reads each column by itself: that one is wrong says nothing of the others."""
    count, columns = len(contents), layout.event_columns
    cells = {
        name: pa.array([_text(content.get(name)) for content in contents], pa.string())
        for name in layout.value_columns
    }
    rows = RawRows("", np.arange(count), cells, entries=entries)

    def check() -> RowCheck:
        """Returns a check that has found nothing yet."""
        return RowCheck(count, layout.null_words)

    readable: dict[str, Cells] = {}
    for name in ("user_id", "post_id", "author_id"):
        if name in columns:
            of_ids, end = check(), layout.text_ids.get(name)
            ids = of_ids.identifier(rows, columns[name], end, texts.reader_that_takes(name))
            readable[name] = ids, of_ids.is_good
    for name in ("shown_at", "ingested_at"):
        if name in columns:
            of_times = check()
            times = of_times.time(rows, columns[name], *layout.time_form(name))
            readable[name] = times, of_times.is_good
    of_surfaces, of_dwell, of_actions = check(), check(), check()
    surface, dwell, actions = np.zeros(count, np.int64), np.zeros(count), np.zeros(count, np.uint64)
    if "surface" in columns:
        surface = of_surfaces.surface(rows, columns["surface"], layout.surfaces)
    if "dwell_seconds" in columns:
        dwell = of_dwell.number(rows, columns["dwell_seconds"])
    for bit, rule in enumerate(layout.actions):
        actions |= of_actions.action(rows, rule).astype(np.uint64) << np.uint64(bit)
    scale = 1_000 if layout.dwell_unit == "ms" else 1
    for name, values in event_columns.served(layout, rows, check()).items():
        readable[name] = values, np.asarray(pa.array(values, from_pandas=True).is_valid())
    return readable | {
        "surface": (surface.astype(np.int32), of_surfaces.is_good),
        "dwell_seconds": ((dwell / scale).astype(np.float32), of_dwell.is_good),
        "actions": (actions, of_actions.is_good),
    }


def _text(value: object) -> str | None:
    """Returns a cell as a text file would hold it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return None if value is None else str(value)
