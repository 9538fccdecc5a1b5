"""Rows that arrive after their day, through the real steps."""

from collections.abc import Callable

import numpy as np
import pytest

from components.cli.doctor.examination import examine
from components.contract import ExitCode, parse_day
from components.features import windows_files
from components.rows import late_rows
from phoenix.data.hashing import HashSpec
from phoenix.data.windows import Windows

Row = Callable[..., dict]
MINUTES = 1440
BY_DAY = """
ingest_events:
  source:
    layout: columns
    events: source/{day}.csv
    posts: source/video_features_basic.csv
    event_columns: {user_id: user_id, post_id: video_id, shown_at: time_ms}
    post_columns: {post_id: video_id, author_id: author_id}
build_features: {history_length: 4, num_candidates: 2}
"""
LIMIT = "validate_events: {late_days: %d, max_quarantined_share: 0.5}\n"


@pytest.fixture
def days(deployment, row: Row):
    """The first days of January, each with its file; those of 3 and 4 hold rows of 2 as well."""
    deployment.configure(BY_DAY + LIMIT % 7)
    deployment.log([row(-MINUTES + n, user_id=1 + n) for n in range(4)], "2026-01-01.csv")
    deployment.log([row(n, user_id=1 + n) for n in range(4)], "2026-01-02.csv")
    third = [row(MINUTES + 10 + n, user_id=1 + n) for n in range(4)]
    deployment.log([*third, row(100, user_id=1), row(0, user_id=1)], "2026-01-03.csv")
    fourth = [row(2 * MINUTES + n, user_id=1 + n) for n in range(4)]
    deployment.log([*fourth, row(MINUTES + 5, user_id=1), row(200, tab=99)], "2026-01-04.csv")
    return deployment


def run(deployment, *names: str) -> dict[str, list[int]]:
    codes = {}
    for name in names:
        day = f"2026-01-0{name}"
        steps = ("ingest_events", "validate_events", "build_features")
        codes[name] = [deployment.run(step, day)[0] for step in steps]
    return codes


def test_late_rows_are_counted_where_they_arrive_and_taken_where_they_belong(days) -> None:
    assert run(days, "1", "2", "3") == {name: [0, 0, 0] for name in "123"}
    third = days.artifact("validate_events", "2026-01-03").facts
    assert (third["rows_in"], third["accepted"], third["late"]) == (6, 4, 2)
    assert third["late_by_day"] == {"2026-01-02": 2}
    record = days.record("validate_events", "2026-01-03")
    assert record["run_again"] == ["2026-01-02"]
    before = days.artifact("validate_events", "2026-01-02")
    assert days.run("ingest_events", "2026-01-02")[0] == ExitCode.NOTHING_TO_DO
    assert days.run("validate_events", "2026-01-02")[0] == ExitCode.DONE
    after = days.artifact("validate_events", "2026-01-02")
    assert after.facts["arrived_late"] == {"2026-01-03": 2}
    assert (before.facts["rows_in"], after.facts["rows_in"]) == (4, 6)
    assert (after.facts["accepted"], after.facts["duplicate"]) == (5, 1)
    assert {each["file"]: each["rows_in"] for each in after.facts["files"]} == {
        "2026-01-02.csv": 4,
        "2026-01-03.csv": 2,
    }
    taken = days.artifact("ingest_events", "2026-01-03").ref.digest
    assert taken in [each["digest"] for each in after.manifest["recipe"]["inputs"]]
    assert days.store.read(before.ref).facts == before.facts, "the old version is still there"


def test_the_doctor_names_the_days_that_wait_for_their_rows(days) -> None:
    def waiting() -> list[str]:
        findings = examine(config_of(days))
        return [each.message for each in findings if each.check == "late" and each.advice]

    run(days, "1", "2", "3", "4")
    assert waiting() == [
        "2026-01-02 waits to be run again: rows of it arrived on 2026-01-03, 2026-01-04.",
        "2026-01-03 waits to be run again: rows of it arrived on 2026-01-04.",
    ]
    run(days, "2")
    assert [message[:10] for message in waiting()] == ["2026-01-03"]
    run(days, "3")
    assert waiting() == []


def test_a_day_that_has_its_rows_is_not_listed_and_has_nothing_to_do(days) -> None:
    run(days, "1", "2", "3", "2")
    listed = late_rows.days_to_run_again(days.store, config_of(days), parse_day("2026-01-03"))
    assert listed == []
    assert run(days, "2", "3")["2"] == [ExitCode.NOTHING_TO_DO] * 3
    assert "run_again" not in days.record("validate_events", "2026-01-03")


def config_of(deployment):
    from components.settings.loading import load

    return load(deployment.root / "phoenix.yaml")


def test_rows_of_several_days_and_from_several_days_find_their_place(days) -> None:
    run(days, "1", "2", "3", "4")
    record = days.record("validate_events", "2026-01-04")
    assert record["run_again"] == ["2026-01-02", "2026-01-03"]
    days.run("validate_events", "2026-01-02")
    facts = days.artifact("validate_events", "2026-01-02").facts
    assert facts["arrived_late"] == {"2026-01-03": 2, "2026-01-04": 1}
    assert facts["rows_in"] == sum(facts[k] for k in ("accepted", "duplicate", "quarantined"))
    listed = late_rows.days_to_run_again(days.store, config_of(days), parse_day("2026-01-04"))
    assert listed == ["2026-01-03"]


def test_a_row_that_comes_too_late_is_quarantined_where_it_arrives(days) -> None:
    days.configure(BY_DAY + LIMIT % 1)
    run(days, "1", "2", "3", "4")
    facts = days.artifact("validate_events", "2026-01-04").facts
    assert facts["quarantined_by_rule"] == {"too_late": 1}
    assert facts["late_by_day"] == {"2026-01-03": 1}
    assert days.record("validate_events", "2026-01-04")["run_again"] == ["2026-01-03"]
    days.run("validate_events", "2026-01-02")
    assert days.artifact("validate_events", "2026-01-02").facts["arrived_late"] == {"2026-01-03": 2}


def windows_of(deployment, number: int) -> Windows:
    folder = deployment.artifact("build_features", f"2026-01-0{number}").folder
    return windows_files.read_windows(folder, spec=HashSpec.documented())


def test_a_late_row_changes_no_window_that_began_before_it_arrived(days) -> None:
    run(days, "1", "2", "3")
    second, third = windows_of(days, 2), windows_of(days, 3)
    assert days.run("validate_events", "2026-01-02")[0] == ExitCode.DONE
    assert run(days, "2", "3")["3"][2] in (ExitCode.DONE, ExitCode.NOTHING_TO_DO)
    for name, before, after in zip(Windows._fields, third, windows_of(days, 3), strict=True):
        assert np.array_equal(before, after), f"{name}: a window saw what had not arrived"
    assert len(windows_of(days, 2).user_ids) == len(second.user_ids) + 1
    run(days, "4")
    fourth = windows_of(days, 4)
    history = fourth.history_post_ids[fourth.user_ids == 1][0]
    assert sum(history != 0) == 4, "1, 2, 2 (late) and 3"


def test_a_state_from_before_a_correction_is_not_where_a_day_starts(days) -> None:
    run(days, "1", "2", "3")
    days.run("validate_events", "2026-01-02")  # and the features of 2 and 3 are not built again
    run(days, "4")
    assert days.artifact("build_features", "2026-01-04").facts["is_replayed"] is True
    fourth = windows_of(days, 4)
    assert sum(fourth.history_post_ids[fourth.user_ids == 1][0] != 0) == 4
