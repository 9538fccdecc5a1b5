"""A log by day whose files get columns one after the other, from the files to the features."""

import datetime
from collections.abc import Callable

import pytest

from components.contract import ExitCode
from components.tables.action_lists import UNKNOWN
from tests.components.small_log import Deployment

CONFIG = """
store: store
first_day: 2026-01-01
actions:
  - {name: share, column: shared, is_positive: true}
  - {name: click, column: clicked, is_positive: true}
build_features: {window_minutes: 60}
ingest_events:
  source:
    layout: columns
    events: source/{day}.csv
    time_unit: s
    event_columns: {user_id: user, post_id: item, author_id: item, shown_at: ts, feed: feed}
"""
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
Steps = Callable[..., list[dict]]


def seconds(day: str) -> int:
    return int(datetime.datetime.fromisoformat(f"{day}T00:10:00+00:00").timestamp())


@pytest.fixture
def log(deployment: Deployment) -> Deployment:
    """Day by day: clicks, then feeds, then shares that stand before the clicks in the list."""
    deployment.source.mkdir()
    header = (
        "user,item,ts,clicked",
        "user,item,ts,clicked,feed",
        "user,item,ts,clicked,feed,shared",
    )
    for day, columns, more in zip(DAYS, header, ("", ",abc", ",abc,1"), strict=True):
        row = f"1,2,{seconds(day)},1{more}\n2,2,{seconds(day)},0{more}\n"
        (deployment.source / f"{day}.csv").write_text(f"{columns}\n{row}")
    (deployment.root / "phoenix.yaml").write_text(CONFIG)
    return deployment


def run(log: Deployment, day: str, *steps: str) -> list[dict]:
    for step in steps:
        code, outcome = log.run(step, day=day)
        assert code == ExitCode.DONE, outcome
    rows = log.table("validate_events", "accepted.parquet", day).to_pylist()
    return sorted(rows, key=lambda row: row["user_id"])


def unknown(log: Deployment, day: str) -> list[str]:
    return log.artifact("validate_events", day).manifest["facts"].get(UNKNOWN, [])


def test_a_day_knows_the_actions_that_its_files_have(log: Deployment) -> None:
    for day, lacks, actions in zip(
        DAYS, (["share"], ["share"], []), ([2, 0], [2, 0], [3, 1]), strict=True
    ):
        rows = run(log, day, "ingest_events", "validate_events", "build_features")
        assert [row["actions"] for row in rows] == actions
        assert unknown(log, day) == lacks
        assert [row.get("feed") for row in rows] == [None if day == DAYS[0] else "abc"] * 2


def test_a_day_stays_what_it_is_when_later_files_know_more(log: Deployment) -> None:
    newest = log.source / f"{DAYS[2]}.csv"
    text = newest.read_text()
    newest.unlink()
    config = log.root / "phoenix.yaml"
    config.write_text(CONFIG.replace("  - {name: share, column: shared, is_positive: true}\n", ""))
    run(log, DAYS[0], "ingest_events", "validate_events")
    newest.write_text(text)
    config.write_text(CONFIG)
    assert log.run("ingest_events", day=DAYS[0])[0] == ExitCode.NOTHING_TO_DO


def test_a_row_after_midnight_in_a_file_that_does_not_know_makes_the_day_not_know(
    log: Deployment,
) -> None:
    with (log.source / f"{DAYS[1]}.csv").open("a") as file:
        file.write(f"3,2,{seconds(DAYS[2]) - 300},1,abc\n")
    rows = run(log, DAYS[2], "ingest_events", "validate_events")
    assert [row["actions"] for row in rows] == [2, 0, 2]
    assert unknown(log, DAYS[2]) == ["share"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("shared", "share"),  # in no file
        ("item,ts", "article,ts"),  # no row is whole without it
        ("clicked,feed", "click,feed"),  # another name of what the newest file has
    ],
)
def test_a_column_that_is_no_new_one_is_refused_by_name(
    log: Deployment, old: str, new: str
) -> None:
    files = [log.source / f"{day}.csv" for day in (DAYS[1:] if old == "shared" else DAYS[1:2])]
    for file in files:
        file.write_text(file.read_text().replace(old, new))
    day = DAYS[2] if old == "shared" else DAYS[1]
    code, outcome = log.run("ingest_events", day=day)
    assert code == ExitCode.BAD_DATA
    assert f"expected a column '{old.split(',')[0]}'" in outcome["error"]
