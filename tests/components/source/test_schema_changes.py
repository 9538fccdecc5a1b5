from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.contract import ExitCode
from components.source.schema_changes import change
from schemas.events import INGESTED

Row = Callable[..., dict]
BY_DAY = """
ingest_events:
  source:
    layout: columns
    events: source/{day}.%s
    event_columns: {user_id: who, post_id: what, author_id: by, shown_at: at}
  %s
"""
TYPES = {"who": pa.int64(), "what": pa.int64(), "by": pa.int64(), "at": pa.int64()}
TYPES |= {"is_like": pa.int8(), "is_click": pa.int8()}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("int64", "int32", "narrowed"),
        ("int32", "int64", None),
        ("uint32", "int32", "narrowed"),
        ("uint32", "int64", None),
        ("int64", "uint64", "narrowed"),
        ("int64", "string", "retyped"),
        ("int64", "double", "retyped"),
        ("double", "float", "narrowed"),
        ("float", "double", None),
        ("timestamp[ms, tz=UTC]", "timestamp[s, tz=UTC]", "narrowed"),
        ("timestamp[ms, tz=UTC]", "timestamp[us, tz=UTC]", None),
        ("timestamp[ms, tz=UTC]", "timestamp[ms]", "retyped"),
        ("string", "dictionary<values=string, indices=int32, ordered=0>", None),
        ("text", "int64", None),
    ],
)
def test_a_type_may_grow_and_not_shrink_or_change(old: str, new: str, expected) -> None:
    assert change(old, new) == expected


def write(deployment, day: str, types: dict, rows: int = 4) -> None:
    deployment.source.mkdir(exist_ok=True)
    start = {"2026-01-01": 1_767_225_600_000, "2026-01-02": 1_767_312_000_000}[day]
    values = {"at": [start + n for n in range(rows)]}
    columns = {
        name: pa.array(values.get(name, list(range(1, rows + 1)))).cast(kind)
        for name, kind in types.items()
    }
    for name in ("is_like", "is_click"):
        if name in columns:
            columns[name] = pa.array([0] * rows).cast(types[name])
    pq.write_table(pa.table(columns), deployment.source / f"{day}.parquet")


def second_day(deployment, types: dict, more: str = "") -> tuple[int, dict]:
    deployment.configure(BY_DAY % ("parquet", more))
    write(deployment, "2026-01-01", TYPES)
    assert deployment.run("ingest_events", "2026-01-01")[0] == ExitCode.DONE
    write(deployment, "2026-01-02", types)
    return deployment.run("ingest_events", "2026-01-02")


def renamed(old: str, new: str) -> dict:
    return {new if name == old else name: kind for name, kind in TYPES.items()}


@pytest.mark.parametrize(
    ("types", "told"),
    [
        (renamed("who", "whom"), "the column 'who' of 2026-01-01 is gone; 'whom' looks like it"),
        (renamed("by", "zzzzzz"), "the column 'by' of 2026-01-01 is gone. Restore"),
        (TYPES | {"who": pa.int32()}, "'who' is narrowed: int64 on 2026-01-01, now int32"),
        (TYPES | {"who": pa.string()}, "'who' is retyped: int64 on 2026-01-01, now string"),
    ],
)
def test_a_change_that_loses_something_is_refused_by_name(deployment, types, told) -> None:
    code, outcome = second_day(deployment, types)
    assert code == ExitCode.BAD_DATA
    assert told in outcome["error"]
    assert "2026-01-02.parquet: " in outcome["error"]
    assert "set `ingest_events.schema_since: 2026-01-02`" in outcome["error"]
    assert deployment.store.head("ingest_events", "2026-01-02") is None


@pytest.mark.parametrize(
    "types", [TYPES | {"mood": pa.string()}, TYPES | {"is_like": pa.int64()}, TYPES]
)
def test_new_columns_and_wider_types_pass_and_are_recorded(deployment, types) -> None:
    code, facts = second_day(deployment, types)
    assert code == ExitCode.DONE
    assert facts["source"]["columns"] == {name: str(types[name]) for name in sorted(TYPES)}


def test_a_change_that_is_meant_is_taken_from_its_day_on(deployment) -> None:
    changed = TYPES | {"who": pa.int32()}
    assert second_day(deployment, changed, "schema_since: 2026-01-02")[0] == ExitCode.DONE


def test_a_column_of_text_that_was_renamed_is_refused_with_the_guess(deployment, row: Row) -> None:
    deployment.configure(
        "ingest_events: {source: {layout: columns, events: 'source/{day}.csv', event_columns: "
        "{user_id: user_id, post_id: video_id, author_id: video_id, shown_at: time_ms}}}\n"
    )
    deployment.log([row(-1440)], "2026-01-01.csv")
    assert deployment.run("ingest_events", "2026-01-01")[0] == ExitCode.DONE
    values = row(0)
    deployment.log([{"userid": values.pop("user_id"), **values}], "2026-01-02.csv")
    code, outcome = deployment.run("ingest_events", "2026-01-02")
    assert code == ExitCode.BAD_DATA
    assert "'user_id' of 2026-01-01 is gone; 'userid' looks like it" in outcome["error"]


def test_every_table_of_a_manifest_names_its_contract(deployment) -> None:
    second_day(deployment, TYPES)
    files = deployment.artifact("ingest_events").manifest["files"]
    assert files["events.parquet"]["schema"] == INGESTED.digest()
    assert all(entry["schema"] for entry in files.values())
