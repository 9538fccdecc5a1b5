import datetime
import gzip
import json
import shutil
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.contract import ExitCode
from schemas.events import INGESTED
from schemas.posts import DESCRIBED_POSTS, POSTS

Row = Callable[..., dict]
DAY_MS = 86_400_000
MAPPED = """
ingest_events:
  source:
    layout: columns
    events: source/{events}
    time_unit: {unit}
    dwell_unit: s
    event_columns:
      {{user_id: who, post_id: what, author_id: by, shown_at: at, dwell_seconds: seconds{more}}}
"""


def test_a_day_holds_its_own_rows_in_the_schema_of_events(deployment, row: Row) -> None:
    deployment.log([row(0), row(1439.99, is_like=1, tab=4), row(-0.01), row(1440)])
    code, facts = deployment.run("ingest_events")
    assert (code, facts["rows_in"], facts["events"], facts["rejected"]) == (0, 2, 2, 0)
    events = deployment.table("ingest_events", "events.parquet")
    assert INGESTED.problems(events.schema) == []
    last = events.to_pylist()[1]
    assert (last["user_id"], last["post_id"], last["author_id"]) == (7, 3, 900)
    assert (last["actions"], last["surface"], last["dwell_seconds"]) == (3, 4, 5.0)
    assert last["shown_at"] == datetime.datetime(2026, 1, 2, 23, 59, 59, 400_000, datetime.UTC)
    assert (last["file"], last["line"]) == ("log_standard.csv", 3)


def test_rows_that_cannot_be_read_are_kept_with_file_line_and_reason(deployment, row: Row) -> None:
    log = deployment.log(
        [
            row(0),
            row(1, play_time_ms="long"),
            row(2, user_id=""),
            row(3, is_like="2"),
            row(4, time_ms="yesterday"),
            row(5, video_id=77),
            row(6, tab=99999999999),
            row(7, time_ms=4_102_444_800_000),
        ]
    )
    with log.open("a") as file:
        file.write("7,3\n\n")
    code, facts = deployment.run("ingest_events")
    assert (code, facts["rows_in"], facts["events"], facts["rejected"]) == (0, 9, 1, 8)
    rejected = deployment.table("ingest_events", "rejected.parquet").to_pylist()
    found = {(r["line"], r["rule"], r["detail"].split(":")[0]) for r in rejected}
    assert found == {
        (3, "unreadable_number", "play_time_ms"),
        (4, "missing_value", "user_id"),
        (5, "unreadable_flag", "is_like"),
        (6, "unreadable_time", "time_ms"),
        (7, "unknown_author", "video_id"),
        (8, "unreadable_number", "tab"),
        (9, "unreadable_time", "time_ms"),
        (10, "malformed_row", "expected 7 columns, got 2"),
    }
    text = next(r for r in rejected if r["line"] == 3)
    assert text["detail"] == "play_time_ms: expected a number, got 'long'"
    assert json.loads(text["raw"])["play_time_ms"] == "long"


def test_a_row_without_a_time_is_counted_on_one_day_only(deployment, row: Row) -> None:
    deployment.log([row(-1), row(0, time_ms="?"), row(1), row(2, time_ms="")])
    before = deployment.run("ingest_events", "2026-01-01")[1]
    after = deployment.run("ingest_events")[1]
    assert (before["rows_in"], after["rows_in"]) == (2, 2)
    assert (before["rejected"], after["rejected"]) == (1, 1)


def test_a_missing_column_is_refused_by_name(deployment, row: Row) -> None:
    deployment.log([{k: v for k, v in row(0).items() if k != "time_ms"}])
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_DATA
    assert "log_standard.csv: expected a column 'time_ms'" in outcome["error"]
    assert "found the columns user_id, video_id, is_like" in outcome["error"]


def test_a_day_without_rows_is_refused_with_what_there_is(deployment, row: Row) -> None:
    deployment.log([row(0), row(3 * 1440)])
    code, outcome = deployment.run("ingest_events", "2026-01-06")
    assert code == ExitCode.BAD_DATA
    wanted = "The source has no rows for 2026-01-06; it covers 2026-01-02 to 2026-01-05."
    assert outcome["error"] == wanted


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfePAR1" * 50, b"\xff\xfe\n" * 9])
def test_a_file_that_is_no_csv_is_refused_by_name(deployment, row: Row, content: bytes) -> None:
    deployment.log([row(0)]).write_bytes(content)
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_DATA
    assert "log_standard.csv: expected " in outcome["error"]


def test_a_missing_folder_or_log_is_a_configuration_error(deployment, row: Row) -> None:
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "ingest_events.source.path: expected a folder" in outcome["error"]
    deployment.log([row(0)]).unlink()
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "log_*.csv, found none" in outcome["error"]


def test_posts_are_those_that_files_describe(deployment, row: Row) -> None:
    log = deployment.log([row(0)])
    videos = log.parent / "video_features_basic.csv"
    with videos.open("a") as file:
        file.write("20,905,2026-01-02,,\n21,905,2026-01-03,1,x\n0,905,2025-01-01,1,x\n")
        file.write("9,905,2025-12-09,,newer\n")
    facts = deployment.run("ingest_events")[1]
    posts = deployment.table("ingest_events", "posts.parquet")
    assert DESCRIBED_POSTS.problems(posts.schema) == []
    assert posts["post_id"].to_pylist() == [*range(1, 10), 20, 21]
    assert facts["posts_rejected"] == 1, "0 is no id"
    nine, twenty = posts.to_pylist()[-3:-1]
    assert (nine["author_id"], nine["tag"]) == (905, "newer"), "the newest description counts"
    assert twenty["duration_seconds"] is None
    deployment.run("validate_events")
    known_posts = deployment.table("validate_events", "posts.parquet")
    assert POSTS.problems(known_posts.schema) == []
    assert known_posts["post_id"].to_pylist() == [*range(1, 10), 20], "21 is written a day later"


def mapped_rows() -> list[dict]:
    return [
        {"who": 7, "what": 31, "by": 91, "at": 1_767_312_000, "seconds": 2.5},
        {"who": 8, "what": 32, "by": 92, "at": 1_767_312_001, "seconds": 0},
        {"who": 8, "what": 30, "by": 92, "at": 1_767_225_600, "seconds": 0},
    ]


@pytest.mark.parametrize("kind", ["log.csv", "log.csv.gz", "log.parquet"])
def test_mapped_files_of_every_kind_give_the_same_events(deployment, kind: str) -> None:
    rows = [values | {"is_like": 1, "is_click": 0} for values in mapped_rows()]
    deployment.log(rows, "log.csv")
    plain = deployment.source / "log.csv"
    if kind == "log.csv.gz":
        (deployment.source / kind).write_bytes(gzip.compress(plain.read_bytes()))
    elif kind == "log.parquet":
        pq.write_table(pa.Table.from_pylist(rows), deployment.source / kind)
    deployment.configure(MAPPED.format(events=kind, unit="s", more=""))
    assert deployment.run("ingest_events")[0] == ExitCode.DONE
    events = deployment.table("ingest_events", "events.parquet").to_pylist()
    assert [e["post_id"] for e in events] == [31, 32]
    assert [e["dwell_seconds"] for e in events] == [2.5, 0]
    assert [e["actions"] for e in events] == [1, 1]


def test_a_truncated_parquet_file_is_refused_by_name(deployment) -> None:
    deployment.source.mkdir()
    path = deployment.source / "log.parquet"
    pq.write_table(pa.Table.from_pylist(mapped_rows() * 1000), path)
    path.write_bytes(path.read_bytes()[:-100])
    deployment.configure(MAPPED.format(events="log.parquet", unit="s", more=""))
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_DATA
    assert "log.parquet: expected a whole Parquet file" in outcome["error"]


def test_a_time_after_the_arrival_belongs_to_the_day_of_the_arrival(deployment) -> None:
    rows = [
        values | {"is_like": 1, "is_click": 0, "arrived": values["at"] + 5}
        for values in mapped_rows()
    ]
    rows[0]["at"] += 86_400 * 30
    deployment.log(rows, "log.csv")
    deployment.configure(MAPPED.format(events="log.csv", unit="s", more=", ingested_at: arrived"))
    assert deployment.run("ingest_events")[1]["rows_in"] == 2
    code, facts = deployment.run("validate_events")
    assert code == ExitCode.BAD_DATA, "half of the day is more than the limit"
    assert "future_timestamp: 1 rows" in facts["error"]


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("who", "who, nonsense: x", "event_columns: 'nonsense' is no canonical column"),
        ("author_id: by,", "", "map `author_id`"),
        ("user_id: who,", "", "event_columns: 'user_id' is missing"),
        ("who", "who, weight: w, sampling_rate: r", "map `weight` or `sampling_rate`, not both"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(deployment, old: str, new: str, where: str) -> None:
    deployment.log([values | {"is_like": 1, "is_click": 0} for values in mapped_rows()], "log.csv")
    text = MAPPED.format(events="log.csv", unit="s", more="")
    deployment.configure(text.replace(old, new, 1))
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_CONFIGURATION
    assert where in outcome["error"]


def test_the_same_source_has_nothing_to_do_and_rebuilds_the_same_bytes(
    deployment, row: Row
) -> None:
    deployment.log([row(0), row(1, play_time_ms="x"), row(2)])
    deployment.run("ingest_events")
    made = deployment.artifact("ingest_events")
    assert deployment.run("ingest_events")[0] == ExitCode.NOTHING_TO_DO
    shutil.rmtree(made.folder)
    assert deployment.run("ingest_events")[0] == ExitCode.DONE
    assert deployment.artifact("ingest_events").ref == made.ref, "the digest covers every byte"


def test_the_place_of_the_source_does_not_matter(deployment, row: Row) -> None:
    deployment.log([row(0)])
    deployment.run("ingest_events")
    made = deployment.artifact("ingest_events").ref
    deployment.source.rename(deployment.root / "elsewhere")
    deployment.configure("ingest_events: {source: {layout: kuairand, path: elsewhere}}\n")
    assert deployment.run("ingest_events")[0] == ExitCode.NOTHING_TO_DO
    assert deployment.artifact("ingest_events").ref == made


def test_the_synthetic_world_gives_its_day(deployment) -> None:
    deployment.configure(
        "ingest_events: {source: {layout: synthetic, num_users: 50, num_authors: 5, "
        "num_posts: 40, num_posts_per_day: 3, impressions_per_day: 200}}\n"
    )
    code, facts = deployment.run("ingest_events")
    assert (code, facts["rows_in"], facts["posts"]) == (ExitCode.DONE, 200, 43)
    shown = deployment.table("ingest_events", "events.parquet")["shown_at"].cast(pa.int64())
    assert {value // DAY_MS for value in shown.to_pylist()} == {1_767_312_000_000 // DAY_MS}
