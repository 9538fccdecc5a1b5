"""Days as logs have them, from their files to windows: hidden files, empty days, late files."""

from pathlib import Path

import pytest

from components.cli import app
from components.contract import ExitCode
from tests.components.day_log import DayLog

FIRST, SECOND, THIRD = "2026-03-01", "2026-03-02", "2026-03-03"


@pytest.fixture
def log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> DayLog:
    return DayLog(tmp_path, capsys)


def test_files_that_are_being_written_are_not_part_of_a_day(log: DayLog) -> None:
    log.configure("log/{day}/**/*.csv")
    log.write(f"log/{FIRST}/part-0.csv", [f"1,1,{FIRST}T00:00:05"])
    for name in (".part-0.csv", "_part-1.csv", "_temporary/0/part-1.csv", ".staging/part-2.csv"):
        log.write(f"log/{FIRST}/{name}", [f"1,2,{FIRST}T00:00:06"])
    (log.root / "log" / FIRST / "part-0.csv.crc").write_bytes(b"crc")
    (log.root / "log" / FIRST / "_SUCCESS").touch()
    log.run_days(FIRST)
    assert log.files("ingest_events", FIRST) == {f"{FIRST}/part-0.csv": 1}
    assert log.accepted_posts(FIRST) == [1]


def test_files_of_one_name_in_two_folders_are_two_files_in_account_and_replay(log: DayLog) -> None:
    more = "validate_events: {max_quarantined_share: 1.0, repairs: repairs}\n"
    log.configure("log/{day}/*/*.csv", more=more)
    rows = [f"1,11,{FIRST}T00:00:05", f"2,22,{FIRST}T00:00:06"]
    log.write(f"log/{FIRST}/h=0/part-0.csv", rows)
    log.write(f"log/{FIRST}/h=1/part-0.csv", [f"3,33,{FIRST}T00:00:07", f"4,0,{FIRST}T00:00:08"])
    log.run_days(FIRST)
    expected = {f"{FIRST}/h=0/part-0.csv": 2, f"{FIRST}/h=1/part-0.csv": 2}
    assert log.files("ingest_events", FIRST) == log.files("validate_events", FIRST) == expected
    repairs = log.root / "repairs" / f"{FIRST}.csv"
    repairs.parent.mkdir()
    arguments = ["--config", str(log.config), "--day", FIRST]
    assert app.app(["quarantine", "export", *arguments, "--to", str(repairs)]) == 0
    text = repairs.read_text()
    assert f'"{FIRST}/h=1/part-0.csv",3,' in text
    repairs.write_text(text.replace(",4,0,", ",4,44,"))
    assert app.app(["quarantine", "replay", *arguments]) == 0
    assert log.accepted_posts(FIRST) == [11, 22, 33, 44]


def test_a_file_that_was_replaced_between_recipe_and_reading_ends_with_75(
    log: DayLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.source.source import Source

    log.configure("log/{day}/*.csv")
    log.write(f"log/{FIRST}/a.csv", [f"1,1,{FIRST}T00:00:05"])
    inputs = Source.inputs

    def inputs_before_a_change(source: Source, day: object) -> object:
        named = inputs(source, day)  # type: ignore[arg-type]
        log.write(f"log/{FIRST}/a.csv", [f"1,1,{FIRST}T00:00:05", f"1,2,{FIRST}T00:00:06"])
        return named

    monkeypatch.setattr(Source, "inputs", inputs_before_a_change)
    code, result = log.run("ingest_events", FIRST)
    assert code == ExitCode.TRY_AGAIN
    assert "a.csv changed while it was read" in result["error"]
    monkeypatch.setattr(Source, "inputs", inputs)
    log.run_days(FIRST)
    assert log.accepted_posts(FIRST) == [1, 2]
