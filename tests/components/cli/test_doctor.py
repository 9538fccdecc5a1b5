import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.cli.app import doctor
from components.cli.doctor import Finding, Severity
from components.contract import ExitCode
from components.settings.config import Config
from components.settings.loading import load

LAST = "2026-01-03"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "phoenix.yaml"
    path.write_text(
        "store: store\nfirst_day: 2026-01-01\n"
        "ingest_events: {source: {layout: synthetic}}\n"
        "actions: [{name: favorite, is_positive: true}]\n"
    )
    return load(path)


def by_check(findings: list[Finding], check: str) -> list[Finding]:
    return [finding for finding in findings if finding.check == check]


def bad(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is not Severity.FINE]


def test_a_fresh_deployment_is_fit(config: Config) -> None:
    findings = doctor.examine(config)
    assert doctor.exit_code(findings) == ExitCode.DONE
    assert {"python", "libraries", "memory", "source", "store", "live"} <= {
        finding.check for finding in findings
    }


def test_a_healthy_store_has_nothing_to_complain_about(three_days) -> None:
    findings = doctor.examine(three_days.config, deep=True)
    assert bad(findings) == []
    assert "Release and feeds of 2026-01-03 are live" in by_check(findings, "live")[0].message


def test_every_complaint_says_what_to_do(world) -> None:
    world.store.storage.remove(f"train_ranker/{LAST}")
    (world.artifact("ingest_events", LAST).folder / "manifest.json").write_text("{}")
    complaints = bad(doctor.examine(world.config))
    assert len(complaints) == 2
    assert all(finding.advice for finding in complaints)


def test_a_missing_source_is_a_configuration_error(tmp_path: Path) -> None:
    path = tmp_path / "phoenix.yaml"
    path.write_text(
        "store: store\nfirst_day: 2026-01-01\n"
        "ingest_events: {source: {layout: kuairand, path: nowhere}}\n"
        "actions: [{name: favorite, is_positive: true}]\n"
    )
    findings = doctor.examine(load(path))
    assert doctor.exit_code(findings) == ExitCode.BAD_CONFIGURATION
    assert "nowhere is none" in by_check(findings, "source")[0].message


def test_a_training_that_would_be_refused_at_night_is_an_error(config: Config) -> None:
    raw = config.model_dump() | {"train_ranker": {"checkpoints": {"result": "best"}}}
    findings = doctor.examine(Config.model_validate(raw))
    assert doctor.exit_code(findings) == ExitCode.BAD_CONFIGURATION
    (finding,) = bad(by_check(findings, "training"))
    assert finding.message.startswith("`train_ranker`: `checkpoints.result`: expected last")
    assert finding.advice


def test_a_store_that_cannot_be_written_is_a_configuration_error(config: Config) -> None:
    Path(config.store).write_text("a file where the folder should be")
    findings = doctor.examine(config)
    assert doctor.exit_code(findings) == ExitCode.BAD_CONFIGURATION
    assert "cannot be written" in by_check(findings, "store")[0].message


def test_a_damaged_file_is_found_when_one_looks_deep(world) -> None:
    path = world.artifact("publish_feeds", LAST).path("feeds.parquet")
    path.write_bytes(path.read_bytes()[:-1])
    assert doctor.exit_code(doctor.examine(world.config)) == ExitCode.DONE
    findings = doctor.examine(world.config, deep=True)
    assert doctor.exit_code(findings) == ExitCode.BAD_DATA
    assert any("feeds.parquet is damaged" in finding.message for finding in bad(findings))


def test_a_damaged_live_release_is_an_error(world) -> None:
    manifest = world.artifact("publish_release", LAST).folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    findings = doctor.examine(world.config)
    assert doctor.exit_code(findings) == ExitCode.BAD_DATA
    (finding,) = by_check(findings, "live")
    assert "phoenix releases list" in finding.advice


def test_a_damaged_pointer_is_an_error_that_names_the_file(world) -> None:
    world.store.storage.replace(f"pointers/heads/export_corpus/{LAST}/00000001.json", b"{")
    findings = doctor.examine(world.config)
    assert doctor.exit_code(findings) == ExitCode.BAD_DATA
    (finding,) = by_check(findings, "pointers")
    assert f"export_corpus/{LAST}/00000001.json" in finding.message


def test_a_gap_is_named(world) -> None:
    world.store.storage.remove("build_features/2026-01-02")
    findings = by_check(doctor.examine(world.config), "gaps")
    assert ["build_features has no artifact of 2026-01-02" in f.message for f in findings] == [True]


def test_what_the_dead_left_behind_is_a_warning(config: Config) -> None:
    code = (
        "import os, signal\n"
        "from components.store import leases; from components.store.storage import Storage\n"
        f"storage = Storage({config.store!r}); lease = leases.hold(storage, 'events/2026-01-01')\n"
        "lease.__enter__(); storage.scratch_folder(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    run = subprocess.run([sys.executable, "-c", code])
    assert run.returncode < 0
    complaints = bad(doctor.examine(config))
    assert [finding.check for finding in complaints] == ["drafts", "leases"]
    assert all(finding.severity is Severity.WARNING for finding in complaints)


def test_who_is_at_work_is_said(config: Config) -> None:
    from components.store import leases
    from components.store.storage import Storage

    with leases.hold(Storage(config.store), "events/2026-01-01"):
        (finding,) = by_check(doctor.examine(config), "leases")
    assert f"written by process {os.getpid()}" in finding.message
    assert finding.severity is Severity.FINE


def test_a_failed_run_is_a_warning_with_its_message(world) -> None:
    assert world.run("train_ranker", "2026-01-09") == ExitCode.BAD_DATA
    (finding,) = by_check(doctor.examine(world.config), "runs")
    assert "train_ranker of 2026-01-09 failed (65)" in finding.message


def test_a_sink_without_its_address_is_a_warning(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    sinks = {"sinks": ({"kind": "redis", "url_variable": "SOME_URL"},)}
    raw = config.model_dump() | {"publish_feeds": sinks}
    with_sink = Config.model_validate(raw)
    assert "SOME_URL" in by_check(doctor.examine(with_sink), "sinks")[0].message
    monkeypatch.setenv("SOME_URL", "redis://localhost")
    assert by_check(doctor.examine(with_sink), "sinks") == []


def test_an_airflow_that_died_is_a_warning(config: Config, tmp_path: Path) -> None:
    assert by_check(doctor.examine(config, folder=tmp_path), "airflow") == []
    home = tmp_path / "airflow"
    home.mkdir()
    (finding,) = by_check(doctor.examine(config, folder=tmp_path), "airflow")
    assert finding.severity is Severity.FINE
    state = {"url": "http://127.0.0.1:1", "processes": {"scheduler": [1, "another start"]}}
    (home / "processes.json").write_text(json.dumps(state))
    (finding,) = by_check(doctor.examine(config, folder=tmp_path), "airflow")
    assert finding.severity is Severity.WARNING
    assert "phoenix down" in finding.advice


def test_the_worst_finding_decides_the_exit_code() -> None:
    def finding(severity: Severity, code: ExitCode) -> Finding:
        return Finding(check="c", severity=severity, message="m", exit_code=code)

    error, warning = Severity.ERROR, Severity.WARNING
    data, configuration = ExitCode.BAD_DATA, ExitCode.BAD_CONFIGURATION
    assert doctor.exit_code([]) == 0
    assert doctor.exit_code([finding(warning, ExitCode.DONE)]) == 0
    assert doctor.exit_code([finding(error, data), finding(warning, ExitCode.DONE)]) == 65
    assert doctor.exit_code([finding(error, data), finding(error, configuration)]) == 78
