import json
from dataclasses import replace

import pyarrow as pa

from components.source import rejected_cells
from components.source.layouts import ActionRule, Layout
from schemas.events import QUARANTINED

LAYOUT = Layout(
    event_files=[],
    event_columns={"user_id": "u", "post_id": "p", "author_id": "a", "shown_at": "t"},
    actions=[ActionRule(column="like"), ActionRule(column="stars", at_least=4)],
    time_unit="s",
    dwell_unit="s",
    text_ids={"user_id": ""},
)
GOOD = {"u": "mary", "p": "4", "a": "5", "t": "1767225600", "like": "1", "stars": "2"}


def table(*raws: str | None) -> pa.Table:
    rows = [dict.fromkeys(QUARANTINED.names) | {"raw": raw} for raw in raws]
    return pa.Table.from_pylist(rows, schema=QUARANTINED.schema())


def test_each_cell_is_read_by_itself() -> None:
    raws = [
        json.dumps(GOOD | {"t": "never"}),
        json.dumps(GOOD | {"p": "x", "stars": "many"}),
        "expected 6 columns, got 1: short",
        None,
    ]
    rows, texts = rejected_cells.complete(table(*raws), LAYOUT)
    first, second, *others = rows.to_pylist()
    assert (first["post_id"], first["author_id"], first["shown_at"]) == (4, 5, None)
    assert (first["actions"], first["surface"], first["dwell_seconds"]) == (1, 0, 0.0)
    assert (second["post_id"], second["author_id"], second["actions"]) == (None, 5, None)
    assert second["shown_at"].isoformat() == "2026-01-01T00:00:00+00:00"
    assert [set(row.values()) for row in others] == [{raws[2], None}, {None}]
    (users,) = texts
    assert users.texts.to_pylist() == ["mary"]
    assert first["user_id"] == second["user_id"] == users.ids[0]
    assert rows.schema == table().schema


def test_rows_of_which_all_is_known_stay_as_they_are() -> None:
    rows = table(None)
    assert rejected_cells.complete(rows, LAYOUT) == (rows, [])


def test_what_was_served_is_read_so_that_a_mended_row_keeps_its_weight_and_its_own_id() -> None:
    served = {"source_event_id": "id", "sampling_rate": "rate", "position": "rank"}
    layout = replace(LAYOUT, event_columns={**LAYOUT.event_columns, **served})
    raws = [
        json.dumps(GOOD | {"t": "never", "id": "e-1", "rate": "0.1", "rank": ""}),
        json.dumps(GOOD | {"t": "never", "id": "", "rate": "2", "rank": "4"}),
        None,
    ]
    rows, _ = rejected_cells.complete(table(*raws), layout)
    names = ("source_event_id", "weight", "position")
    assert [tuple(row[name] for name in names) for row in rows.to_pylist()] == [
        ("e-1", 10.0, None),
        (None, 1.0, 4),
        (None, None, None),
    ]
    assert set(rows.column_names) == {*QUARANTINED.names, *names}
