"""`phoenix step`; the demonstration runs in the end-to-end tests."""

from pathlib import Path

import pytest

from components import contract
from components.cli import options
from components.contract import ExitCode
from tests.components.cli.commands import LAST, run_command


def test_step_has_the_exit_codes_of_the_module(world, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("--config", world.path, "--day", LAST)
    code, out, _ = run_command(capsys, "step", "ingest_events", *argv)
    assert code == ExitCode.NOTHING_TO_DO
    assert contract.parse_result(out.splitlines()[-1])["status"] == "unchanged"
    code, _, _ = run_command(capsys, "step", "ingest_events", *argv, "--unchanged-ok")
    assert code == 0
    code, _, err = run_command(capsys, "step", "train_ranker", *argv, "--retrain", "maybe")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "invalid choice: 'maybe'" in err


def test_step_takes_the_configuration_of_the_environment(
    world, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(options.CONFIG_VARIABLE, str(world.path))
    code, _, _ = run_command(capsys, "step", "ingest_events", "--day", LAST)
    assert code == ExitCode.NOTHING_TO_DO


def test_the_help_of_a_step_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "step", "train_ranker", "--help")
    assert code == 0
    assert "--retrain" in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("rank",), "ROLE: expected retrieval or ranker, got 'rank'."),
        (("ranker", "--days", "0"), "--days: expected 1 or more, or DAY..DAY, got 0."),
        (("ranker", "--days", "few"), "--days: expected DAY..DAY"),
        (("ranker", "--try", "model.tast=1"), "`taste` may be meant"),
        (("ranker", "--minutes", "0"), "--minutes"),
    ],
)
def test_tune_refuses_what_is_not_there(arguments, complaint: str, three_days, capsys) -> None:
    code, out, err = run_command(capsys, "tune", *arguments, "--config", three_days.path)
    assert (code, out) == (ExitCode.BAD_CONFIGURATION, "")
    assert complaint in err


def test_down_without_anything_running_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(capsys, "down") == (ExitCode.DONE, "Nothing was running.\n", "")
