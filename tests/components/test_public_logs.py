"""Public logs in their exact forms, from the first look at them to live feeds."""

import datetime
import json
from pathlib import Path

import pytest

from components import contract
from components.cli import app
from components.contract import ExitCode
from tests.components.profiling import logs

DAYS = [logs.FIRST_DAY, logs.FIRST_DAY + datetime.timedelta(days=1)]


def _run(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    code = app.app(argv)
    output = capsys.readouterr()
    assert code == ExitCode.DONE, output.err
    return output.out


# Those that docs/logs.md tells of are run by its own test.
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(logs.PUBLIC.keys() - {"REES46", "MIND", "Open Bandit"}))
def test_a_public_log_becomes_live_feeds_without_an_edit(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").mkdir()
    logs.PUBLIC[name](tmp_path / "log", logs.events())
    config = str(tmp_path / "phoenix.yaml")
    _run(capsys, "init", str(tmp_path / "log"), "--to", config)
    monkeypatch.setenv("PHOENIX_CONFIG", config)
    for day in DAYS:
        for step in contract.STEPS:
            _run(capsys, "step", step, "--day", str(day))
    feed = json.loads(_run(capsys, "feed", logs.FIRST_USER[name], "--json"))
    assert feed["items"]
