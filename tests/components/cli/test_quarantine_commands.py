"""`phoenix quarantine list`, `show` and `export`: looking at a day that was refused."""

import json

import pytest

from components.contract import ExitCode
from tests.components.cli.refused_day import phoenix_quarantine


def test_the_quarantine_of_a_refused_day_can_be_looked_at(refused) -> None:
    code, text = phoenix_quarantine(refused, "list", "--json")
    found = json.loads(text)
    assert code == ExitCode.DONE
    assert (found["rows_in"], found["accepted"], found["quarantined"]) == (8, 5, 3)
    assert [(rule["rule"], rule["rows"]) for rule in found["rules"]] == [
        ("bad_surface", 2),
        ("unreadable_number", 1),
    ]
    assert found["rules"][0]["for_example"] == ["log_standard.csv:7", "log_standard.csv:8"]
    assert "2026-01-02: 8 rows in, 5 accepted" in phoenix_quarantine(refused, "list")[1]


def test_rows_are_shown_without_personal_values(refused) -> None:
    code, text = phoenix_quarantine(refused, "show", "--json")
    rows = json.loads(text)
    assert (code, len(rows)) == (ExitCode.DONE, 3)
    assert "777" not in text
    assert "long" not in text
    surface = [row for row in rows if row["rule"] == "bad_surface"]
    assert surface[0]["user"] == surface[1]["user"] != "—"
    assert surface[0]["detail"] == "surface: expected 0 to 4, got 7"
    assert (
        len(json.loads(phoenix_quarantine(refused, "show", "--rule", "bad_surface", "--json")[1]))
        == 2
    )
    assert "log_standard.csv:7" in phoenix_quarantine(refused, "show")[1]


def test_a_rule_that_there_is_not_is_refused_with_those_that_there_are(refused) -> None:
    code, text = phoenix_quarantine(refused, "show", "--rule", "nosuch")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "--rule: 'nosuch' is no rule; the rules are malformed_row, " in text
    code, text = phoenix_quarantine(refused, "show", "--rule", "zero_id", "--json")
    assert (code, json.loads(text)) == (ExitCode.DONE, []), "a rule that no row breaks"


@pytest.mark.parametrize("place", [".", "nowhere/bad.csv"])
def test_an_export_to_what_can_be_no_file_is_refused(refused, place: str) -> None:
    code, text = phoenix_quarantine(refused, "export", "--to", str(refused.root / place))
    assert code == ExitCode.BAD_CONFIGURATION
    assert "--to: expected a file in a folder that exists" in text


def test_an_export_keeps_a_file_in_which_rows_may_be_mended(refused) -> None:
    file = refused.root / "mended.csv"
    file.write_text("mine")
    code, text = phoenix_quarantine(refused, "export", "--to", str(file))
    assert code == ExitCode.BAD_CONFIGURATION
    assert "is there already" in text
    assert file.read_text() == "mine"
