"""Options that several commands share: which deployment, which day."""

import datetime
from pathlib import Path

import pytest

from components.cli import options
from components.contract import ExitCode
from components.errors import BadConfigurationError
from tests.components.cli.commands import LAST, run_command


def test_the_only_deployment_is_chosen_and_named(
    world, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(options.CONFIG_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    code, _, err = run_command(capsys, "releases", "list")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "Under var/ there is none" in err
    Path("var/one").mkdir(parents=True)
    Path("var/one/phoenix.yaml").write_text(world.path.read_text())
    code, out, err = run_command(capsys, "releases", "list")
    assert code == 0
    assert LAST in out
    assert "var/one/phoenix.yaml, the only deployment" in err
    Path("var/two").mkdir()
    Path("var/two/phoenix.yaml").write_text(world.path.read_text())
    code, _, err = run_command(capsys, "releases", "list")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "var/one/phoenix.yaml, var/two/phoenix.yaml" in err


def test_the_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(options.CONFIG_VARIABLE, "there.yaml")
    assert options.config_path(Path("here.yaml")) == Path("here.yaml")
    assert options.config_path(None) == Path("there.yaml")


def test_a_day_is_written_in_one_way_and_may_be_left_out_where_one_is_live() -> None:
    day = datetime.date(2026, 1, 3)
    assert options.parse_day(LAST) == options.parse_optional_day(LAST) == day
    assert options.parse_optional_day(None) is None
    with pytest.raises(BadConfigurationError, match=r"--day: .*YYYY-MM-DD"):
        options.parse_day("3 January")
