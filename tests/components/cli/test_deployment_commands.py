"""`phoenix doctor`, `phoenix report` and `phoenix config`."""

import json
from pathlib import Path

import pytest

from components.cli import app
from components.contract import STEPS, Dag, ExitCode
from components.settings import table
from tests.components.cli.commands import LAST, run_command


def test_doctor_reports_by_sentence_json_and_exit_code(
    world, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run_command(capsys, "doctor", "-c", world.path)
    assert code == 0
    # The world trains for a few steps, to be there in seconds; nothing else is amiss.
    warnings = [line for line in out.splitlines() if line.startswith("!")]
    assert "0 errors, 2 warnings" in out
    assert all("steps on" in line and "are too few" in line for line in warnings)
    world.artifact("publish_feeds", LAST).path("feeds.parquet").write_bytes(b"")
    code, out, _ = run_command(capsys, "doctor", "-c", world.path, "--deep", "--json")
    assert code == ExitCode.BAD_DATA
    assert "error" in {row["severity"] for row in json.loads(out)}


def test_doctor_examines_the_machine_even_without_a_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run_command(capsys, "doctor", "-c", tmp_path / "none.yaml")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "none.yaml: cannot be read" in out
    assert "Python 3." in out


def test_report_draws_every_day_and_says_where(world, capsys: pytest.CaptureFixture[str]) -> None:
    world.store.storage.remove("pages")
    code, out, _ = run_command(capsys, "report", "-c", world.path)
    assert code == 0
    assert Path(out.strip()).is_file()
    pages = world.store.storage.names("pages")
    assert pages == ["2026-01-01", "2026-01-02", LAST, "index.html"]


def test_report_draws_one_day_if_it_is_named(world, capsys: pytest.CaptureFixture[str]) -> None:
    world.store.storage.remove("pages")
    assert run_command(capsys, "report", "-c", world.path, "--day", LAST)[0] == ExitCode.DONE
    assert world.store.storage.names("pages") == [LAST, "index.html"]


def test_config_prints_the_page_of_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(capsys, "config") == (ExitCode.DONE, table.markdown(), "")


@pytest.mark.parametrize("num_days", [1, 2])
def test_init_says_the_commands_from_the_log_to_feeds(
    num_days: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = [f"2026-03-0{day}" for day in range(1, num_days + 1)]
    rows = "".join(f"u 1,7,{day} 10:00:00,1\n" for day in days)
    (tmp_path / "log.csv").write_text(f"user,item,ts,liked\n{rows}")
    config = tmp_path / "p.yaml"
    assert app.app(["init", str(tmp_path / "log.csv"), "--to", str(config)]) == ExitCode.DONE
    text = capsys.readouterr().out
    assert f"  export PHOENIX_CONFIG={config}\n  phoenix doctor\n" in text
    assert f"  phoenix data --days 2026-03-01..{days[-1]}\n" in text
    models = [name for name, each in STEPS.items() if each.dag is not Dag.DATA]
    loop = f"for step in {' '.join(models)}; do phoenix step $step --day {days[-1]}; done"
    has_models = num_days > 1  # of one day, there is none to judge a model on
    assert (f"  {loop}\n" in text, "  phoenix feed 'u 1'\n" in text) == (has_models, has_models)


def test_init_of_a_log_of_which_no_row_can_be_read_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log.csv").write_text("user,item,at,clicked\n7,8,1511544070,1\n")
    (tmp_path / "items.csv").write_text("item,seller\n9,4\n")
    config = str(tmp_path / "p.yaml")
    assert app.app(["init", str(tmp_path), "--to", config]) == ExitCode.BAD_DATA
    text = capsys.readouterr().out
    assert "1 of 1 rows would be refused" in text
    assert "No row can be read so" in text
    assert "phoenix data" not in text
