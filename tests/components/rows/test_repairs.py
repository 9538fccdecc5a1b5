import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pytest

from components.errors import BadDataError
from components.rows import repairs
from components.rows.row_texts import RowTexts
from components.settings.config import Config
from components.tables.id_texts import IdTexts
from schemas.events import INGESTED, QUARANTINED

CONFIG = Config.model_validate(
    {
        "store": "store",
        "first_day": "2026-01-01",
        "ingest_events": {"source": {"layout": "synthetic"}},
        "actions": [{"name": "favorite", "is_positive": True}, {"name": "click"}],
    }
)
ROW = {
    "event_id": 5,
    "user_id": 7,
    "post_id": 3,
    "author_id": 9,
    "shown_at": 1_767_312_000_000,
    "ingested_at": 1_767_312_000_001,
    "surface": 1,
    "actions": 3,
    "dwell_seconds": 2.5,
    "file": "log.csv",
    "line": 12,
}
REASON = {"rule": "bad_surface", "detail": "surface: expected 0 to 3, got 9", "raw": None}


def table(rows: list[dict], contract) -> pa.Table:
    return pa.Table.from_arrays(
        [pa.array([row[f.name] for row in rows], f.type) for f in contract.schema()],
        schema=contract.schema(),
    )


def test_what_was_exported_is_read_as_it_was(tmp_path) -> None:
    file = tmp_path / "2026-01-02.csv"
    repairs.export(file, [(table([ROW | REASON], QUARANTINED), RowTexts())], CONFIG)
    assert "favorite click" in file.read_text()
    (row,) = repairs.read(file, CONFIG).rows.to_pylist()
    expected = table([ROW], INGESTED).to_pylist()[0]
    assert {k: v for k, v in row.items() if k != "event_id"} == {
        k: v for k, v in expected.items() if k != "event_id"
    }


def test_a_file_of_other_columns_is_refused_by_name(tmp_path) -> None:
    file = tmp_path / "2026-01-02.csv"
    csv.write_csv(pa.table({"file": ["log.csv"]}), file)
    with pytest.raises(BadDataError, match=r"2026-01-02.csv: expected the columns .* no line"):
        repairs.read(file, CONFIG)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",12,7,3,9,", ",twelve,7,3,9,", "in line 2 'line' of the type int64, got 'twelve'"),
        (",7,3,9,", ",7,3,", "a CSV file that can be read: "),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(tmp_path, old, new, message) -> None:
    file = tmp_path / "2026-01-02.csv"
    repairs.export(file, [(table([ROW | REASON], QUARANTINED), RowTexts())], CONFIG)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    for read in (repairs.read, repairs.texts):
        with pytest.raises(BadDataError) as error:
            read(file, CONFIG)
        assert str(error.value).startswith(f"{file}: expected {message}")
        assert str(error.value).endswith("or take it out of `validate_events.repairs`.")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (",7,3,9,", ",,3,9,", "expected a value of 'user_id', got none"),
        (",7,3,9,", ",seven,3,9,", "expected 'user_id' of the type int64, got other text"),
        (
            "2026-01-02 00:00:00.000Z",
            "now",
            "expected 'shown_at' of the type timestamp[ms, tz=UTC]",
        ),
        ("favorite click", "dance", "'dance' is no action; expected some of favorite, click"),
    ],
)
def test_a_row_that_is_not_mended_is_left_out_and_told_and_the_others_are_read(
    tmp_path, old, new, fault
) -> None:
    file = tmp_path / "2026-01-02.csv"
    rows = [ROW | REASON | {"line": line} for line in (12, 13)]
    repairs.export(file, [(table(rows, QUARANTINED), RowTexts())], CONFIG)
    header, first, second = file.read_text().splitlines()
    assert old in second
    file.write_text("\n".join([header, first, second.replace(old, new)]) + "\n")
    corrections = repairs.read(file, CONFIG)
    assert corrections.rows["line"].to_pylist() == [12]
    (told,) = corrections.unmended
    assert told.startswith(f"2026-01-02.csv:3: {fault}")
    file.write_text("\n".join([header, second.replace(old, new)]) + "\n")
    with pytest.raises(BadDataError, match=r"none of its 1 rows is mended: 2026-01-02\.csv:2: "):
        repairs.read(file, CONFIG)


def test_a_row_without_a_time_of_arrival_arrived_when_it_was_shown(tmp_path) -> None:
    file = tmp_path / "2026-01-02.csv"
    rows = table([ROW | REASON | {"ingested_at": None}], QUARANTINED)
    repairs.export(file, [(rows, RowTexts())], CONFIG)
    (row,) = repairs.read(file, CONFIG).rows.to_pylist()
    assert row["ingested_at"] == row["shown_at"]


def test_only_the_row_at_the_place_is_replaced() -> None:
    rows = table([ROW | {"line": n, "file": f} for f in ("a", None) for n in (1, 2)], INGESTED)
    left = repairs.remaining_rows(rows, table([ROW | {"line": 2, "file": "a"}], INGESTED))
    assert left.select(["file", "line"]).to_pylist() == [
        {"file": "a", "line": 1},
        {"file": None, "line": 1},
        {"file": None, "line": 2},
    ]


def test_what_was_served_is_exported_and_read_where_it_is_there(tmp_path) -> None:
    served = {"feed": None, "request_id": "r-1", "weight": 2.5}
    file = tmp_path / "2026-01-02.csv"
    wide = QUARANTINED.with_optional(served)
    repairs.export(file, [(table([ROW | REASON | served], wide), RowTexts())], CONFIG)
    text = file.read_text()
    assert (
        table([], INGESTED.with_optional(served)).schema == repairs.read(file, CONFIG).rows.schema
    )
    (row,) = repairs.read(file, CONFIG).rows.to_pylist()
    assert {name: row[name] for name in served} == served
    file.write_text(text.replace(',2.5,"bad_surface', ',,"bad_surface'))
    assert repairs.read(file, CONFIG).rows["weight"].to_pylist() == [1.0]


def test_ids_that_are_text_are_mended_as_text(tmp_path) -> None:
    source = {
        "layout": "columns",
        "events": "log.csv",
        "event_columns": {"user_id": "u", "post_id": "p", "author_id": "a", "shown_at": "t"},
        "text_ids": {"user_id": "@", "author_id": ""},
    }
    config = CONFIG.model_copy(
        update={"ingest_events": CONFIG.ingest_events.model_validate({"source": source})}
    )
    texts = [
        IdTexts.of("user_id", np.array([7]), pa.array(["NA"])),
        IdTexts.of("author_id", np.array([9]), pa.array(["acme, inc."])),
    ]
    unread = dict.fromkeys(ROW, None) | {"file": "log.csv", "line": 13}
    file = tmp_path / "2026-01-02.csv"
    rows = table([ROW | REASON, unread | REASON], QUARANTINED)
    repairs.export(file, [(rows, RowTexts(corrected=texts))], config)
    lines = file.read_text().splitlines()
    assert '"NA",3,"acme, inc."' in lines[1]
    file.write_text("\n".join(lines[:2]) + "\n")
    (row,) = repairs.read(file, config).rows.to_pylist()
    found = {part.id_name: part for part in repairs.texts(file, config)}
    assert found["user_id"].names_of(np.array([row["user_id"]])) == ["NA"]
    assert found["author_id"].names_of(np.array([row["author_id"]])) == ["acme, inc."]
    assert row["post_id"] == 3


@pytest.mark.parametrize("text_ids", [{"post_id": "", "author_id": "/"}, {"author_id": ""}])
def test_a_post_is_its_own_author_where_no_file_names_one(tmp_path, text_ids) -> None:
    columns = {"user_id": "u", "post_id": "p", "author_id": "p", "shown_at": "t"}
    source = {
        "layout": "columns", "events": "log.csv", "event_columns": columns, "text_ids": text_ids
    }  # fmt: skip
    config = CONFIG.model_copy(
        update={"ingest_events": CONFIG.ingest_events.model_validate({"source": source})}
    )
    post = IdTexts.of("post_id", np.array([3]), pa.array(["acme/tool"]))
    file = tmp_path / "2026-01-02.csv"
    rows = table([ROW | REASON | {"author_id": None}], QUARANTINED)
    repairs.export(file, [(rows, RowTexts(corrected=[post]))], config)
    (row,) = repairs.read(file, config).rows.to_pylist()
    assert row["author_id"] == row["post_id"]
    (authors,) = (each for each in repairs.texts(file, config) if each.id_name == "author_id")
    name = "acme/tool" if "post_id" in text_ids else "3"
    assert authors.names_of(np.array([row["author_id"]])) == [name]
