import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from components import contract
from components.rows import late_rows
from components.rows.day_parts.day_arrivals import DayArrivals
from components.run.context import Context
from components.settings.loading import load
from components.tables import bucket_files
from schemas.buckets import NUM_SLOTS
from tests.components.day_log import DayLog

FIRST, SECOND = "2026-03-01", "2026-03-02"
CORRECTED = (
    "file,line,user_id,post_id,author_id,shown_at,ingested_at,surface,actions,dwell_seconds\n"
    "{file},{line},77,5,1,2026-03-01T10:00:00Z,2026-03-01T10:00:00Z,0,favorite,0\n"
)


@pytest.fixture
def log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> DayLog:
    log = DayLog(tmp_path, capsys)
    log.configure("log/{day}.csv", more="validate_events: {repairs: repairs}\n")
    rows = [f"{user},{user % 3 + 1},{FIRST}T0{user % 9}:00:00" for user in range(1, 30)]
    log.write(f"log/{FIRST}.csv", [*rows, f"who,5,{FIRST}T10:00:00"])
    log.write(f"log/{SECOND}.csv", [f"9,4,{FIRST}T23:00:00", f"3,3,{SECOND}T01:00:00"])
    log.run_days(FIRST, SECOND, steps=["ingest_events"])
    return log


def arrivals_of(log: DayLog) -> DayArrivals:
    config, day = load(log.config), datetime.date.fromisoformat(FIRST)
    context = Context(contract.VALIDATE_EVENTS, config, day, log.store)
    ingested = context.read(contract.INGEST_EVENTS.name, day)
    return DayArrivals(context, ingested, late_rows.holders(log.store, config, day))


def correct(log: DayLog, file: str, line: int) -> None:
    (log.root / "repairs").mkdir()
    path = log.root / "repairs" / f"{FIRST}.csv"
    path.write_text(CORRECTED.format(file=file, line=line))


def test_the_rows_of_all_slots_are_those_of_the_day_in_one_order(log: DayLog) -> None:
    correct(log, f"{FIRST}.csv", 31)
    arrivals = arrivals_of(log)
    whole = arrivals.of_slots(range(NUM_SLOTS))
    parts = [arrivals.of_slots(bucket_files.slots_of_bucket(n, 16)) for n in range(16)]
    for name in ("events", "rejected", "late"):
        of_parts = pa.concat_tables([getattr(part, name) for part in parts])
        assert of_parts.to_pylist() == getattr(whole, name).to_pylist(), name
    users = whole.events["user_id"].to_pylist()
    assert sorted(users) == sorted([*range(1, 30), 9, 77]), "one arrived late, one is corrected"
    assert len(whole.rejected) == 0, "the corrected row took its place"


def test_a_corrected_row_replaces_one_of_another_user_and_else_is_refused(log: DayLog) -> None:
    correct(log, f"{FIRST}.csv", 2)  # of user 1, who is in another slot than 77
    arrivals = arrivals_of(log)
    for bucket in range(8):
        arrivals.of_slots(bucket_files.slots_of_bucket(bucket, 8))
    assert arrivals.unknown_corrections() is None
    (log.root / "repairs" / f"{FIRST}.csv").write_text(CORRECTED.format(file="none", line=2))
    arrivals = arrivals_of(log)
    arrivals.of_slots(range(NUM_SLOTS))
    told = arrivals.unknown_corrections()
    assert told is not None
    assert "1 rows take the place of 0 rows of the day. No file of the day is called none: " in told
