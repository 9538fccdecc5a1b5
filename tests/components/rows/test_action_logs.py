"""A log with one row per action, through the real steps."""

import gzip
import json

import numpy as np
import pytest

from components.cli.doctor.examination import examine
from components.contract import ExitCode
from components.features import windows_files
from components.settings.loading import load
from components.store import leases
from phoenix.data.hashing import HashSpec
from tests.components.day_log import DayLog

SECONDS = 1_767_225_600  # of the first day
DAYS = ("2026-01-01", "2026-01-02")
STEPS = ("ingest_events", "validate_events", "build_features")
CONFIG = """
ingest_events:
  source:
    layout: columns
    events: source/*.csv
    rows: actions
    event_columns: {user_id: visitor, post_id: item, author_id: seller, shown_at: ts%s}
    time_unit: s
actions:
- {name: click, column: event, values: [view]}
- {name: favorite, column: event, values: [addtocart], is_positive: true}
- {name: share, column: event, values: [transaction], is_positive: true}
"""


@pytest.fixture
def shop(deployment):
    path = deployment.root / "phoenix.yaml"
    path.write_text("store: store\nfirst_day: 2026-01-01\n" + CONFIG % "")
    deployment.source.mkdir(exist_ok=True)
    return deployment


def write(deployment, rows: list[tuple], header: str = "ts,visitor,event,item") -> None:
    lines = [f"{SECONDS + row[0]},{','.join(map(str, row[1:]))},9" for row in rows]
    (deployment.source / "log.csv").write_text("\n".join([f"{header},seller", *lines]) + "\n")


def run(deployment, days: tuple[str, ...] = DAYS) -> list[dict]:
    facts = []
    for day in days:
        for name in STEPS:
            code, outcome = deployment.run(name, day)
            assert code in (ExitCode.DONE, ExitCode.NOTHING_TO_DO), outcome
            if name == "validate_events":
                facts.append(outcome)
    return facts


SESSIONS = [
    (10, 1, "view", 100), (40, 1, "addtocart", 100), (18_000, 1, "transaction", 100),
    (50, 1, "view", 101), (50, 2, "view", 101), (50, 2, "addtocart", 101),
    (50, 2, "addtocart", 101), (86_390, 2, "view", 100), (86_460, 2, "transaction", 100),

]  # fmt: skip


def test_actions_of_one_visit_are_one_impression_also_across_midnight(shop) -> None:
    write(shop, SESSIONS)
    first, second = run(shop)
    # The day holds 8 rows: two are folded into others, and one only repeats another.
    assert (first["rows_in"], first["accepted"], first["duplicate"]) == (8, 5, 3)
    assert (first["folded"], first["duplicate_exact"]) == (2, 1)
    assert (second["accepted"], second["folded"], second["labels_by_day"]) == (0, 1, {DAYS[0]: 1})
    folder = shop.artifact("build_features", DAYS[0]).folder
    windows = windows_files.read_windows(folder, spec=HashSpec.documented())
    for posts in windows.candidate_post_ids:
        real = posts[posts > 0]
        assert len(real) == len(np.unique(real)), "a post is its own negative"
    labels = zip(windows.candidate_post_ids.ravel(), windows.labels.ravel(), strict=True)
    assert sorted((int(p), int(a)) for p, a in labels if p) == [
        (100, 1), (100, 3), (100, 4), (101, 1), (101, 3)
    ]  # fmt: skip


def test_the_events_own_id_says_what_is_a_repeat(shop) -> None:
    path = shop.root / "phoenix.yaml"
    path.write_text(path.read_text().replace("shown_at: ts", "shown_at: ts, source_event_id: id"))
    rows = [(10, 1, "view", 100, "a"), (10, 1, "view", 100, "b"), (12, 1, "view", 100, "a")]
    write(shop, rows, "ts,visitor,event,item,id")
    (facts,) = run(shop, DAYS[:1])
    assert (facts["accepted"], facts["duplicate_exact"], facts["folded"]) == (1, 1, 1)


GHARCHIVE = """
store: store
first_day: 2026-01-01
ingest_events: {source: {layout: gharchive, path: source}}
actions:
- {name: click, column: type, values: [PushEvent]}
- {name: favorite, column: type, values: [WatchEvent], is_positive: true}
- {name: share, column: type, values: [ForkEvent], is_positive: true}
"""


def write_hour(deployment, name: str, *events: tuple[str, str, int, str]) -> None:
    """Writes an hour of events: id, type, actor and time."""
    lines = [
        {
            "id": number,
            "type": kind,
            "actor": {"id": actor, "login": "ann"},
            "repo": {"id": 100, "name": "bob/lib"},
            "created_at": time,
        }
        for number, kind, actor, time in events
    ]
    deployment.source.mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (deployment.source / name).write_bytes(gzip.compress(text.encode()))


def test_events_of_gh_archive_are_actions_with_ids_of_their_own(deployment) -> None:
    (deployment.root / "phoenix.yaml").write_text(GHARCHIVE)
    star = ("7", "WatchEvent", 1, "2026-01-01T10:00:00Z")
    push = ("9", "PushEvent", 1, "2026-01-01T09:58:00Z")
    write_hour(deployment, "2026-01-01-9.json.gz", push, star)
    fork = ("8", "ForkEvent", 1, "2026-01-01T10:05:00Z")
    write_hour(deployment, "2026-01-01-10.json.gz", star, fork, ("5", "GollumEvent", 2, star[3]))
    # The writer of the last hour ran on for some seconds.
    write_hour(deployment, "2026-01-01-23.json.gz", ("6", "WatchEvent", 3, "2026-01-02T00:00:04Z"))
    write_hour(deployment, "2026-01-02-0.json.gz", ("4", "PushEvent", 3, "2026-01-02T00:10:00Z"))
    first, second = run(deployment)
    assert (first["rows_in"], first["accepted"], first["folded"]) == (5, 2, 2)
    assert (first["duplicate_exact"], first["quarantined"]) == (1, 0)
    assert (second["rows_in"], second["accepted"], second["folded"]) == (2, 1, 1)
    rows = deployment.table("validate_events", "accepted.parquet", DAYS[0]).to_pylist()
    assert [(row["user_id"], row["actions"]) for row in rows] == [(1, 1), (2, 0)]
    labels = deployment.table("validate_events", "labels.parquet", DAYS[0])["actions"].to_pylist()
    assert labels == [3, 7], "what the impression was known to have led to, as it came"


def test_a_day_waits_for_the_impressions_before_midnight(shop) -> None:
    write(shop, SESSIONS)
    assert shop.run("ingest_events", DAYS[1])[0] == ExitCode.DONE
    code, outcome = shop.run("validate_events", DAYS[1])
    assert code == ExitCode.TRY_AGAIN, "it may come yet, as in a backfill of several days at once"
    assert f"needs validate_events of {DAYS[0]}, which is not there yet" in outcome["error"]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (("rows: actions", "rows: actions\n    fold_minutes: 59"), "build_features.window_minutes"),
        (("rows: actions", "fold_minutes: 90"), "`ingest_events.source.rows: actions`"),
    ],
)
def test_a_fold_shorter_than_a_window_is_refused(
    edit: tuple[str, str], expected: str, shop
) -> None:
    write(shop, SESSIONS)
    path = shop.root / "phoenix.yaml"
    path.write_text(path.read_text().replace(*edit))
    code, outcome = shop.run("ingest_events", DAYS[0])
    assert code == ExitCode.BAD_CONFIGURATION
    assert expected in outcome["error"]
    assert "ingest_events.source.fold_minutes" in outcome["error"]


def test_a_log_of_actions_that_is_read_as_impressions_is_told_so(
    shop, caplog: pytest.LogCaptureFixture
) -> None:
    path = shop.root / "phoenix.yaml"
    path.write_text(path.read_text().replace("    rows: actions\n", ""))
    write(shop, SESSIONS)
    run(shop, DAYS[:1])
    assert "The rows look like actions, not impressions" in caplog.text
    page = (shop.root / "store" / "pages" / DAYS[0] / "index.html").read_text()
    assert "The rows look like actions, not impressions" in page
    findings = [each for each in examine(load(path)) if each.check == "rows"]
    assert "`ingest_events.source.rows: actions`" in findings[0].message


@pytest.mark.parametrize("kind", ["ingest_events", "validate_events"])
def test_a_day_waits_for_the_day_before_while_somebody_makes_it(shop, caplog, kind: str) -> None:
    write(shop, SESSIONS)
    run(shop)
    with leases.hold(shop.store.storage, f"{kind}/{DAYS[0]}"):
        assert shop.run("validate_events", DAYS[1])[0] == ExitCode.TRY_AGAIN
    assert "a backfill needs Max Active Runs 1" in caplog.text
    assert shop.run("validate_events", DAYS[1])[0] == ExitCode.NOTHING_TO_DO


def test_late_actions_belong_to_what_their_day_makes_of_those_that_came_before(
    tmp_path, capsys
) -> None:
    log = DayLog(tmp_path, capsys)
    more = "validate_events: {max_duplicate_share: 1}\n"
    log.configure("log/{day}.csv", source="rows: actions\nfold_minutes: 60", more=more)
    first, second, third = "2026-03-01", "2026-03-02", "2026-03-03"
    log.write(f"log/{first}.csv", [f"1,5,{first}T15:00:00"])
    # The first two are too early for the impression at three, and one of their own; the last one is
    # near both, and came when the day had not run again.
    late = [f"1,5,{first}T13:10:00", f"1,5,{first}T13:40:00"]
    log.write(f"log/{second}.csv", [*late, f"1,6,{second}T10:00:00"])
    log.write(f"log/{third}.csv", [f"1,5,{first}T14:05:00", f"1,6,{third}T10:00:00"])
    log.run_days(first, second, third, steps=STEPS[:2])

    def labels() -> list[list[str]]:
        """The times of the impressions of what came late, by day of arrival."""
        tables = [log.table("validate_events", day, "labels.parquet") for day in (second, third)]
        times = [[f"{t:%H:%M}" for t in each["shown_at"].to_pylist()] for each in tables]
        return [sorted(set(each)) for each in times]

    before = labels()
    assert before == [["13:10"], ["13:10"]]
    log.run_days(first, steps=STEPS[:2])
    times = log.table("validate_events", first, "accepted.parquet")["shown_at"].to_pylist()
    assert [f"{time:%H:%M}" for time in times] == ["13:10", "15:00"]
    log.run_days(second, third, steps=STEPS[:2])
    assert labels() == before, "days that are run again say the same"
