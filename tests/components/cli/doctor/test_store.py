"""A store that cannot be written, damaged artifacts, gaps, and what is stuck."""

import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components import contract
from components.cli.doctor.examination import examine
from components.cli.doctor.findings import Severity, exit_code
from components.contract import ExitCode
from components.settings.config import Config
from components.settings.loading import load
from components.store import leases
from components.store.storage import Storage
from tests.components.cli.doctor.select import by_check, complaints
from tests.components.day_log import DayLog

LAST = "2026-01-03"


def test_a_store_that_cannot_be_written_is_a_configuration_error(config: Config) -> None:
    Path(config.store).write_text("a file where the folder should be")
    findings = examine(config)
    assert exit_code(findings) == ExitCode.BAD_CONFIGURATION
    assert "cannot be written" in by_check(findings, "store")[0].message


def test_a_damaged_file_is_found_when_one_looks_deep(world) -> None:
    path = world.artifact("publish_feeds", LAST).path("feeds.parquet")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert exit_code(examine(world.config)) == ExitCode.DONE
    findings = examine(world.config, deep=True)
    assert exit_code(findings) == ExitCode.BAD_DATA
    assert any("feeds.parquet is damaged" in finding.message for finding in complaints(findings))


def test_a_file_that_was_cut_is_found_by_its_size(world) -> None:
    path = world.artifact("publish_feeds", LAST).path("feeds.parquet")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    findings = examine(world.config)
    assert exit_code(findings) == ExitCode.BAD_DATA
    (artifact,), (live,) = (by_check(complaints(findings), c) for c in ("artifacts", "live"))
    assert "feeds.parquet is damaged: its manifest says" in artifact.message
    assert live.message.startswith("The live feeds cannot be used: ")


def test_a_damaged_live_release_is_an_error(world) -> None:
    manifest = world.artifact("publish_release", LAST).folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    findings = examine(world.config)
    assert exit_code(findings) == ExitCode.BAD_DATA
    (finding,) = by_check(findings, "live")
    assert "phoenix releases list" in finding.advice


def test_rows_that_look_like_actions_are_told_of_also_after_a_day_of_a_few(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, days = DayLog(tmp_path, capsys), ("2026-03-01", "2026-03-02")
    log.configure("log/{day}.csv")
    log.write(f"log/{days[0]}.csv", [f"1,7,{days[0]}T10:0{minute}:00" for minute in range(6)])
    log.write(f"log/{days[1]}.csv", [f"1,7,{days[1]}T10:00:00"])
    log.run_days(*days, steps=["ingest_events"])
    (finding,) = by_check(examine(load(log.config)), "rows")
    assert finding.message.startswith(f"{days[0]}: The rows look like actions, not impressions")


def test_a_gap_is_named(world) -> None:
    world.store.storage.remove("build_features/2026-01-02")
    findings = by_check(examine(world.config), "gaps")
    assert ["build_features has no artifact of 2026-01-02" in f.message for f in findings] == [True]


def test_days_before_the_first_model_are_no_gap(world) -> None:
    for step in contract.STEPS.values():
        if step.dag is not contract.Dag.DATA:
            for day in ("2026-01-01", "2026-01-02"):
                world.store.storage.remove(f"{step.name}/{day}")
    (finding,) = by_check(examine(world.config), "gaps")
    assert finding.message == "No day is missing before a day that is there."


def test_of_many_missing_days_the_first_five_are_named(world) -> None:
    world.store.storage.remove("build_features/2026-01-02")
    early = world.config.model_copy(update={"first_day": datetime.date(2025, 12, 24)})
    (finding, *_) = by_check(examine(early), "gaps")
    assert "2025-12-28 and 3 more days." in finding.message
    assert "`phoenix step ingest_events --day 2025-12-24`" in finding.advice


def test_what_the_dead_left_behind_is_a_warning(config: Config) -> None:
    code = (
        "import os, signal\n"
        "from components.store import leases; from components.store.storage import Storage\n"
        f"storage = Storage({config.store!r}); lease = leases.hold(storage, 'events/2026-01-01')\n"
        "lease.__enter__(); storage.scratch_folder(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    run = subprocess.run([sys.executable, "-c", code])
    assert run.returncode < 0
    left = complaints(examine(config))
    assert [finding.check for finding in left] == ["drafts", "leases"]
    assert all(finding.severity is Severity.WARNING for finding in left)


def test_who_is_at_work_is_said(config: Config) -> None:
    with leases.hold(Storage(config.store), "events/2026-01-01"):
        (finding,) = by_check(examine(config), "leases")
    assert f"written by process {os.getpid()}" in finding.message
    assert finding.severity is Severity.FINE


def test_a_failed_run_is_a_warning_with_its_message(world) -> None:
    assert world.run("train_ranker", "2026-01-09") == ExitCode.BAD_DATA
    (finding,) = by_check(examine(world.config), "runs")
    assert "train_ranker of 2026-01-09 failed (65)" in finding.message
