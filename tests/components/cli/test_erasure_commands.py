"""`phoenix erasure report` and `phoenix gc --erased`; what they find are the search's findings."""

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


def test_entries_that_name_nobody_are_told_by_their_place_and_not_by_their_id(path, capsys) -> None:
    (path.parent / "forget.txt").write_text("103\n# a remark\n9991\n9992\n")
    _, out, _ = run_command(capsys, "erasure", "report", "--json", "-c", path)
    entries = json.loads(out)["entries_without_rows"]
    assert entries["count"] == 2
    assert [each.rpartition("/")[2] for each in entries["for_example"]] == [
        "forget.txt:3",
        "forget.txt:4",
    ]
    assert "9991" not in out
    (path.parent / "forget.txt").write_text("9991\n")
    code, out, _ = run_command(capsys, "erasure", "report", "-c", path)
    assert code == ExitCode.DONE
    assert "1 entries of the list name nobody in the store" in out


def test_a_person_is_told_which_days_to_run_again(path, capsys) -> None:
    (path.parent / "forget.txt").write_text("103\n")
    _, out, _ = run_command(capsys, "erasure", "report", "-c", path)
    assert "Run these days again: 2026-01-02." in out


def test_nothing_is_removed_unless_it_is_asked_for(path, capsys, deployment) -> None:
    (path.parent / "forget.txt").write_text("103\n")
    old = deployment.store.head("ingest_events", "2026-01-02")
    code, out, _ = run_command(capsys, "gc", "--erased", "-c", path)
    assert (code, "0 old versions" in out) == (ExitCode.BAD_DATA, True)
    assert "phoenix step ingest_events --day 2026-01-02" in out, "what is current comes first"
    assert deployment.run("ingest_events")[0] == ExitCode.DONE
    code, out, _ = run_command(capsys, "gc", "--erased", "-c", path)
    assert (code, "would be removed" in out) == (ExitCode.DONE, True)
    assert "`phoenix gc --erased --remove` does it" in out
    assert deployment.store.read(old)
    code, out, _ = run_command(capsys, "gc", "--erased", "--remove", "--json", "-c", path)
    summary = json.loads(out)
    assert (code, summary["run_first"]) == (ExitCode.DONE, [])
    assert [version["is_removed"] for version in summary["versions"]] == [True]
    assert not deployment.store.holds(old)
    code, out, _ = run_command(capsys, "erasure", "report", "--json", "-c", path)
    assert json.loads(out)["traces"] == []


def test_a_removal_says_what_it_removes(path, capsys) -> None:
    code, _, complaint = run_command(capsys, "gc", "-c", path)
    assert code == ExitCode.BAD_CONFIGURATION
    assert "phoenix gc --erased" in complaint
