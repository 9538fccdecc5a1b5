"""The command line as a whole: help, mistakes, exit codes, pipes, interruptions."""

import signal
import subprocess
import sys

import pytest

from components.cli import options
from components.contract import ExitCode
from components.release import releases
from tests.components.cli.commands import LAST, phoenix, run_command, user_of

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
    ["quarantine"],
    ["quarantine", "list"],
    ["quarantine", "show"],
    ["quarantine", "export"],
    ["quarantine", "replay"],
    ["erasure", "report"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    code, out, _ = run_command(capsys, *command, "--help")
    assert code == 0
    assert "Example" in out or "Start here" in out


def test_the_help_lists_the_commands_in_the_order_of_their_use(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = run_command(capsys, "--help")
    assert code == 0
    words = [word for line in out.splitlines() for word in line.split()[1:2]]
    names = list(dict.fromkeys(name for name, *_ in COMMANDS[1:]))
    assert [word for word in words if word in names] == names


def test_help_is_light_and_fast() -> None:
    code = (
        "import sys, time; began = time.process_time(); from components.cli.app import app;"
        "code = app(['--help']); ours = [name for name in sys.modules if name.split('.')[0] in "
        "('pydantic', 'numpy', 'pyarrow', 'fsspec', 'phoenix', 'schemas')];"
        "print(code, ours, time.process_time() - began)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    last = run.stdout.splitlines()[-1].split()
    assert last[:2] == ["0", "[]"]
    assert float(last[2]) < 1.0


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["feed", "5", "--day", "2027-01-01"], 65, "No feeds were published for 2027-01-01"),
        (["feed", "5", "--day", "yesterday"], 78, "--day: A day is written YYYY-MM-DD"),
        (["feed", "five"], 78, "The user 'five' is no id"),
        (["feed"], 78, "Missing"),
        (["feed", "5", "--dya", LAST], 78, "No such option: --dya"),
        (["releases", "show", "2027-01-01"], 78, "2027-01-01"),
        (["releases", "rollback", "2026-01-02"], 78, "Missing option '--reason'"),
        (["releases", "rollback", "2027-01-01", "--reason", "r"], 78, "was never live"),
        (["step", "train_rankr"], 78, "Unknown step 'train_rankr'"),
        (["fed"], 78, "No such command 'fed'"),
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
    monkeypatch.setenv(options.CONFIG_VARIABLE, str(three_days.path))
    actual, out, err = run_command(capsys, *argv)
    assert actual == code
    assert message in err
    assert "Traceback" not in err
    assert out == ""


def test_a_pipe_gets_plain_text(three_days) -> None:
    run = phoenix("feed", user_of(three_days), "-c", three_days.path, FORCE_COLOR="")
    assert run.returncode == 0
    assert "\x1b" not in run.stdout
    assert not set("─│┃━") & set(run.stdout)


def test_the_exit_code_of_the_process_is_that_of_the_command(three_days) -> None:
    day = ("--day", "2027-01-01")
    assert phoenix("feed", 5, *day, "-c", three_days.path).returncode == ExitCode.BAD_DATA
    assert phoenix("feed", "five").returncode == ExitCode.BAD_CONFIGURATION
    assert phoenix("config").returncode == 0


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
        "import sys, time\nfrom components.cli import app\n"
        "from components.release import releases\n"
        "def wait(store):\n    print('waiting', flush=True); time.sleep(60)\n"
        "releases.list_releases = wait\n"
        f"sys.exit(app.app(['releases', 'list', '-c', {str(three_days.path)!r}]))"
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
    code, _, err = run_command(capsys, "releases", "list", "-c", three_days.path)
    assert code == ExitCode.BUG
    assert "ZeroDivisionError" in err
    assert "please report it" in err
