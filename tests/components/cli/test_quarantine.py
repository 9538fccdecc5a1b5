"""Mending what is in quarantine, and putting the day through the rules again."""

import csv
import datetime
import json

import pytest

from components.cli import quarantine
from components.contract import ExitCode
from components.errors import BadConfigurationError, BadDataError
from components.rows.day_parts.settled_parts import settled_parts
from components.settings.loading import load
from components.store import records
from tests.components.cli.refused_day import KUAIRAND, LIMITS, phoenix_quarantine
from tests.components.small_log import DAY


def test_a_mended_rule_is_replayed_and_what_still_breaks_one_stays(refused) -> None:
    refused.configure(KUAIRAND + LIMITS % 10)
    code, text = phoenix_quarantine(refused, "replay", "--json")
    found = json.loads(text)
    assert code == ExitCode.DONE
    assert found["before"] is None
    assert (found["after"]["accepted"], found["after"]["quarantined"]) == (7, 1)
    assert found["quarantined_by_rule"] == {"unreadable_number": 1}
    first = refused.artifact("validate_events").ref
    refused.configure(KUAIRAND + LIMITS % 11)
    assert json.loads(phoenix_quarantine(refused, "replay", "--json")[1])["before"]["accepted"] == 7
    assert refused.artifact("validate_events").ref != first
    assert refused.store.read(first).facts["accepted"] == 7, "the old version is untouched"


def test_mended_rows_take_the_place_of_the_bad_ones(refused) -> None:
    folder = refused.root / "repairs"
    folder.mkdir()
    file = folder / "2026-01-02.csv"
    code, text = phoenix_quarantine(refused, "export", "--to", str(file))
    assert (code, text.startswith("3 rows in")) == (ExitCode.DONE, True)
    with file.open() as stream:
        rows = list(csv.DictReader(stream))
    raw = json.loads(next(row for row in rows if row["rule"] == "unreadable_number")["raw"])
    assert raw["play_time_ms"] == "long"
    mended = [row | {"surface": "2"} for row in rows if row["rule"] == "bad_surface"]
    mended[0]["actions"] = "favorite click"
    # The post file alone says who wrote a post, so nobody is asked for it.
    unreadable = next(row for row in rows if row["rule"] == "unreadable_number")
    assert unreadable["author_id"] == ""
    mended.append(unreadable | {"dwell_seconds": "5"})
    write(file, mended)
    code, text = phoenix_quarantine(refused, "replay", "--json")
    assert json.loads(text)["after"] == {
        "rows_in": 8,
        "accepted": 8,
        "duplicate": 0,
        "quarantined": 0,
    }
    inputs = refused.artifact("validate_events").manifest["recipe"]["inputs"]
    assert [each["name"] for each in inputs if "name" in each] == ["2026-01-02.csv"]
    accepted = refused.table("validate_events", "accepted.parquet").to_pylist()
    assert [row["actions"] for row in accepted if row["user_id"] == 777] == [3, 2]
    assert {row["author_id"] for row in accepted if row["post_id"] == 3} == {900}
    assert refused.run("validate_events")[0] == ExitCode.NOTHING_TO_DO


def write(file, rows: list[dict]) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"line": "99"}, "its 1 rows take the place of 0 rows"),
        ({"surface": ""}, "2026-01-02.csv:2: expected a value of 'surface', got none"),
        ({"actions": "favourite"}, "2026-01-02.csv:2: 'favourite' is no action"),
        ({"author_id": "", "post_id": "77"}, "no post file names the author of the post"),
        ({"user_id": "ann"}, "csv:2: expected 'user_id' of the type int64, got other text"),
    ],
)
def test_a_mended_row_that_cannot_be_used_is_refused_by_name(refused, change, told) -> None:
    folder = refused.root / "repairs"
    folder.mkdir()
    phoenix_quarantine(refused, "export", "--to", str(folder / "2026-01-02.csv"))
    with (folder / "2026-01-02.csv").open() as stream:
        row = next(row for row in csv.DictReader(stream) if row["rule"] == "bad_surface")
    write(folder / "2026-01-02.csv", [row | change])
    code, text = phoenix_quarantine(refused, "replay")
    assert code == ExitCode.BAD_DATA
    assert told in text


def test_rows_of_the_file_that_are_not_mended_stay_in_quarantine_and_are_told(refused) -> None:
    folder = refused.root / "repairs"
    folder.mkdir()
    phoenix_quarantine(refused, "export", "--to", str(folder / "2026-01-02.csv"))
    with (folder / "2026-01-02.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        if row["rule"] == "bad_surface":
            row["surface"] = "2"
    write(folder / "2026-01-02.csv", rows)
    code, text = phoenix_quarantine(refused, "replay", "--json")
    facts = json.loads(text)
    assert code == ExitCode.DONE
    assert (facts["after"]["accepted"], facts["after"]["quarantined"]) == (7, 1)
    assert facts["quarantined_by_rule"] == {"unreadable_number": 1}
    line = next(n for n, row in enumerate(rows, start=2) if row["rule"] == "unreadable_number")
    assert facts["unmended"] == {
        "rows": 1,
        "for_example": [f"2026-01-02.csv:{line}: expected a value of 'dwell_seconds', got none"],
    }
    assert "dwell_seconds" in phoenix_quarantine(refused, "replay")[1]
    assert json.loads(phoenix_quarantine(refused, "list", "--json")[1])["quarantined"] == 1


def test_rows_are_written_anew_where_the_file_of_mended_rows_names_none_of_them(refused) -> None:
    file = refused.root / "repairs" / "2026-01-02.csv"
    file.parent.mkdir()
    phoenix_quarantine(refused, "export", "--to", str(file))
    exported = file.read_text()
    with file.open() as stream:
        write(file, [row | {"file": "elsewhere.csv"} for row in csv.DictReader(stream)])
    code, text = phoenix_quarantine(refused, "replay")
    assert code == ExitCode.BAD_DATA
    assert "No file of the day is called elsewhere.csv: there are " in text
    anew = refused.root / "anew.csv"
    assert phoenix_quarantine(refused, "export", "--to", str(anew))[0] == ExitCode.DONE
    assert anew.read_text() == exported


def test_a_replay_ends_with_the_exit_code_of_the_step(refused) -> None:
    refused.configure(KUAIRAND.replace("}}", "}, erased_users: none.txt}") + LIMITS % 5)
    code, text = phoenix_quarantine(refused, "replay")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "none.txt cannot be read" in text
    refused.configure(KUAIRAND + LIMITS % 5)
    assert phoenix_quarantine(refused, "replay")[0] == ExitCode.BAD_DATA


def test_a_look_at_a_day_writes_nothing(refused) -> None:
    config = load(refused.root / "phoenix.yaml")
    before = sorted((refused.root / "store").rglob("*"))
    day = datetime.date.fromisoformat(DAY)
    parts = list(settled_parts(refused.store, config, day))
    assert [
        rule["rule"] for rule in quarantine.broken_rules(quarantine.counts_of(parts).rules)
    ] == [
        "bad_surface",
        "unreadable_number",
    ]
    assert len(quarantine.masked_rows(parts, config, rule=None, limit=2)) == 2
    assert sorted((refused.root / "store").rglob("*")) == before
    assert refused.store.head("validate_events", DAY) is None


def test_a_day_that_was_not_ingested_cannot_be_looked_at(refused) -> None:
    config = load(refused.root / "phoenix.yaml")
    with pytest.raises(BadDataError, match="ingest_events of 2026-01-01, which is missing"):
        next(settled_parts(refused.store, config, datetime.date(2026, 1, 1)))


def test_a_replay_is_a_run_like_any_other(refused) -> None:
    refused.configure(KUAIRAND + LIMITS % 10)
    code, _ = phoenix_quarantine(refused, "replay")
    record = refused.record("validate_events")
    assert (code, record["status"], record["exit_code"]) == (ExitCode.DONE, "done", 0)
    assert json.loads(phoenix_quarantine(refused, "replay", "--json")[1])["status"] == "unchanged"


def test_a_day_before_all_history_is_refused_and_leaves_no_record(refused) -> None:
    config = load(refused.root / "phoenix.yaml")
    with pytest.raises(BadConfigurationError, match="2025-12-31 is before `first_day`"):
        quarantine.replay(refused.store, config, datetime.date(2025, 12, 31))
    assert records.days(refused.store) == [DAY]
