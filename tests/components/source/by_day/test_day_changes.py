import datetime
from pathlib import Path

import pytest

from components.settings.loading import load
from components.source import source as sources
from components.source.by_day import day_changes
from tests.components.day_log import DayLog

FIRST, SECOND, THIRD = "2026-03-01", "2026-03-02", "2026-03-03"


def changed_days(log: DayLog, before: str) -> list[str]:
    config = load(log.config)
    source = sources.open_source(config, log.store)
    day = datetime.date.fromisoformat(before)
    return day_changes.changed_days(log.store, config, source, before=day)


def test_days_are_named_oldest_first_and_damage_is_a_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = DayLog(tmp_path, capsys)
    log.configure("log/{day}.csv")
    for day in (FIRST, SECOND, THIRD):
        log.write(f"log/{day}.csv", [f"1,1,{day}T00:00:05"])
    assert changed_days(log, THIRD) == [], "of days that were never ingested there is no news"
    log.run_days(FIRST, SECOND, THIRD, steps=("ingest_events",))
    assert changed_days(log, THIRD) == []
    log.write(f"log/{SECOND}.csv", [])
    file = log.root / "log" / f"{FIRST}.csv"
    file.unlink()
    file.mkdir()
    assert changed_days(log, THIRD) == [FIRST, SECOND]
    assert changed_days(log, SECOND) == [FIRST]
