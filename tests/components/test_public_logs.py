"""Public logs in their exact forms, from the first look at them to live feeds."""

import json
import shlex
from pathlib import Path

import pytest

from components.cli import app
from components.contract import ExitCode
from tests.components.profiling import logs


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
    text = _run(capsys, "init", str(tmp_path / "log"), "--to", config)
    monkeypatch.setenv("PHOENIX_CONFIG", config)
    # Nothing but what is printed.
    lines = text.split("From there to feeds:\n")[1].splitlines()
    assert lines[0].strip() == f"export PHOENIX_CONFIG={config}"
    for line in lines[1:]:
        words = shlex.split(line)
        if words[0] == "for":
            for step in line.partition(" in ")[2].partition(";")[0].split():
                _run(capsys, "step", step, "--day", words[-2].rstrip(";"))
        else:
            _run(capsys, *words[1:])
    feed = json.loads(_run(capsys, "feed", logs.FIRST_USER[name], "--json"))
    assert feed["items"]
    _run(capsys, "doctor")  # has nothing to complain about that is an error
