"""Days as logs have them, from their files to windows: hidden files, empty days, late files."""

import datetime
import gc
import shutil
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from components import contract
from components.cli import app
from components.contract import ExitCode
from tests.components.day_log import DATA_STEPS, DayLog

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
    inputs = Source.event_inputs

    def inputs_before_a_change(source: Source, day: object) -> object:
        named = inputs(source, day)  # type: ignore[arg-type]
        log.write(f"log/{FIRST}/a.csv", [f"1,1,{FIRST}T00:00:05", f"1,2,{FIRST}T00:00:06"])
        return named

    monkeypatch.setattr(Source, "event_inputs", inputs_before_a_change)
    code, result = log.run("ingest_events", FIRST)
    assert code == ExitCode.TRY_AGAIN
    assert "a.csv changed while it was read" in result["error"]
    monkeypatch.setattr(Source, "event_inputs", inputs)
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


def test_an_empty_day_does_not_search_all_memory_for_cycles(log: DayLog) -> None:
    """A search costs more than all else of such a day, and no check left it anything to find."""
    settings = "user_buckets: 2\nvalidate_events: {min_accepted_rows: 0}\n"
    log.configure("log/*.csv", more=settings)
    first = [f"{user},1,{FIRST}T00:00:05" for user in range(1, 9)]
    log.write("log/a.csv", [*first, f"1,3,{THIRD}T00:00:05"])
    searches: list[str] = []

    def count(phase: str, _: object) -> None:
        if phase == "start":
            searches.append(phase)

    gc.disable()  # else Python searches when it likes
    gc.callbacks.append(count)
    try:
        log.run_days(FIRST, steps=DATA_STEPS[:2])
        assert searches, "the rows of a part are let go before the next"
        searches.clear()
        log.run_days(SECOND, steps=DATA_STEPS[:2])
        assert not searches
    finally:
        gc.callbacks.remove(count)
        gc.enable()


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
    for index in ("pages/index.html", "docs/index.html"):
        text = log.store.storage.read(index).decode()
        assert all(day in text for day in (FIRST, SECOND, THIRD))
    assert app.app([*arguments, "2026-03-02..2026-03-04"]) == ExitCode.BAD_DATA
    captured = log.capsys.readouterr()
    assert "2026-03-02  unchanged  empty" in captured.out
    assert "ingest_events of 2026-03-04: The source has no rows" in captured.err


def test_rows_shortly_after_midnight_are_handed_to_their_day(log: DayLog) -> None:
    log.configure("log/{day}/*.csv")
    before = [f"1,{item},{FIRST}T23:59:5{item}" for item in (1, 2)]
    after = [f"1,{item},{SECOND}T00:00:0{item - 3}" for item in range(3, 8)]
    log.write(f"log/{FIRST}/a.csv", [*before, *after])
    log.write(f"log/{SECOND}/a.csv", [f"1,900,{SECOND}T00:00:50"])
    log.run_days(FIRST, SECOND)
    assert log.accepted_posts(FIRST) == [1, 2]
    assert log.accepted_posts(SECOND) == [3, 4, 5, 6, 7, 900]
    assert log.files("validate_events", FIRST) == {f"{FIRST}/a.csv": 2}
    assert log.files("validate_events", SECOND) == {f"{FIRST}/a.csv": 5, f"{SECOND}/a.csv": 1}
    assert log.facts("ingest_events", FIRST)["next_day_rows"] == 5
    assert log.run("ingest_events", SECOND)[0] == ExitCode.NOTHING_TO_DO
    assert log.run("ingest_events", FIRST)[0] == ExitCode.NOTHING_TO_DO


def test_a_day_is_the_same_without_what_the_day_before_kept_for_it(log: DayLog) -> None:
    log.configure("log/{day}.csv")
    for day, other in ((FIRST, SECOND), (SECOND, THIRD)):
        log.write(f"log/{day}.csv", [f"1,1,{day}T12:00", f"1,2,{other}T00:00:01"])
    log.run_days(FIRST, SECOND)
    shutil.rmtree(log.root / "store" / "work")
    assert log.run("ingest_events", SECOND)[0] == ExitCode.NOTHING_TO_DO


def test_rows_long_after_midnight_are_of_the_wrong_day(log: DayLog) -> None:
    log.configure("log/{day}.csv", source="overrun_minutes: 10")
    text = log.config.read_text() + "validate_events: {max_quarantined_share: 1.0}\n"
    log.config.write_text(text)
    rows = [f"1,1,{FIRST}T12:00", f"1,2,{SECOND}T00:09:59", f"1,3,{SECOND}T00:10:00"]
    log.write(f"log/{FIRST}.csv", rows)
    log.write(f"log/{SECOND}.csv", [f"1,4,{SECOND}T12:00"])
    log.run_days(FIRST, SECOND)
    assert log.facts("validate_events", FIRST)["quarantined_by_rule"] == {"wrong_day": 1}
    assert log.accepted_posts(SECOND) == [2, 4]


def test_a_few_rows_after_midnight_are_no_day(log: DayLog) -> None:
    log.configure("log/{day}.csv")
    log.write(f"log/{FIRST}.csv", [f"1,1,{FIRST}T12:00", f"1,2,{SECOND}T00:00:01"])
    log.run_days(FIRST)
    code, result = log.run("ingest_events", SECOND)
    assert code == ExitCode.BAD_DATA
    assert f"it covers {FIRST} to {FIRST}" in result["error"]


@pytest.mark.parametrize(
    "zone", ["America/Los_Angeles", "Asia/Tokyo", "Pacific/Kiritimati", "Asia/Kolkata", "UTC"]
)
def test_files_by_local_day_are_read_by_utc_day(log: DayLog, zone: str) -> None:
    place = ZoneInfo(zone)
    log.configure("log/{day:%Y%m%d}.csv", source=f"day_zone: {zone}\ntime_zone: {zone}")
    of_day: dict[str, list[int]] = {}
    start = datetime.datetime(2026, 2, 27, tzinfo=place)
    for number in range(7 * 24):
        local = start + datetime.timedelta(hours=number, minutes=10)
        with (log.root / f"log-{local:%Y%m%d}").open("a") as rows:
            rows.write(f"1,{number + 1},{local:%Y-%m-%dT%H:%M:%S}\n")
        utc = local.astimezone(datetime.UTC).date().isoformat()
        of_day.setdefault(utc, []).append(number + 1)
    for file in sorted(log.root.glob("log-*")):
        log.write(f"log/{file.name.removeprefix('log-')}.csv", file.read_text().splitlines())
    for day in (FIRST, SECOND, THIRD):
        log.run_days(day, steps=DATA_STEPS[:2])
        assert log.accepted_posts(day) == of_day[day], day
        assert log.facts("validate_events", day)["quarantined"] == 0


def test_a_day_that_a_local_file_has_only_begun_has_not_come(log: DayLog) -> None:
    log.configure("log/{day}.csv", source="day_zone: America/Los_Angeles")
    log.write(f"log/{FIRST}.csv", [f"1,1,{FIRST}T12:00", f"1,2,{SECOND}T03:00"])
    log.run_days(FIRST)
    code, result = log.run("ingest_events", SECOND)
    assert code == ExitCode.BAD_DATA
    assert f"covers {FIRST} to {FIRST}" in result["error"]
    log.write(f"log/{SECOND}.csv", [f"1,3,{SECOND}T09:00", f"1,9,{FIRST}T23:00"])
    assert log.run("ingest_events", FIRST)[0] == ExitCode.NOTHING_TO_DO, "complete as it was"
    log.run_days(SECOND)
    assert log.accepted_posts(SECOND) == [2, 3]


def test_day_of_the_clock_change_has_its_hours(log: DayLog) -> None:
    log.configure("log/{day}.csv", source="day_zone: Europe/Berlin")
    text = log.config.read_text().replace("first_day: 2026-03-01", "first_day: 2026-03-28")
    log.config.write_text(text)
    # On 29 March clocks go forward: the local day is from 23:00 to 22:00 UTC.
    log.write("log/2026-03-29.csv", ["1,1,2026-03-28T23:30", "1,2,2026-03-29T21:59:59"])
    log.write("log/2026-03-30.csv", ["1,3,2026-03-29T22:00:00", "1,4,2026-03-30T12:00"])
    log.run_days("2026-03-28", "2026-03-29")
    assert log.accepted_posts("2026-03-28") == [1]
    assert log.accepted_posts("2026-03-29") == [2, 3]


def test_files_by_local_day_without_their_zone_are_told_of_it(log: DayLog) -> None:
    log.configure("log/{day}.csv", source="time_zone: America/Los_Angeles")
    log.write(f"log/{FIRST}.csv", [f"1,{n + 1},{FIRST}T{n:02}:30:00" for n in range(24)])
    assert log.run("ingest_events", FIRST)[0] == 0
    code, result = log.run("validate_events", FIRST)
    assert code == ExitCode.BAD_DATA
    assert "set `ingest_events.source.day_zone`" in result["error"]


def changed_days(log: DayLog) -> list[str]:
    """The days that doctor names as changed."""
    findings = [each for each in log.doctor()[1] if each["check"] == "changed"]
    return [each["message"].split()[3] for each in findings if each["severity"] == "warning"]


def test_a_late_file_in_the_folder_of_an_old_day_is_news_of_that_day(log: DayLog) -> None:
    log.configure("log/{day}/*.csv")
    for number, day in enumerate((FIRST, SECOND, THIRD), 1):
        log.write(f"log/{day}/a.csv", [f"1,{number},{day}T00:00:05"])
    log.run_days(FIRST, SECOND)
    assert changed_days(log) == []
    log.write(f"log/{FIRST}/late.csv", [f"2,7,{FIRST}T00:01:39"])
    code, result = log.run("ingest_events", THIRD)
    assert (code, result["run_again"]) == (0, [FIRST])
    code, result = log.run("ingest_events", THIRD)
    assert (code, result["run_again"]) == (ExitCode.NOTHING_TO_DO, [FIRST]), "until it was run"
    assert changed_days(log) == [FIRST]
    log.run_days(FIRST, SECOND, THIRD)
    assert log.accepted_posts(FIRST) == [1, 7]
    assert changed_days(log) == []
    assert log.run("ingest_events", THIRD)[1].get("run_again") is None


@pytest.mark.parametrize("how", ["more", "less", "other", "touched", "gone"])
def test_a_file_of_an_old_day_that_was_changed_is_news(log: DayLog, how: str) -> None:
    log.configure("log/{day}.csv")
    for day in (FIRST, SECOND):
        file = log.write(f"log/{day}.csv", [f"1,1,{day}T00:00:05", f"2,2,{day}T00:00:06"])
        log.run_days(day, steps=DATA_STEPS[:2])
    file = log.root / "log" / f"{FIRST}.csv"
    text = file.read_text()
    match how:
        case "more":
            file.write_text(text + f"3,3,1,{FIRST}T00:00:07,1,0\n")
        case "less":
            file.write_text("".join(text.splitlines(keepends=True)[:-1]))
        case "other":
            file.write_text(text.replace(",1,0", ",0,1"))
        case "touched":
            file.touch()
        case "gone":  # as old days are, when a source forgets them
            file.unlink()
    assert changed_days(log) == ([] if how in ("touched", "gone") else [FIRST])


def test_late_rows_in_a_file_of_many_days_are_news_of_their_day(log: DayLog) -> None:
    log.configure("log/*.csv")
    rows = [f"1,1,{FIRST}T00:00:05", f"1,2,{SECOND}T00:00:05"]
    log.write("log/a.csv", rows)
    log.run_days(FIRST, SECOND)
    log.write("log/a.csv", [*rows, f"1,3,{THIRD}T00:00:05"])
    code, result = log.run("ingest_events", THIRD)
    assert (code, result.get("run_again")) == (0, None), "it grew"
    log.write("log/a.csv", [*rows, f"1,3,{THIRD}T00:00:05", f"9,9,{FIRST}T12:00"])
    assert log.run("ingest_events", THIRD)[1]["run_again"] == [FIRST]
    log.run_days(FIRST)
    assert log.accepted_posts(FIRST) == [1, 9]
    assert changed_days(log) == []


def test_an_empty_day_whose_file_comes_late_is_news(log: DayLog) -> None:
    log.configure("log/{day}.csv")
    for day in (FIRST, THIRD):
        log.write(f"log/{day}.csv", [f"1,1,{day}T00:00:05"])
    log.run_days(FIRST, SECOND, THIRD)
    log.write(f"log/{SECOND}.csv", [f"1,2,{SECOND}T00:00:05"])
    assert changed_days(log) == [SECOND]


def test_days_longer_ago_than_rows_may_be_late_are_not_compared(log: DayLog) -> None:
    log.configure("log/{day}.csv", more="validate_events: {late_days: 1}\n")
    for day in (FIRST, SECOND, THIRD):
        log.write(f"log/{day}.csv", [f"1,1,{day}T00:00:05"])
    log.run_days(FIRST, SECOND, THIRD, steps=DATA_STEPS[:1])
    for day in (FIRST, SECOND):
        log.write(f"log/{day}.csv", [f"1,1,{day}T00:00:05", f"1,2,{day}T00:00:06"])
    assert log.run("ingest_events", THIRD)[1]["run_again"] == [SECOND]
