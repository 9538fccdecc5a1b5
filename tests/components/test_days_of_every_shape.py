"""Days as logs have them, from their files to windows: hidden files, empty days, late files."""

from pathlib import Path

import pytest

from components import contract
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


def test_an_empty_day_is_done_and_hands_on_the_state_of_the_day_before(log: DayLog) -> None:
    log.configure("log/*.csv", more="validate_events: {min_accepted_rows: 0}\n")
    log.write("log/a.csv", [f"1,1,{FIRST}T00:00:05", f"1,3,{THIRD}T00:00:05"])
    log.run_days(FIRST, SECOND, THIRD)
    empty, last = (log.facts("build_features", day) for day in (SECOND, THIRD))
    assert (empty["windows"], empty["state_rows"]) == (0, 1)
    assert (last["windows"], last["state_rows"], last["is_replayed"]) == (1, 2, False)
    assert log.accepted_posts(SECOND) == []
    _, findings = log.doctor()
    messages = [each["message"] for each in findings if each["check"] == "empty"]
    assert messages == [f"The source has no row of {SECOND}: empty days."]
    page = log.store.storage.read(f"pages/{SECOND}/index.html").decode()
    assert "No row came on this day" in page


@pytest.mark.parametrize("events", ["log/*.csv", "log/{day}/*.csv"])
def test_a_day_after_the_last_row_has_not_come_yet(log: DayLog, events: str) -> None:
    log.configure(events)
    log.write(f"log/{'a.csv' if 'day' not in events else f'{FIRST}/a.csv'}", [f"1,1,{FIRST}T01:00"])
    log.run_days(FIRST)
    code, result = log.run("ingest_events", SECOND)
    assert code == ExitCode.BAD_DATA
    assert f"no rows for {SECOND}; it covers {FIRST} to {FIRST}" in result["error"]
    if "day" in events:
        log.write(f"log/{SECOND}/a.csv", [])  # which says that there is nothing
        log.run_days(SECOND)
        assert log.facts("ingest_events", SECOND)["rows_in"] == 0


def test_empty_days_can_be_refused(log: DayLog) -> None:
    log.configure("log/{day}/*.csv")
    text = log.config.read_text().replace("ingest_events:", "ingest_events:\n  empty_days: refuse")
    log.config.write_text(text)
    for day in (FIRST, THIRD):
        log.write(f"log/{day}/a.csv", [f"1,1,{day}T00:00:05"])
    log.run_days(FIRST)
    code, result = log.run("ingest_events", SECOND)
    assert code == ExitCode.BAD_DATA
    assert "set `ingest_events.empty_days: accept`" in result["error"]


def test_columns_are_compared_across_empty_days(log: DayLog) -> None:
    log.configure("log/{day}/*.csv")
    log.write(f"log/{FIRST}/a.csv", [f"1,1,{FIRST}T00:00:05"])
    file = log.write(f"log/{THIRD}/a.csv", [f"1,1,{THIRD}T00:00:05"])
    file.write_text(file.read_text().replace("liked", "like_d"))
    log.run_days(FIRST, SECOND)
    code, result = log.run("ingest_events", THIRD)
    assert code == ExitCode.BAD_DATA
    assert f"the column 'liked' of {FIRST} is gone; 'like_d' looks like it" in result["error"]


def test_release_and_feeds_go_on_over_an_empty_day(log: DayLog) -> None:
    untrained = "train_retrieval: {min_windows: 1000000}\ntrain_ranker: {min_windows: 1000000}\n"
    feeds = "materialize_feeds: {feed_length: 2, seen_days: 0}\n"
    log.configure("log/{day}.csv", more=untrained + feeds)
    for number, day in enumerate((FIRST, THIRD)):
        rows = [f"{user},{4 * number + user},{day}T0{user}:00" for user in (1, 2, 3, 4)]
        log.write(f"log/{day}.csv", rows)
    log.run_days(FIRST, SECOND, THIRD, steps=tuple(contract.STEPS))
    decision = log.facts("evaluate_models", SECOND)
    assert decision["ranker"]["verdict"] == "kept"
    assert log.facts("publish_feeds", SECOND)["users_with_feed"] == 4, "all with a history"
    live = log.store.pointer("live").read()
    assert live is not None
    assert live.value["day"] == THIRD


def test_a_range_of_days_is_one_command(log: DayLog) -> None:
    log.configure("log/*.csv")
    log.write("log/a.csv", [f"1,1,{FIRST}T00:00:05", f"1,3,{THIRD}T00:00:05"])
    arguments = ["data", "--config", str(log.config), "--days"]
    assert app.app([*arguments, f"{FIRST}..{THIRD}"]) == 0
    out = log.capsys.readouterr().out
    assert [line.split()[:3] for line in out.splitlines()] == [
        [FIRST, "done", "1"],
        [SECOND, "done", "empty"],
        [THIRD, "done", "1"],
    ]
    index = log.store.storage.read("pages/index.html").decode()
    assert all(day in index for day in (FIRST, SECOND, THIRD))
    assert app.app([*arguments, "2026-03-02..2026-03-04"]) == ExitCode.BAD_DATA
    captured = log.capsys.readouterr()
    assert "2026-03-02  unchanged  empty" in captured.out
    assert "ingest_events of 2026-03-04: The source has no rows" in captured.err
