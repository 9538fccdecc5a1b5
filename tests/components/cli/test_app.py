import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components import contract
from components.cli import app
from components.contract import ExitCode
from components.release import releases
from components.serving import published

LAST = "2026-01-03"
COMMANDS = [
    [],
    ["demo"],
    ["up"],
    ["down"],
    ["step"],
    ["feed"],
    ["why"],
    ["doctor"],
    ["report"],
    ["config"],
    ["releases"],
    ["releases", "list"],
    ["releases", "show"],
    ["releases", "verify"],
    ["releases", "rollback"],
]


def user_of(world) -> str:
    live = releases.live(world.store)
    assert live is not None
    return str(published.example_users(world.store, live.feeds, 3)[1])


def said(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    """Runs a command; returns its exit code, standard output and standard error."""
    code = app.app([str(arg) for arg in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def phoenix(*argv: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in a process of its own, with pipes."""
    code = "import sys; from components.cli.app import app; sys.exit(app())"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, argv)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    code, out, _ = said(capsys, *command, "--help")
    assert code == 0
    assert "Example" in out or "Start here" in out


def test_feed_shows_the_live_feed(three_days, capsys: pytest.CaptureFixture[str]) -> None:
    user = user_of(three_days)
    code, out, _ = said(capsys, "feed", user, "-c", three_days.path)
    assert code == 0
    assert f"Feed of user {user} on {LAST} (live" in out
    found = published.feed(three_days.store, three_days.config, int(user))
    assert all(str(item.post_id) in out for item in found.items)


def test_json_is_the_whole_output_and_the_whole_truth(
    three_days, capsys: pytest.CaptureFixture[str]
) -> None:
    user = user_of(three_days)
    _, out, err = said(capsys, "feed", user, "-c", three_days.path, "--json")
    found = published.feed(three_days.store, three_days.config, int(user))
    assert json.loads(out) == found.to_json()
    assert err == ""


def test_why_explains_a_place_and_an_absence(
    three_days, capsys: pytest.CaptureFixture[str]
) -> None:
    user = user_of(three_days)
    found = published.feed(three_days.store, three_days.config, int(user))
    post = found.items[1].post_id
    _, out, _ = said(capsys, "why", user, post, "-c", three_days.path)
    assert "place 2 of" in out
    assert "adds" in out
    code, out, _ = said(capsys, "why", user, 5, "-c", three_days.path)
    assert code == 0
    assert "not in the feed" in out
    _, out, _ = said(capsys, "why", user, post, "-c", three_days.path, "--json")
    assert json.loads(out)["item"]["rank"] == 2


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["feed", "5"], 65, "no feed for user 5"),
        (["feed", "5", "--day", "2027-01-01"], 65, "No feeds were published for 2027-01-01"),
        (["feed", "5", "--day", "yesterday"], 78, "--day: A day is written YYYY-MM-DD"),
        (["feed", "five"], 78, "Invalid value for 'user'"),
        (["feed"], 78, "Missing"),
        (["feed", "5", "--dya", LAST], 78, "No such option: --dya"),
        (["releases", "show", "2027-01-01"], 78, "2027-01-01"),
        (["releases", "rollback", "2026-01-02"], 78, "Missing option '--reason'"),
        (["releases", "rollback", "2027-01-01", "--reason", "r"], 78, "was never live"),
        (["step", "train_rankr"], 78, "Unknown step 'train_rankr'"),
        (["feeds"], 78, "No such command 'feeds'"),
    ],
)
def test_a_mistake_ends_in_a_sentence_and_its_exit_code(
    three_days,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.setenv(app.CONFIG_VARIABLE, str(three_days.path))
    actual, out, err = said(capsys, *argv)
    assert actual == code
    assert message in err
    assert "Traceback" not in err
    assert out == ""


def test_releases_are_listed_shown_and_verified(
    three_days, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = said(capsys, "releases", "list", "-c", three_days.path, "--json")
    rows = json.loads(out)
    assert [(row["day"], row["is_live"]) for row in rows] == [
        ("2026-01-01", False),
        ("2026-01-02", False),
        (LAST, True),
    ]
    _, out, _ = said(capsys, "releases", "list", "-c", three_days.path)
    assert all(row["digest"][:12] in out for row in rows)
    _, out, _ = said(capsys, "releases", "show", LAST, "-c", three_days.path)
    assert rows[-1]["digest"] in out
    code, out, _ = said(capsys, "releases", "verify", LAST, "-c", three_days.path, "--json")
    assert code == 0
    assert json.loads(out)["files"] > 10


def test_a_damaged_release_is_not_verified(world, capsys: pytest.CaptureFixture[str]) -> None:
    path = world.artifact("publish_release", LAST).path("release.json")
    path.write_bytes(path.read_bytes() + b" ")
    code, _, err = said(capsys, "releases", "verify", LAST, "-c", world.path)
    assert code == ExitCode.BAD_DATA
    assert "release.json is damaged" in err


def test_a_rollback_changes_what_feed_says_and_the_log_says_who_and_why(
    world, capsys: pytest.CaptureFixture[str]
) -> None:
    day_before = world.store.head("publish_feeds", "2026-01-02")
    user = published.example_users(world.store, day_before, 1)[0]
    argv = ("releases", "rollback", "2026-01-02", "--reason", "clicks fell", "--actor", "ann")
    code, out, _ = said(capsys, *argv, "-c", world.path, "--json")
    assert code == 0
    assert json.loads(out)["actor"] == "ann"
    _, out, _ = said(capsys, "feed", user, "-c", world.path, "--json")
    assert (json.loads(out)["day"], json.loads(out)["is_live"]) == ("2026-01-02", True)
    _, out, _ = said(capsys, "releases", "list", "-c", world.path)
    assert "ann: rollback: clicks fell" in out


def test_feed_starts_fast_and_without_the_heavy_libraries(three_days) -> None:
    user = user_of(three_days)
    code = (
        "import sys, time; began = time.process_time(); from components.cli.app import app;"
        f"code = app(['feed', {user!r}, '-c', {str(three_days.path)!r}]);"
        "heavy = {'jax', 'great_expectations', 'airflow', 'duckdb', 'tensorstore', 'pandas'};"
        "print(code, sorted(heavy & sys.modules.keys()), time.process_time() - began)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    last = run.stdout.splitlines()[-1].split()
    assert last[:2] == ["0", "[]"]
    assert float(last[2]) < 1.0


def test_a_pipe_gets_plain_text(three_days) -> None:
    run = phoenix("feed", user_of(three_days), "-c", three_days.path, FORCE_COLOR="")
    assert run.returncode == 0
    assert "\x1b" not in run.stdout
    assert not set("─│┃━") & set(run.stdout)


def test_the_exit_code_of_the_process_is_that_of_the_command(three_days) -> None:
    assert phoenix("feed", 5, "-c", three_days.path).returncode == ExitCode.BAD_DATA
    assert phoenix("feed", "five").returncode == ExitCode.BAD_CONFIGURATION
    assert phoenix("config").returncode == 0


def test_step_has_the_exit_codes_of_the_module(world, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("--config", world.path, "--day", LAST)
    code, out, _ = said(capsys, "step", "ingest_events", *argv)
    assert code == ExitCode.NOTHING_TO_DO
    assert contract.parse_result(out.splitlines()[-1])["status"] == "unchanged"
    code, _, _ = said(capsys, "step", "ingest_events", *argv, "--unchanged-ok")
    assert code == 0
    code, _, err = said(capsys, "step", "train_ranker", *argv, "--retrain", "maybe")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "invalid choice: 'maybe'" in err


def test_step_takes_the_configuration_of_the_environment(
    world, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(app.CONFIG_VARIABLE, str(world.path))
    code, _, _ = said(capsys, "step", "ingest_events", "--day", LAST)
    assert code == ExitCode.NOTHING_TO_DO


def test_the_help_of_a_step_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "step", "train_ranker", "--help")
    assert code == 0
    assert "--retrain" in out


def test_the_only_deployment_is_chosen_and_named(
    world, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(app.CONFIG_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    code, _, err = said(capsys, "releases", "list")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "Under var/ there is none" in err
    Path("var/one").mkdir(parents=True)
    Path("var/one/phoenix.yaml").write_text(world.path.read_text())
    code, out, err = said(capsys, "releases", "list")
    assert code == 0
    assert LAST in out
    assert "var/one/phoenix.yaml, the only deployment" in err
    Path("var/two").mkdir()
    Path("var/two/phoenix.yaml").write_text(world.path.read_text())
    code, _, err = said(capsys, "releases", "list")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "var/one/phoenix.yaml, var/two/phoenix.yaml" in err


def test_doctor_reports_by_sentence_json_and_exit_code(
    world, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, "doctor", "-c", world.path)
    assert code == 0
    assert "0 errors, 0 warnings" in out
    world.artifact("publish_feeds", LAST).path("feeds.parquet").write_bytes(b"")
    code, out, _ = said(capsys, "doctor", "-c", world.path, "--deep", "--json")
    assert code == ExitCode.BAD_DATA
    assert "error" in {row["severity"] for row in json.loads(out)}


def test_doctor_examines_the_machine_even_without_a_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, "doctor", "-c", tmp_path / "none.yaml")
    assert code == ExitCode.BAD_CONFIGURATION
    assert "none.yaml: cannot be read" in out
    assert "Python 3." in out


def test_report_draws_every_day_and_says_where(world, capsys: pytest.CaptureFixture[str]) -> None:
    world.store.storage.remove("pages")
    code, out, _ = said(capsys, "report", "-c", world.path)
    assert code == 0
    assert Path(out.strip()).is_file()
    pages = world.store.storage.names("pages")
    assert pages == ["2026-01-01", "2026-01-02", LAST, "index.html"]


def test_a_reader_that_has_seen_enough_is_no_error(three_days) -> None:
    command = f"import sys; from components.cli.app import app; sys.exit(app({['config']!r}))"
    with subprocess.Popen(
        [sys.executable, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_ctrl_c_ends_with_75_and_one_word(three_days) -> None:
    command = (
        "import sys, time\nfrom components import cli\nfrom components import releases\n"
        "def wait(store):\n    print('waiting', flush=True); time.sleep(60)\n"
        "releases.list_releases = wait\n"
        f"sys.exit(cli.app(['releases', 'list', '-c', {str(three_days.path)!r}]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == ExitCode.TRY_AGAIN
    assert err == "Stopped.\n"


def test_a_bug_is_reported_with_its_trace_and_exit_code(
    three_days, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def divide(store: object) -> float:
        return 1 / 0

    monkeypatch.setattr(releases, "list_releases", divide)
    code, _, err = said(capsys, "releases", "list", "-c", three_days.path)
    assert code == ExitCode.BUG
    assert "ZeroDivisionError" in err
    assert "please report it" in err


def test_rollback_and_feed_together_take_about_a_second(world) -> None:
    user = published.example_users(world.store, world.store.head("publish_feeds", "2026-01-02"), 1)[
        0
    ]
    assert (
        phoenix("releases", "rollback", "2026-01-02", "--reason", "r", "-c", world.path).returncode
        == 0
    )
    began = time.monotonic()
    run = phoenix("feed", user, "-c", world.path, "--json")
    assert json.loads(run.stdout)["day"] == "2026-01-02"
    assert time.monotonic() - began < 10  # generous: a busy machine; the CPU time is asserted above
