import contextlib
import datetime
import errno
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components import contract, step
from components.contract import ExitCode
from components.errors import BadConfigurationError, BadDataError, StoppedError, TryAgainError
from components.run.context import Context, Outcome
from components.settings.loading import load
from components.store import records
from components.store.artifacts import Store

STEP = contract.TRAIN_RANKER  # it has an option; what it would really do plays no part here
DAY = "2026-01-02"
CONFIG = """
store: store
first_day: 2026-01-01
ingest_events: {source: {layout: synthetic}}
actions: [{name: favorite, is_positive: true}]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "phoenix.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def write_number(context: Context, *, retrain: str) -> Outcome:
    with context.write(inputs=[], config={"retrain": retrain}) as draft:
        (draft.folder / "number").write_text("7")
        draft.facts["rows"] = 7
    return Outcome(context.written_artifact())


def failing(error: BaseException) -> Callable[..., Outcome]:
    def run(context: Context, *, retrain: str) -> Outcome:
        raise error

    return run


def argv(config: Path, *more: str) -> list[str]:
    return ["--config", str(config), "--day", DAY, *more]


def result(capsys: pytest.CaptureFixture[str]) -> dict:
    return contract.parse_result(capsys.readouterr().out.splitlines()[-1])


def test_a_run_ends_with_0_and_one_line_that_names_the_artifact(
    config: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert step.main(STEP, write_number, argv(config)) == ExitCode.DONE
    printed = result(capsys)
    ref = store.head(STEP.name, DAY)
    assert ref is not None
    assert printed == {"status": "done", "artifact": vars(ref), "facts": {"rows": 7}}


def test_the_same_run_again_has_nothing_to_do(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step.main(STEP, write_number, argv(config))
    assert step.main(STEP, write_number, argv(config)) == ExitCode.NOTHING_TO_DO
    assert result(capsys)["status"] == "unchanged"
    assert step.main(STEP, write_number, argv(config, "--unchanged-ok")) == ExitCode.DONE


def test_options_reach_run(config: Path, store: Store) -> None:
    step.main(STEP, write_number, argv(config, "--retrain", "always"))
    ref = store.head(STEP.name, DAY)
    assert ref is not None
    assert store.manifest(ref)["recipe"]["config"] == {"retrain": "always"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadDataError("log.csv: no column user_id"), 65),
        (TryAgainError("somebody else is at work"), 75),
        (BadConfigurationError("seed: must be positive"), 78),
        (OSError(28, "No space left on device"), 75),
        (ZeroDivisionError("in our code"), 70),
    ],
)
def test_every_failure_has_its_exit_code_and_says_why(
    config: Path, store: Store, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    assert step.main(STEP, failing(error), argv(config)) == code
    assert str(error) in result(capsys)["error"]
    (record,) = records.read(store, DAY)
    assert (record["exit_code"], record["status"]) == (code, "failed")


@pytest.mark.parametrize(
    ("error", "has_traceback"),
    [
        (BadDataError("log.csv: no column user_id"), False),
        (PermissionError(errno.EACCES, "Permission denied", "log.csv"), False),
        (OSError(errno.EIO, "Input/output error"), True),
        (ZeroDivisionError("ours"), True),
    ],
)
def test_only_what_nobody_can_advise_on_shows_a_traceback(
    config: Path, caplog: pytest.LogCaptureFixture, error: Exception, has_traceback: bool
) -> None:
    with caplog.at_level(logging.INFO):
        step.main(STEP, failing(error), argv(config))
    assert ("Traceback" in caplog.text) is has_traceback
    assert str(error) in caplog.text


def test_a_full_disk_is_said_with_what_to_do(
    config: Path,
    store: Store,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fill(context: Context, *, retrain: str) -> Outcome:
        with context.write(inputs=[], config={"retrain": retrain}):
            Path("/dev/full").write_text("a device that is always full")
        return Outcome(context.written_artifact())

    assert step.main(STEP, fill, argv(config)) == ExitCode.TRY_AGAIN
    assert "No space left on device. Free space on the disk" in result(capsys)["error"]
    assert "Traceback" not in caplog.text
    assert store.head(STEP.name, DAY) is None


def test_a_path_that_is_too_long_is_said_with_what_to_do(
    config: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def lengthen(context: Context, *, retrain: str) -> Outcome:
        (Path(context.config.store) / retrain / ("a" * 5000)).stat()
        return Outcome(context.written_artifact())

    assert step.main(STEP, lengthen, argv(config)) == ExitCode.TRY_AGAIN
    assert "File name too long" in result(capsys)["error"]
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [
        ["--retrain", "sometimes"],
        ["--retrian", "never"],
        ["--retra", "never"],
        ["surplus"],
    ],
)
def test_a_wrong_option_is_a_configuration_error(config: Path, wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        step.main(STEP, write_number, argv(config, *wrong))
    assert stop.value.code == ExitCode.BAD_CONFIGURATION


@pytest.mark.parametrize("day", ["2026-1-2", "2026-02-30", "yesterday", "2025-12-31"])
def test_a_wrong_day_is_a_configuration_error(
    config: Path, capsys: pytest.CaptureFixture[str], day: str
) -> None:
    code = step.main(STEP, write_number, ["--config", str(config), "--day", day])
    assert code == ExitCode.BAD_CONFIGURATION
    assert "--day" in result(capsys)["error"]


def test_a_missing_configuration_is_a_configuration_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert step.main(STEP, write_number, argv(tmp_path / "none.yaml")) == 78
    assert "none.yaml: cannot be read" in result(capsys)["error"]


def test_reading_what_is_missing_says_which_step_to_run(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def read_events(context: Context, *, retrain: str) -> Outcome:
        return Outcome(context.read("ingest_events", context.day - datetime.timedelta(days=1)))

    assert step.main(STEP, read_events, argv(config)) == ExitCode.BAD_DATA
    assert "run `phoenix step ingest_events --day 2026-01-01` first" in result(capsys)["error"]


def test_the_page_of_the_day_is_drawn_after_success_and_after_failure(
    config: Path, store: Store
) -> None:
    step.main(STEP, failing(BadDataError("log.csv: no column user_id")), argv(config))
    path = Path(store.storage.uri(f"pages/{DAY}/index.html"))
    assert "no column user_id" in path.read_text()
    step.main(STEP, write_number, argv(config))
    assert "no column user_id" not in path.read_text()


def test_a_page_that_cannot_be_drawn_changes_no_result(
    config: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    Path(store.storage.url).mkdir()
    Path(store.storage.uri("pages")).write_text("in the way")
    assert step.main(STEP, write_number, argv(config)) == ExitCode.DONE
    assert "could not be drawn" in caplog.text


def test_signal_handlers_are_given_back(config: Path) -> None:
    def own(number: int, frame: object) -> None:
        raise AssertionError

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, own) for number in numbers]
    try:
        step.main(STEP, write_number, argv(config))
        assert [signal.getsignal(number) for number in numbers] == [own, own]
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def test_execute_returns_what_main_prints_and_keeps_the_same_record(
    config: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    step.main(STEP, write_number, argv(config))
    capsys.readouterr()
    step.main(STEP, write_number, argv(config, "--unchanged-ok"))
    printed, (of_main,) = result(capsys), records.read(store, DAY)
    returned = step.execute(
        STEP, write_number, load(config), datetime.date(2026, 1, 2), unchanged_ok=True
    )
    assert returned == (ExitCode.DONE, printed)
    assert capsys.readouterr().out == ""
    (of_execute,) = records.read(store, DAY)
    assert of_execute["started_at"] != of_main["started_at"], "it is a record of its own"
    assert of_execute.keys() == of_main.keys()
    measured = ("started_at", "seconds")
    assert all(of_execute[key] == of_main[key] for key in of_main if key not in measured)
    assert of_execute["options"] == {"retrain": "auto"}, "the default of the contract"


def test_execute_answers_a_failure_with_its_exit_code_and_draws_the_page(
    config: Path, store: Store
) -> None:
    run = failing(BadDataError("log.csv: no column user_id"))
    code, outcome = step.execute(STEP, run, load(config), datetime.date(2026, 1, 2))
    assert code == ExitCode.BAD_DATA
    assert outcome == {"status": "failed", "error": "log.csv: no column user_id"}
    assert "no column user_id" in Path(store.storage.uri(f"pages/{DAY}/index.html")).read_text()


@pytest.mark.parametrize("is_unchanged", [False, True])
def test_news_of_other_days_is_said_recorded_and_drawn(
    config: Path, store: Store, capsys: pytest.CaptureFixture[str], is_unchanged: bool
) -> None:
    other = datetime.date(2026, 1, 1)

    def run(context: Context, *, retrain: str) -> Outcome:
        with context.write(inputs=[], config={}) as draft:
            (draft.folder / "number").write_text("7")
        return Outcome(context.written_artifact(), is_unchanged, [str(other)], [other])

    code = step.main(STEP, run, argv(config))
    assert code == (ExitCode.NOTHING_TO_DO if is_unchanged else ExitCode.DONE)
    printed = result(capsys)
    assert printed["status"] == ("unchanged" if is_unchanged else "done")
    assert printed["run_again"] == [str(other)]
    assert records.read(store, DAY)[-1]["run_again"] == [str(other)]
    assert Path(store.storage.uri(f"pages/{other}/index.html")).exists()


def test_a_stop_that_a_library_turns_into_its_own_error_is_worth_another_try(config: Path) -> None:
    def swallow(context: Context, **options: object) -> Outcome:
        """Ends as code in C does that a signal interrupted."""
        with contextlib.suppress(StoppedError):
            signal.raise_signal(signal.SIGTERM)
        raise RuntimeError("a callback failed")

    assert step.main(STEP, swallow, argv(config)) == ExitCode.TRY_AGAIN


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_step_ends_with_75_and_leaves_nothing(
    config: Path, store: Store, number: signal.Signals
) -> None:
    code = f"""
import sys, time
from components import contract, step
from components.run.context import Outcome
def run(context, *, retrain):
    with context.write(inputs=[], config={{}}) as draft:
        (draft.folder / "half").write_text("half")
        print("at work", flush=True)
        try:
            time.sleep(60)
        except Exception:
            print("a library that catches everything")
    return Outcome(context.written_artifact())
sys.exit(step.main(contract.STEPS[{STEP.name!r}], run, {argv(config)!r}))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == ExitCode.TRY_AGAIN
    assert number.name in json.loads(out.splitlines()[-1])["error"]
    assert "Traceback" not in err
    assert store.head(STEP.name, DAY) is None
    assert store.storage.drafts() == []
