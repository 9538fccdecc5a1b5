"""The posts of a day, from files that describe them and rows that show them."""

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components.cli import app
from components.rows.known_posts import known_posts
from components.rows.shown_posts import ShownPosts
from components.tables import data_files
from phoenix.data.days import DAY_MS, midnight_ms
from schemas.posts import DESCRIBED_POSTS, POSTS
from tests.components.day_log import DayLog

DAY = datetime.date(2026, 1, 2)
START = midnight_ms(DAY)
FIRST, SECOND, THIRD, FOURTH = (f"2026-03-0{n}" for n in (1, 2, 3, 4))
STEPS = ("ingest_events", "validate_events")


def descriptions(*rows: tuple[int, int, int]) -> pa.Table:
    """Descriptions of posts: post, author, time; 0: nobody says."""
    ids, authors, times = np.array(rows, np.int64).reshape(-1, 3).T
    columns = {
        "post_id": ids,
        "author_id": authors,
        "created_at": times,
        "eligible": np.zeros(len(rows), bool),
        "duration_seconds": np.ones(len(rows), np.float32),
        "tag": np.array(["topic"] * len(rows), object),
    }
    return data_files.arrow_table(DESCRIBED_POSTS, columns)


def shown(*rows: tuple[int, int, int]) -> ShownPosts:
    """Posts that were shown: post, author, time."""
    return ShownPosts.of(*np.array(rows, np.int64).reshape(-1, 3).T)


def test_the_first_impression_completes_a_description_and_replaces_none() -> None:
    described = descriptions((3, 30, START - 5), (5, 0, 0), (7, 70, START + 9), (9, 0, START))
    rows = shown((3, 31, START), (4, 40, START + 1), (5, 50, START), (7, 71, START + 2))
    posts = known_posts(described, rows, DAY)
    assert POSTS.problems(posts.schema) == []
    assert posts["post_id"].to_pylist() == [3, 4, 5, 7], "nobody knows who wrote 9"
    assert posts["author_id"].to_pylist() == [30, 40, 50, 70]
    times = posts["created_at"].cast(pa.int64()).to_pylist()
    assert times == [START - 5, START + 1, START, START + 2]
    assert posts["eligible"].to_pylist() == [False, True, False, False]
    assert posts["tag"].to_pylist() == ["topic", None, "topic", "topic"]


def test_a_post_of_a_later_day_is_not_known_yet() -> None:
    described = descriptions((3, 30, START + DAY_MS - 1), (4, 30, START + DAY_MS))
    assert known_posts(described, ShownPosts.none(), DAY)["post_id"].to_pylist() == [3]
    assert known_posts(described, shown((4, 30, START)), DAY)["post_id"].to_pylist() == [3, 4]
    assert len(known_posts(descriptions(), ShownPosts.none(), DAY)) == 0


@pytest.fixture
def log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> DayLog:
    return DayLog(tmp_path, capsys)


def posts_of(log: DayLog, day: str) -> dict[int, str]:
    """The known posts of a day with the day on which each was written."""
    rows = log.table("validate_events", day, "posts.parquet").to_pylist()
    return {row["post_id"]: f"{row['created_at']:%Y-%m-%d}" for row in rows}


TOLERANT = "validate_events: {max_quarantined_share: 1.0, min_accepted_rows: 0, repairs: repairs}\n"


def test_rows_in_quarantine_say_nothing_of_posts(log: DayLog) -> None:
    log.configure("log/{day}.csv", more=TOLERANT)
    rows = [f"1,3,{FIRST}T00:00:05", f"2,4,{FIRST}T00:00:05"]
    log.write(f"log/{FIRST}.csv", [*rows, "1,3,1995-01-01T00:00:00", f"-1,66,{FIRST}T00:00:05"])
    log.write(f"log/{SECOND}.csv", [f"1,5,{SECOND}T00:00:05", "1,4,1995-01-01T00:00:00"])
    log.run_days(FIRST, SECOND, steps=STEPS)
    assert posts_of(log, FIRST) == {3: FIRST, 4: FIRST}, "not 66, and not of 1995"
    assert posts_of(log, SECOND) == {3: FIRST, 4: FIRST, 5: SECOND}


def repair(log: DayLog, day: str, old: str, new: str) -> None:
    """Exports the quarantine of a day, mends a row and replays it."""
    file = log.root / "repairs" / f"{day}.csv"
    file.parent.mkdir(exist_ok=True)
    arguments = ["--config", str(log.config), "--day", day]
    assert app.app(["quarantine", "export", *arguments, "--to", str(file)]) == 0
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    assert app.app(["quarantine", "replay", *arguments]) == 0


def test_a_post_of_a_row_that_was_mended_is_known_on_its_day_and_on_later_ones(log: DayLog) -> None:
    log.configure("log/{day}.csv", more=TOLERANT)
    log.write(f"log/{FIRST}.csv", [f"1,3,{FIRST}T00:00:05", f"-8,6,{FIRST}T00:00:06"])
    for day in (SECOND, THIRD, FOURTH):
        log.write(f"log/{day}.csv", [f"1,4,{day}T00:00:05"])
    log.run_days(FIRST, SECOND, steps=STEPS)
    repair(log, FIRST, ",-8,6,", ",8,6,")
    assert posts_of(log, FIRST) == {3: FIRST, 6: FIRST}
    assert posts_of(log, SECOND) == {3: FIRST, 4: SECOND}, "not run again"
    log.run_days(THIRD, FOURTH, steps=STEPS)
    assert posts_of(log, FOURTH) == {3: FIRST, 4: SECOND, 6: FIRST}
    facts = log.facts("validate_events", FOURTH)["shown_posts"]
    assert list(facts) == [FIRST, SECOND, THIRD]


def test_of_a_row_that_cannot_be_read_only_what_is_wrong_is_to_be_mended(log: DayLog) -> None:
    log.configure("log/{day}.csv", more=TOLERANT)
    log.write(f"log/{FIRST}.csv", [f"1,3,{FIRST}T00:00:05", "2,9,never"])
    log.run_days(FIRST, steps=STEPS)
    repair(log, FIRST, ",3,2,9,1,,,", f",3,2,9,1,{FIRST} 00:00:09Z,,")
    assert posts_of(log, FIRST) == {3: FIRST, 9: FIRST}
    (row,) = log.table("validate_events", FIRST, "accepted.parquet").to_pylist()[1:]
    assert (row["actions"], row["ingested_at"]) == (1, row["shown_at"])


def test_a_post_of_a_late_row_is_known_from_its_arrival_on(log: DayLog) -> None:
    log.configure("log/{day}.csv", more=TOLERANT)
    log.write(f"log/{FIRST}.csv", [f"1,3,{FIRST}T00:00:05"])
    log.write(f"log/{SECOND}.csv", [f"1,4,{SECOND}T00:00:05", f"2,7,{FIRST}T00:00:09"])
    log.write(f"log/{THIRD}.csv", [f"1,4,{THIRD}T00:00:05"])
    log.run_days(FIRST, SECOND, THIRD, steps=STEPS)
    assert posts_of(log, FIRST) == {3: FIRST}
    assert posts_of(log, THIRD) == {3: FIRST, 4: SECOND, 7: FIRST}


def test_a_day_that_is_missing_breaks_no_chain(log: DayLog) -> None:
    log.configure("log/{day}.csv", more=TOLERANT)
    for number, day in enumerate((FIRST, SECOND, THIRD, FOURTH)):
        log.write(f"log/{day}.csv", [f"1,{number + 3},{day}T00:00:05"])
    log.run_days(FIRST, THIRD, SECOND, FOURTH, steps=STEPS)
    assert posts_of(log, THIRD) == {3: FIRST, 5: THIRD}
    assert posts_of(log, FOURTH) == {3: FIRST, 4: SECOND, 5: THIRD, 6: FOURTH}


def test_a_post_that_left_the_files_that_describe_all_posts_is_known_no_more(log: DayLog) -> None:
    source = "posts: posts.csv\npost_columns: {post_id: item, author_id: by, created_at: at}"
    log.configure("log/{day}.csv", source=source, more=TOLERANT)
    text = log.config.read_text().replace(", author_id: author", "")
    log.config.write_text(text)
    header, rows = "item,by,at\n", [f"{n},9,2026-02-01T00:00:00\n" for n in (3, 4, 5)]
    (log.root / "posts.csv").write_text(header + "".join(rows))
    log.write(f"log/{FIRST}.csv", [f"1,{post},{FIRST}T00:00:05" for post in (3, 4, 8)])
    log.run_days(FIRST, steps=STEPS)
    assert posts_of(log, FIRST) == dict.fromkeys((3, 4, 5), "2026-02-01"), "8 has no author"
    (log.root / "posts.csv").write_text(header + "".join(rows[1:]))
    log.write(f"log/{SECOND}.csv", [f"1,4,{SECOND}T00:00:05"])
    log.run_days(SECOND, steps=STEPS)
    assert list(posts_of(log, SECOND)) == [4, 5]
