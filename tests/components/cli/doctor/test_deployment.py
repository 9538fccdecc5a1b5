"""Source, training and Airflow of a deployment, as they are before a night."""

import json
from pathlib import Path

import pytest

from components.cli.doctor.examination import examine
from components.cli.doctor.findings import Severity, exit_code
from components.contract import ExitCode
from components.settings.config import Config
from components.settings.loading import load
from tests.components.cli.doctor.select import by_check, complaints


def test_a_missing_source_is_a_configuration_error(tmp_path: Path) -> None:
    path = tmp_path / "phoenix.yaml"
    path.write_text(
        "store: store\nfirst_day: 2026-01-01\n"
        "ingest_events: {source: {layout: kuairand, path: nowhere}}\n"
        "actions: [{name: favorite, is_positive: true}]\n"
    )
    findings = examine(load(path))
    assert exit_code(findings) == ExitCode.BAD_CONFIGURATION
    assert "nowhere is none" in by_check(findings, "source")[0].message


@pytest.mark.parametrize(
    ("num_bad", "severity"), [(0, Severity.FINE), (1, Severity.WARNING), (90, Severity.ERROR)]
)
def test_rows_that_cannot_be_read_are_told_before_a_day_is_refused(
    num_bad: int, severity: Severity, tmp_path: Path
) -> None:
    times = ["yesterday"] * num_bad + ["1767225600"] * (100 - num_bad)
    rows = "".join(f"{n + 1},5,{time},1\n" for n, time in enumerate(times))
    (tmp_path / "log.csv").write_text("user,item,at,like\n" + rows)
    columns = "{user_id: user, post_id: item, author_id: item, shown_at: at}"
    path = tmp_path / "phoenix.yaml"
    path.write_text(
        "store: store\nfirst_day: 2026-01-01\ningest_events:\n  source:\n    layout: columns\n"
        f"    events: log.csv\n    event_columns: {columns}\n    time_unit: s\n"
        "actions: [{name: favorite, column: like, is_positive: true}]\n"
    )
    *_, finding = by_check(examine(load(path)), "source")
    assert finding.severity is severity
    assert ("log.csv:2: at: expected a time" in finding.message) is bool(num_bad)


def test_a_training_that_would_be_refused_at_night_is_an_error(config: Config) -> None:
    raw = config.model_dump() | {"train_ranker": {"checkpoints": {"result": "best"}}}
    findings = examine(Config.model_validate(raw))
    assert exit_code(findings) == ExitCode.BAD_CONFIGURATION
    (finding,) = complaints(by_check(findings, "training"))
    assert finding.message.startswith("`train_ranker`: `checkpoints.result`: expected last")
    assert finding.advice


def test_an_airflow_that_died_is_a_warning(config: Config, tmp_path: Path) -> None:
    assert by_check(examine(config, folder=tmp_path), "airflow") == []
    home = tmp_path / "airflow"
    home.mkdir()
    (finding,) = by_check(examine(config, folder=tmp_path), "airflow")
    assert finding.severity is Severity.FINE
    state = {"url": "http://127.0.0.1:1", "processes": {"scheduler": [1, "another start"]}}
    (home / "processes.json").write_text(json.dumps(state))
    (finding,) = by_check(examine(config, folder=tmp_path), "airflow")
    assert finding.severity is Severity.WARNING
    assert "phoenix down" in finding.advice
