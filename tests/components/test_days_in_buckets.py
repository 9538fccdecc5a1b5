"""A day comes out the same whether its users lie in one file or in several."""

import csv
import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import contract
from components.cli import app
from components.rows import late_rows
from components.rows.day_parts import settled_parts
from components.settings.loading import load
from components.store.artifacts import Store
from components.tables import bucket_files
from tests.components.day_log import DayLog

DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")
STEPS = ("ingest_events", "validate_events")
LIMITS = "validate_events: {max_quarantined_share: 1.0, max_duplicate_share: 1.0, repairs: repairs}"
FORMS = {
    "numbers": "",
    "text ids": 'text_ids: {user_id: "", post_id: ""}',
    "actions": 'rows: actions\nfold_minutes: 60\ntext_ids: {user_id: ""}',
    # Of an event, which say what is a repeat, also of one of another day.
    "own ids": "rows: actions\nfold_minutes: 60",
    "own ids of impressions": "",
}
TABLES = ("events", "late", "accepted", "labels")


def write_log(log: DayLog, form: str, generator: random.Random) -> None:
    """Rows of few users and posts: repeats, conflicts, late rows, and rows that are no rows."""
    for day in DAYS:
        lines = ["user,item,author,ts,liked,clicked,id"]
        for _ in range(60):
            user, item = generator.randrange(1, 20), generator.randrange(1, 6)
            shown = generator.choice([day] * 8 + ["2026-03-01", "2026-02-27"])
            hour, minute = generator.choice(["00", "01", "23"]), generator.choice(["02", "59"])
            time = f"{shown}T{hour}:{minute}:00"
            liked, clicked = generator.randrange(2), generator.randrange(2)
            line = f"{user},{item},{item % 3 + 1},{time},{liked},{clicked}"
            if form == "text ids":
                line = f"u-{user},P{item}" + line[line.index(",", line.index(",") + 1) :]
            broken = {0: "no row", 1: f"{user},,1,{time},1,0", 2: f"{user},{item},0,{time},1,0"}
            line = broken.get(generator.randrange(30), line)
            # Also of two users, whose rows are in two files.
            lines.append(f"{line},e-{generator.randrange(50)}")
        path = log.root / "log" / f"{day}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")


def with_buckets(log: DayLog, form: str, num_buckets: int) -> DayLog:
    """The same log with a store of its own, whose tables lie in a number of files."""
    log.configure("log/{day}.csv", source=FORMS[form], more=f"{LIMITS}\n")
    text = log.config.read_text().replace("store: store", f"store: store{num_buckets}")
    if form.startswith("own ids"):
        text = text.replace("shown_at: ts", "shown_at: ts, source_event_id: id")
    path = log.root / f"buckets{num_buckets}.yaml"
    path.write_text(f"{text}user_buckets: {num_buckets}\n")
    return InStore(log.root, log.capsys, num_buckets)


@dataclasses.dataclass
class InStore(DayLog):
    """A log with one of several configurations."""

    num_buckets: int

    @property
    def store(self) -> Store:
        return Store(str(self.root / f"store{self.num_buckets}"))

    @property
    def config(self) -> Path:
        return self.root / f"buckets{self.num_buckets}.yaml"


def content(log: DayLog, step: str, day: str) -> dict[str, Any]:
    """The facts, key, rows and the digests of all else of an artifact."""
    ref = log.store.head(step, day)
    assert ref is not None
    manifest = log.store.manifest(ref)
    found: dict[str, Any] = {"ref": ref, "facts": manifest["facts"]}
    for name, entry in manifest["files"].items():
        table = name.partition("-")[0].partition(".")[0]
        if table in TABLES:
            rows = pq.read_table(log.store.read_file(ref, name))
            found[table] = pa.concat_tables([found[table], rows]) if table in found else rows
        else:
            found[name] = entry["sha256"]
    return found


def assert_equal(one: DayLog, other: DayLog) -> None:
    for step in STEPS:
        for day in DAYS:
            expected, found = content(one, step, day), content(other, step, day)
            assert expected.keys() == found.keys()
            for name in expected:
                assert expected[name] == found[name], f"{name} of {step} of {day}"


@pytest.mark.parametrize(
    ("form", "seed"),
    [
        # The others go the ways of these: a form takes twenty seconds.
        pytest.param(form, seed, marks=() if is_quick else pytest.mark.slow)
        for form in FORMS
        for seed in (0, 1)
        for is_quick in [seed == 0 and form in ("actions", "text ids", "own ids of impressions")]
    ],
)
def test_a_day_in_eight_files_is_the_day_in_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, seed: int
) -> None:
    write_log(DayLog(tmp_path, capsys), form, random.Random(seed))
    logs = [with_buckets(DayLog(tmp_path, capsys), form, number) for number in (1, 8)]
    for log in logs:
        log.run_days(*DAYS, steps=STEPS)
        # With the rows that arrived for it on later days.
        log.run_days(DAYS[0], steps=STEPS[1:])
    assert_equal(*logs)
    facts = logs[1].facts("validate_events", DAYS[0])
    assert facts["arrived_late"], "late rows took part"
    assert min(facts[name] for name in ("quarantined", "duplicate", "accepted")) > 0
    assert len(list((tmp_path / "store8").rglob("accepted-*-of-00008.parquet"))) >= 8 * len(DAYS)


def look_at_day(log: DayLog, day: str) -> dict[str, Any]:
    """What `phoenix quarantine` says of a day, and the earlier days that wait for its rows."""
    options = ["--config", str(log.config), "--day", day]
    file, found = log.root / "export.csv", dict[str, Any]()
    for name in ("list", "show"):
        more = ["--limit", "1000"] if name == "show" else []
        log.capsys.readouterr()
        assert app.app(["quarantine", name, *options, "--json", *more]) == 0
        found[name] = json.loads(log.capsys.readouterr().out)
    assert len(found["show"]) == found["list"]["quarantined"]
    assert app.app(["quarantine", "export", *options, "--to", str(file)]) == 0
    found["export"] = sorted(file.read_text().splitlines())  # those too late come with their users
    file.unlink()
    run_again = late_rows.days_to_run_again(log.store, load(log.config), contract.parse_day(day))
    return {**found, "run again": run_again}


def test_a_look_at_some_users_at_a_time_sees_the_same_and_corrected_rows_move_to_their_users(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(DayLog(tmp_path, capsys), "numbers", random.Random(2))
    logs = [with_buckets(DayLog(tmp_path, capsys), "numbers", number) for number in (1, 8)]
    for log in logs:
        log.run_days(*DAYS, steps=STEPS)
    day, file = DAYS[1], tmp_path / "repairs" / f"{DAYS[1]}.csv"
    with monkeypatch.context() as patch:
        whole = look_at_day(logs[0], day)
        assert whole["list"]["quarantined"] == len(whole["export"]) - 1 > 5
        assert whole["run again"] == [DAYS[0]]
        patch.setattr(settled_parts, "PART_ROWS", 25)
        patch.setattr(bucket_files, "GROUP_ROWS", 25)
        assert look_at_day(logs[1], day) == whole
    file.parent.mkdir()
    arguments = ["--config", str(logs[0].config), "--day", day]
    assert app.app(["quarantine", "export", *arguments, "--to", str(file)]) == 0
    with file.open() as text:
        rows = [row for row in csv.DictReader(text) if row["rule"] == "zero_id"]
    assert rows, "some name the author 0"
    for number, row in enumerate(rows):
        row |= {"author_id": "1", "user_id": str(900 + number)}  # of another user than it was
    with file.open("w") as text:
        writer = csv.DictWriter(text, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    for log in logs:
        log.run_days(day, steps=STEPS[1:])
    assert_equal(*logs)
    accepted = content(logs[1], "validate_events", day)["accepted"]["user_id"].to_pylist()
    assert {900 + number for number in range(len(rows))} <= set(accepted)


def test_a_store_may_change_the_number_of_its_files_between_two_days(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_log(DayLog(tmp_path, capsys), "actions", random.Random(3))
    one, mixed = (with_buckets(DayLog(tmp_path, capsys), "actions", n) for n in (1, 8))
    one.run_days(*DAYS, steps=STEPS)
    for day, number in zip(DAYS, (2, 16, 4), strict=True):
        text = mixed.config.read_text()
        mixed.config.write_text(f"{text[: text.index('user_buckets')]}user_buckets: {number}\n")
        mixed.run_days(day, steps=STEPS)
    assert_equal(one, mixed)
