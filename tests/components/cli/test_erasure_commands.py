"""`phoenix erasure report`; its findings are those of the search."""

import json

import pytest

from components.contract import ExitCode
from tests.components.cli.commands import run_command

LISTED = "ingest_events: {source: {layout: kuairand, path: source}, erased_users: forget.txt}\n"


@pytest.fixture
def path(deployment, row):
    """The configuration of a day with one row of a user who asked later to be forgotten."""
    deployment.log([row(n, user_id=100 + n) for n in range(5)])
    assert deployment.run("ingest_events")[0] == ExitCode.DONE
    deployment.configure(LISTED)
    return deployment.root / "phoenix.yaml"


def test_the_exit_code_says_whether_what_is_current_holds_a_forgotten_user(path, capsys) -> None:
    (path.parent / "forget.txt").write_text("103\n")
    code, out, _ = run_command(capsys, "erasure", "report", "--json", "-c", path)
    assert code == ExitCode.BAD_DATA
    assert json.loads(out)["days_to_run_again"] == ["2026-01-02"]
    (path.parent / "forget.txt").write_text("999\n")
    code, out, _ = run_command(capsys, "erasure", "report", "-c", path)
    assert code == ExitCode.DONE
    assert "1 forgotten users: 0 rows in current artifacts" in out


def test_a_person_is_told_which_days_to_run_again(path, capsys) -> None:
    (path.parent / "forget.txt").write_text("103\n")
    _, out, _ = run_command(capsys, "erasure", "report", "-c", path)
    assert "Run these days again: 2026-01-02." in out
