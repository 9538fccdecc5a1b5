"""The events' own ids, through the real steps: of one id the row that arrived first counts."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components.rows import source_ids
from components.rows.day_parts.id_files import IdFiles
from components.rows.source_ids import EarlierIds
from tests.components.day_log import DayLog

FIRST, SECOND, THIRD = "2026-03-01", "2026-03-02", "2026-03-03"
STEPS = ("ingest_events", "validate_events")
LIMITS = "validate_events: {max_quarantined_share: 1, max_duplicate_share: 1}\n"
KINDS = {"impressions": "", "actions": "rows: actions\nfold_minutes: 60"}


@pytest.fixture
def log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> DayLog:
    return DayLog(tmp_path, capsys)


def configure(log: DayLog, kind: str, *, num_buckets: int = 1) -> None:
    log.configure("log/{day}.csv", source=KINDS[kind], more=LIMITS)
    text = log.config.read_text().replace("shown_at: ts", "shown_at: ts, source_event_id: id")
    log.config.write_text(f"{text}user_buckets: {num_buckets}\n")


def write(log: DayLog, day: str, *rows: str) -> None:
    """Writes rows `user,item,time,liked,id`; each was clicked, too."""
    path = log.root / "log" / f"{day}.csv"
    path.parent.mkdir(exist_ok=True)
    lines = ["user,item,author,ts,liked,clicked,id"]
    for row in rows:
        user, item, time, liked, own_id = row.split(",")
        lines.append(f"{user},{item},1,{time},{liked},1,{own_id}")
    path.write_text("\n".join(lines) + "\n")


def account(log: DayLog, day: str) -> tuple[int, ...]:
    facts = log.facts("validate_events", day)
    return tuple(facts[name] for name in ("accepted", "duplicate", "quarantined", "late"))


@pytest.mark.parametrize(("kind", "num_buckets"), [("impressions", 8), ("actions", 1)])
def test_an_event_that_is_sent_again_on_another_day_is_a_repeat(
    log: DayLog, kind: str, num_buckets: int
) -> None:
    configure(log, kind, num_buckets=num_buckets)
    write(log, FIRST, f"1,5,{FIRST}T10:00:00,0,a", f"2,5,{FIRST}T10:00:00,0,b")
    # One with the time at which it was sent, one of another user, one of no id, one that is new.
    again = [f"1,5,{SECOND}T00:10:00,0,a", f"3,6,{SECOND}T09:00:00,0,b"]
    new = [f"1,6,{SECOND}T09:00:00,0,", f"1,7,{SECOND}T09:00:00,0,c"]
    write(log, SECOND, *again, *new)
    write(log, THIRD, f"1,9,{THIRD}T09:00:00,0,a", f"1,9,{THIRD}T11:00:00,0,d")
    log.run_days(FIRST, SECOND, THIRD, steps=STEPS)
    assert [account(log, day) for day in (FIRST, SECOND, THIRD)] == [
        (2, 0, 0, 0), (2, 2, 0, 0), (1, 1, 0, 0),
    ]  # fmt: skip
    assert log.facts("validate_events", SECOND)["duplicate_exact"] == 2
    assert sorted(log.accepted_posts(SECOND)) == [6, 7]
    files = log.facts("validate_events", SECOND)["files"]
    assert [each["duplicate"] for each in files] == [2]


@pytest.mark.parametrize("kind", KINDS)
def test_the_id_of_a_row_that_broke_a_rule_is_free(log: DayLog, kind: str) -> None:
    configure(log, kind)
    write(log, FIRST, f"0,5,{FIRST}T10:00:00,0,a", f"2,5,{FIRST}T10:00:00,0,b")
    write(log, SECOND, f"1,5,{SECOND}T10:00:00,0,a")  # mended, and sent again
    log.run_days(FIRST, SECOND, steps=STEPS)
    assert account(log, FIRST) == (1, 0, 1, 0)
    assert account(log, SECOND) == (1, 0, 0, 0)


def test_a_repeat_of_an_action_that_comes_late_is_no_label_of_another_impression(
    log: DayLog,
) -> None:
    configure(log, "actions")
    write(log, FIRST, f"1,5,{FIRST}T10:00:00,1,a", f"1,5,{FIRST}T17:40:00,0,b")
    late = [f"1,5,{FIRST}T18:00:00,1,a", f"1,5,{FIRST}T18:10:00,1,c"]
    write(log, SECOND, late[0], f"1,6,{SECOND}T10:00:00,0,e")
    write(log, THIRD, late[1], f"1,6,{THIRD}T10:00:00,0,f")
    log.run_days(FIRST, SECOND, THIRD, steps=STEPS)
    assert account(log, SECOND) == (1, 0, 0, 1), "its own day accounts for it as a repeat"
    assert log.facts("validate_events", SECOND)["labels"] == 0
    (label,) = log.table("validate_events", THIRD, "labels.parquet").to_pylist()
    assert f"{label['shown_at']:%H:%M}" == "17:40"
    log.run_days(FIRST, steps=STEPS)
    facts = log.facts("validate_events", FIRST)
    assert (facts["rows_in"], facts["accepted"], facts["duplicate"]) == (4, 2, 2)
    assert (facts["duplicate_exact"], facts["folded"]) == (1, 1)
    # What its own day took over from the others is no earlier row for them.
    log.run_days(SECOND, THIRD, steps=STEPS)
    assert log.facts("validate_events", THIRD)["labels"] == 1


def test_rows_of_one_id_that_agree_in_all_else_are_states_of_one_impression(log: DayLog) -> None:
    configure(log, "impressions")
    row = f"1,5,{FIRST}T10:00:00"
    write(log, FIRST, f"{row},0,a", f"{row},1,a", f"1,5,{FIRST}T12:00:00,1,a")
    write(log, SECOND, f"{row},1,a", f"1,6,{SECOND}T10:00:00,0,e")
    log.run_days(FIRST, SECOND, steps=STEPS)
    facts = log.facts("validate_events", FIRST)
    assert (facts["accepted"], facts["duplicate_exact"], facts["duplicate_conflicting"]) == (
        1,
        1,
        1,
    )
    assert log.facts("validate_events", SECOND)["labels_by_day"] == {FIRST: 1}


def test_a_store_without_ids_has_no_file_of_them_and_one_with_ids_has_each_once(
    log: DayLog,
) -> None:
    configure(log, "impressions")
    rows = [f"{n},5,{FIRST}T10:00:00,0,e-{n % 7}" for n in range(1, 30)]
    write(log, FIRST, *rows)
    log.run_days(FIRST, steps=STEPS)
    ids = log.table("validate_events", FIRST, "source_ids.parquet")["id"].to_numpy()
    assert len(ids) == 7
    assert (np.diff(ids) > 0).all()
    log.configure("log/{day}.csv", more=LIMITS)
    log.run_days(FIRST, steps=STEPS)
    ref = log.store.head("validate_events", FIRST)
    assert ref is not None
    assert "source_ids.parquet" not in log.store.manifest(ref)["files"]


def test_a_text_is_one_number_in_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pa.table({source_ids.COLUMN: ["a", None, "b", "a", "c"]})
    whole = source_ids.numbers(texts)
    monkeypatch.setattr(source_ids, "_BATCH_ROWS", 2)
    ids, has_id = source_ids.numbers(texts)
    assert ids.tolist() == whole[0].tolist()
    assert has_id.tolist() == [True, False, True, True, True]
    assert ids[0] == ids[3] != ids[2]


def test_ids_of_the_day_and_of_days_before_are_told(tmp_path: Path) -> None:
    earlier = EarlierIds(tmp_path / "ids", iter([np.array([3, 5]), np.array([9])]))
    earlier.add(np.array([7]))
    asked = np.array([9, 7, 1, 3])
    assert earlier.contain(asked).tolist() == [True, True, False, True]
    assert earlier.of_days(asked).tolist() == [True, False, False, True]


def test_no_ids_are_no_file(tmp_path: Path) -> None:
    source_ids.write(tmp_path, IdFiles(tmp_path / "ids"))
    assert not (tmp_path / "source_ids.parquet").exists()
