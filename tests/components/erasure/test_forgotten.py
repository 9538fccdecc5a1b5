"""Forgotten users, through the real steps."""

import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from components.cli import app
from components.contract import ExitCode
from components.erasure import forgotten
from components.settings.loading import load
from components.tables import cells

Row = Callable[..., dict]
KUAIRAND = "ingest_events: {source: {layout: kuairand, path: source}%s}\n"
LIMITS = "validate_events: {max_quarantined_share: 0.5}\n"
FORGOTTEN = 424242
CHAIN = ("ingest_events", "validate_events", "build_features")


@pytest.fixture
def day(deployment, row: Row):
    """A day with two rows of the user in question, a third that cannot be read, and others."""
    rows = [row(n, user_id=FORGOTTEN if n < 2 else n, video_id=1 + n % 3) for n in range(12)]
    deployment.log([*rows, row(20, user_id=FORGOTTEN, play_time_ms="x"), row(21, tab="y")])
    configure(deployment, "")
    return deployment


def configure(deployment, erased: str) -> None:
    deployment.configure(KUAIRAND % erased + LIMITS)
    path = deployment.root / "phoenix.yaml"
    path.write_text(path.read_text().replace("2026-01-01", "2026-01-02"))


def report(deployment) -> tuple[int, dict]:
    path = str(deployment.root / "phoenix.yaml")
    code = app.app(["erasure", "report", "--json", "--config", path])
    return code, json.loads(deployment.capsys.readouterr().out)


def test_a_forgotten_user_leaves_everything_that_is_made_and_is_counted(day) -> None:
    assert [day.run(step)[0] for step in CHAIN] == [0, 0, 0]
    before = day.artifact("validate_events").facts
    assert (before["rows_in"], before["accepted"], before["quarantined"]) == (14, 12, 2)
    (day.root / "forget.txt").write_text(f"# asked on the phone\n\n{FORGOTTEN}\n")
    configure(day, ", erased_users: forget.txt")
    code, found = report(day)
    assert code == ExitCode.BAD_DATA, "what is current holds them"
    kinds = {trace["kind"] for trace in found["traces"]}
    assert kinds == set(CHAIN)
    assert found["days_to_run_again"] == ["2026-01-02"]
    assert [day.run(step)[0] for step in CHAIN] == [0, 0, 0]
    facts = day.artifact("validate_events").facts
    assert (facts["rows_in"], facts["accepted"], facts["quarantined"]) == (14, 10, 4)
    assert facts["quarantined_by_rule"] == {"erased": 3, "unreadable_number": 1}
    code, found = report(day)
    assert (code, found["rows_in_current_artifacts"]) == (ExitCode.DONE, 0)
    assert found["rows_in_old_artifacts"] > 0
    assert {trace["is_current"] for trace in found["traces"]} == {False}
    for kind in CHAIN:
        made = day.artifact(kind)
        for name in made.manifest["files"]:
            assert str(FORGOTTEN).encode() not in made.path(name).read_bytes()
    erased = [
        each
        for each in day.table("validate_events", "quarantined.parquet").to_pylist()
        if each["rule"] == "erased"
    ]
    assert [each["line"] for each in erased] == [14, 2, 3]
    assert all(each["user_id"] is None and not each["raw"] for each in erased)


def test_an_old_artifact_is_cleaned_by_the_step_that_reads_it(day) -> None:
    day.run("ingest_events")
    (day.root / "forget.txt").write_text(str(FORGOTTEN))
    configure(day, ", erased_users: forget.txt")
    assert day.run("validate_events")[0] == ExitCode.DONE
    assert day.artifact("validate_events").facts["quarantined_by_rule"]["erased"] == 3


def test_forgetting_many_users_does_not_refuse_the_day(day) -> None:
    (day.root / "forget.txt").write_text("\n".join(map(str, [FORGOTTEN, *range(2, 11)])))
    configure(day, ", erased_users: forget.txt")
    day.run("ingest_events")
    code, facts = day.run("validate_events")
    assert (code, facts["quarantined_by_rule"]["erased"]) == (ExitCode.DONE, 13)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("12\nmary\n", "forget.txt:2"),
        ("0", "forget.txt:1"),
        (str(2**63), "got 19 other"),
        (None, "cannot be"),
    ],
)
def test_a_list_that_is_none_is_refused_without_repeating_it(day, content, told: str) -> None:
    if content is not None:
        (day.root / "forget.txt").write_text(content)
    configure(day, ", erased_users: forget.txt")
    code, outcome = day.run("ingest_events")
    assert code == ExitCode.BAD_CONFIGURATION
    assert told in outcome["error"]
    assert "mary" not in outcome["error"]


NAMES = """\
ingest_events:
  erased_users: forget.txt
  source:
    layout: columns
    events: log.csv
    event_columns: {user_id: user, post_id: video_id, author_id: video_id, shown_at: ms}
    text_ids: {user_id: "%s"}
"""


def log_of_names(deployment, row: Row, end: str) -> None:
    start = row()["time_ms"]
    rows = [("mary#7@a", start), ("mary@b", start), ("tom", start), ("mary#7", "x"), ("tom", "y")]
    lines = [f"{user},5,{at},0,1" for user, at in rows]
    text = "\n".join(["user,video_id,ms,is_like,is_click", *lines, "mary#7,5"]) + "\n"
    (deployment.root / "log.csv").write_text(text)
    deployment.configure(NAMES % end + LIMITS.replace("0.5", "1.0"))


@pytest.mark.parametrize(("end", "num_erased"), [("@", 3), ("", 2)])
def test_users_with_a_text_as_id_are_forgotten_by_it(
    deployment, row: Row, end: str, num_erased: int
) -> None:
    log_of_names(deployment, row, end)
    (deployment.root / "forget.txt").write_text("\ufeffmary#7\n", encoding="utf-8")
    assert [deployment.run(step)[0] for step in CHAIN[:2]] == [0, 0]
    facts = deployment.artifact("validate_events").facts
    assert facts["quarantined_by_rule"]["erased"] == num_erased
    rejected = deployment.table("ingest_events", "rejected.parquet").to_pylist()
    assert [each["raw"] for each in rejected if "mary" in str(each)] == []
    assert report(deployment)[0] == ExitCode.DONE


def test_users_with_a_text_as_id_are_forgotten_by_the_number_that_feeds_show(
    deployment, row: Row
) -> None:
    log_of_names(deployment, row, "@")
    shown = int(cells.parse_text_id(pa.array(["mary#7@a"]), "@")[0][0])
    (deployment.root / "forget.txt").write_text(f"{shown}\n")
    assert [deployment.run(step)[0] for step in CHAIN[:2]] == [0, 0]
    facts = deployment.artifact("validate_events").facts
    assert facts["quarantined_by_rule"]["erased"] == 3, "two rows of mary#7, and a part of one"
    rejected = deployment.table("ingest_events", "rejected.parquet").to_pylist()
    assert [each["raw"] for each in rejected if "mary" in str(each)] == []
    assert report(deployment)[0] == ExitCode.DONE


def test_a_number_is_a_text_as_well_where_ids_are_text(deployment) -> None:
    deployment.configure(NAMES % "")
    (deployment.root / "forget.txt").write_text("17\n")
    hashed = int(cells.parse_text_id(pa.array(["17"]), "")[0][0])
    found = forgotten.erased_ids(load(deployment.root / "phoenix.yaml"))
    assert found.tolist() == [17, hashed]


def test_features_that_are_built_alone_forget_whom_older_events_still_hold(day) -> None:
    assert [day.run(step)[0] for step in CHAIN] == [0, 0, 0]
    (day.root / "forget.txt").write_text(str(FORGOTTEN))
    configure(day, ", erased_users: forget.txt")
    assert day.run("build_features")[0] == ExitCode.DONE
    kinds = {trace["kind"] for trace in report(day)[1]["traces"] if trace["is_current"]}
    assert kinds == {"ingest_events", "validate_events"}


def test_a_state_from_before_the_list_hands_no_forgotten_user_on(deployment, row: Row) -> None:
    both = [row(1440 * n + m, user_id=user) for n in (0, 1) for m, user in ((1, FORGOTTEN), (2, 5))]
    deployment.log(both)
    configure(deployment, "")
    assert [deployment.run(step)[0] for step in CHAIN] == [0, 0, 0]
    (deployment.root / "forget.txt").write_text(str(FORGOTTEN))
    configure(deployment, ", erased_users: forget.txt")
    assert [deployment.run(step, "2026-01-03")[0] for step in CHAIN] == [0, 0, 0]
    made = deployment.artifact("build_features", "2026-01-03")
    assert made.facts["started_from"] == ["2026-01-02"]
    assert not made.facts["is_replayed"]
    found = report(deployment)[1]
    assert found["days_to_run_again"] == ["2026-01-02"]
    impressions = deployment.table("build_features", "impressions.parquet", "2026-01-03")
    assert set(impressions["user_id"].to_pylist()) == {5}


@pytest.mark.parametrize("user", [2013267655123456789, 2**63 - 1])
def test_ids_of_every_length_can_be_forgotten(day, user: int) -> None:
    (day.root / "forget.txt").write_text(f"{user}\n")
    configure(day, ", erased_users: forget.txt")
    assert forgotten.erased_ids(load(day.root / "phoenix.yaml")).tolist() == [user]


def test_users_who_remain_keep_their_order(day) -> None:
    (day.root / "forget.txt").write_text("7")
    configure(day, ", erased_users: forget.txt")
    config = load(day.root / "phoenix.yaml")
    assert forgotten.remaining(np.array([9, 7, 3]), config).tolist() == [9, 3]
