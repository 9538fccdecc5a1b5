"""`phoenix quarantine`: look, mend, replay."""

import csv
import json
from collections.abc import Callable

import pytest

from components.cli import app
from components.contract import ExitCode

Row = Callable[..., dict]
DAY = "2026-01-02"
KUAIRAND = "ingest_events: {source: {layout: kuairand, path: source}}\n"
LIMITS = "validate_events: {max_quarantined_share: 0.2, num_surfaces: %d, repairs: repairs}\n"


@pytest.fixture
def refused(deployment, row: Row):
    """A day with three bad rows of eight, which is more than allowed."""
    deployment.configure(KUAIRAND + LIMITS % 5)
    rows = [row(n, user_id=100 + n) for n in range(5)]
    bad = [row(6, user_id=777, tab=7), row(7, user_id=777, tab=9), row(8, play_time_ms="long")]
    deployment.log([*rows, *bad])
    assert deployment.run("ingest_events")[0] == ExitCode.DONE
    assert deployment.run("validate_events")[0] == ExitCode.BAD_DATA
    return deployment


def phoenix(deployment, *words: str) -> tuple[int, str]:
    argv = ["quarantine", *words, "--day", DAY, "--config", str(deployment.root / "phoenix.yaml")]
    code = app.app(argv)
    said = deployment.capsys.readouterr()
    return code, said.out + said.err


def test_the_quarantine_of_a_refused_day_can_be_looked_at(refused) -> None:
    code, text = phoenix(refused, "list", "--json")
    found = json.loads(text)
    assert code == ExitCode.DONE
    assert (found["rows_in"], found["accepted"], found["quarantined"]) == (8, 5, 3)
    assert [(rule["rule"], rule["rows"]) for rule in found["rules"]] == [
        ("bad_surface", 2),
        ("unreadable_number", 1),
    ]
    assert found["rules"][0]["for_example"] == ["log_standard.csv:7", "log_standard.csv:8"]
    assert "2026-01-02: 8 rows in, 5 accepted" in phoenix(refused, "list")[1]


def test_rows_are_shown_without_personal_values(refused) -> None:
    code, text = phoenix(refused, "show", "--json")
    rows = json.loads(text)
    assert (code, len(rows)) == (ExitCode.DONE, 3)
    assert "777" not in text
    assert "long" not in text
    surface = [row for row in rows if row["rule"] == "bad_surface"]
    assert surface[0]["user"] == surface[1]["user"] != "—"
    assert surface[0]["detail"] == "surface: expected 0 to 4, got 7"
    assert len(json.loads(phoenix(refused, "show", "--rule", "bad_surface", "--json")[1])) == 2
    assert "log_standard.csv:7" in phoenix(refused, "show")[1]


def test_a_rule_that_there_is_not_is_refused_with_those_that_there_are(refused) -> None:
    code, text = phoenix(refused, "show", "--rule", "nosuch")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "--rule: 'nosuch' is no rule; the rules are malformed_row, " in text
    code, text = phoenix(refused, "show", "--rule", "zero_id", "--json")
    assert (code, json.loads(text)) == (ExitCode.DONE, []), "a rule that no row breaks"


def test_a_mended_rule_is_replayed_and_what_still_breaks_one_stays(refused) -> None:
    refused.configure(KUAIRAND + LIMITS % 10)
    code, text = phoenix(refused, "replay", "--json")
    found = json.loads(text)
    assert code == ExitCode.DONE
    assert found["before"] is None
    assert (found["after"]["accepted"], found["after"]["quarantined"]) == (7, 1)
    assert found["quarantined_by_rule"] == {"unreadable_number": 1}
    first = refused.artifact("validate_events").ref
    refused.configure(KUAIRAND + LIMITS % 11)
    assert json.loads(phoenix(refused, "replay", "--json")[1])["before"]["accepted"] == 7
    assert refused.artifact("validate_events").ref != first
    assert refused.store.read(first).facts["accepted"] == 7, "the old version is untouched"


def test_mended_rows_take_the_place_of_the_bad_ones(refused) -> None:
    folder = refused.root / "repairs"
    folder.mkdir()
    file = folder / "2026-01-02.csv"
    code, text = phoenix(refused, "export", "--to", str(file))
    assert (code, text.startswith("3 rows in")) == (ExitCode.DONE, True)
    with file.open() as stream:
        rows = list(csv.DictReader(stream))
    raw = json.loads(next(row for row in rows if row["rule"] == "unreadable_number")["raw"])
    assert raw["play_time_ms"] == "long"
    mended = [row | {"surface": "2"} for row in rows if row["surface"]]
    mended[0]["actions"] = "favorite click"
    write(file, mended)
    code, text = phoenix(refused, "replay", "--json")
    assert json.loads(text)["after"] == {
        "rows_in": 8,
        "accepted": 7,
        "duplicate": 0,
        "quarantined": 1,
    }
    inputs = refused.artifact("validate_events").manifest["recipe"]["inputs"]
    assert [each["name"] for each in inputs if "name" in each] == ["2026-01-02.csv"]
    accepted = refused.table("validate_events", "accepted.parquet").to_pylist()
    assert [row["actions"] for row in accepted if row["user_id"] == 777] == [3, 2]
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
        ({"user_id": "ann"}, "conversion error to int64"),
    ],
)
def test_a_mended_row_that_cannot_be_used_is_refused_by_name(refused, change, told) -> None:
    folder = refused.root / "repairs"
    folder.mkdir()
    phoenix(refused, "export", "--to", str(folder / "2026-01-02.csv"))
    with (folder / "2026-01-02.csv").open() as stream:
        row = next(row for row in csv.DictReader(stream) if row["surface"])
    write(folder / "2026-01-02.csv", [row | change])
    code, text = phoenix(refused, "replay")
    assert code == ExitCode.BAD_DATA
    assert told in text


def test_a_replay_ends_with_the_exit_code_of_the_step(refused) -> None:
    refused.configure(KUAIRAND.replace("}}", "}, erased_users: none.txt}") + LIMITS % 5)
    code, text = phoenix(refused, "replay")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "none.txt cannot be read" in text
    refused.configure(KUAIRAND + LIMITS % 5)
    assert phoenix(refused, "replay")[0] == ExitCode.BAD_DATA


@pytest.mark.parametrize("place", [".", "nowhere/bad.csv"])
def test_an_export_to_what_can_be_no_file_is_refused(refused, place: str) -> None:
    code, text = phoenix(refused, "export", "--to", str(refused.root / place))
    assert code == ExitCode.BAD_CONFIGURATION
    assert "--to: expected a file in a folder that exists" in text
