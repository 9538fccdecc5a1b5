import numpy as np
import pyarrow as pa

from components.rows import engine_rows
from components.tables import data_files
from schemas.events import EVENTS, INGESTED

COLUMNS = {
    "event_id": np.array([1, 2, 3]),
    "user_id": np.array([4, 5, 6]),
    "post_id": np.array([7, 8, 9]),
    "author_id": np.array([1, 1, 1]),
    "shown_at": np.array([-1, 0, 1_767_312_000_000]),
    "ingested_at": np.array([0, 1, 2]),
    "surface": np.array([0, 1, 2], np.int32),
    "actions": np.array([0, 2**63, 2**64 - 1], np.uint64),
    "dwell_seconds": np.array([-0.0, 1.5, np.nan], np.float32),
    "file": np.array(["b", None, "a"], object),
    "line": np.array([1, 2, 3]),
}


def test_events_come_back_from_the_types_of_engines_to_the_bit() -> None:
    events = data_files.arrow_table(INGESTED, COLUMNS)
    rows, _ = engine_rows.to_engine(events)
    again = engine_rows.from_engine(rows)
    assert EVENTS.problems(again.schema) == []
    for name in set(EVENTS.names) - {"dwell_seconds"}:
        assert again[name].equals(events[name]), name


def test_engines_see_int64_one_zero_and_files_by_number() -> None:
    rows, files = engine_rows.to_engine(data_files.arrow_table(INGESTED, COLUMNS))
    types = {rows[name].type for name in ("shown_at", "ingested_at", "actions", "place")}
    assert types == {pa.int64()}
    assert rows["actions"].to_pylist() == [0, -(2**63), -1]
    assert not np.signbit(rows["dwell_seconds"].to_numpy()[0])
    assert [files[number] for number in rows["file"].to_pylist()] == ["b", "(no file)", "a"]


def test_a_day_without_a_row_has_no_file() -> None:
    rows, files = engine_rows.to_engine(INGESTED.schema().empty_table())
    assert (len(rows), len(files)) == (0, 0)
    assert EVENTS.problems(engine_rows.from_engine(rows).schema) == []


def test_what_was_served_comes_back_where_it_is_there() -> None:
    served = {
        "position": np.array([3, np.nan, 0]),
        "feed": np.array(["f", None, None], object),
        "propensity": np.array([0.5, np.nan, 1.0]),
        "weight": np.array([1.0, 10.0, 0.5]),
    }
    events = data_files.arrow_table(INGESTED, COLUMNS | served)
    again = engine_rows.from_engine(engine_rows.to_engine(events)[0])
    assert again.column_names == [*EVENTS.names, *served]
    assert again.schema == EVENTS.with_optional(served).schema()
    for name in served:
        assert again[name].equals(events[name]), name
