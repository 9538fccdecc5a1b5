"""Counts go from day to day, know nothing of the day whose windows read them, and forget users."""

import datetime
from collections.abc import Callable

import numpy as np
import pytest

from components import contract
from components.contract import ExitCode
from components.features import day_counts, requests, shapes, windows_files
from components.features.day_counts import DayCounts
from components.features.log_actions import LogActions
from components.features.training_source import feature_windows
from components.features.windows_files import Block
from components.run.context import Context
from components.settings.loading import load
from components.tables import action_lists
from phoenix.data.actions import UnknownActions
from phoenix.data.engagement.counts import Ids
from phoenix.data.engagement.rates import LEVELS
from phoenix.data.histories import Log
from phoenix.data.window_log import WindowRefs
from tests.components.small_log import START

Row = Callable[..., dict]
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
STEPS = ("ingest_events", "validate_events", "build_features")
DAY = 1440  # minutes
CLICK = 1  # its bit


def run_days(deployment, days=DAYS) -> None:
    for day in days:
        for name in STEPS:
            code, facts = deployment.run(name, day)
            assert code in (ExitCode.DONE, ExitCode.NOTHING_TO_DO), facts


def rates(deployment, day, read):
    artifact = deployment.artifact("build_features", day)
    return read(artifact.folder, artifact.manifest, load(deployment.root / "phoenix.yaml"))


def posts_of(deployment, day, read):
    """Of each post, how often it was shown and clicked."""
    table = rates(deployment, day, read).tables["post"]
    pairs = zip(table.shown[:, CLICK].tolist(), table.followed[:, CLICK].tolist(), strict=True)
    return dict(zip(table.keys.tolist(), pairs, strict=True))


def three_days(row: Row) -> list[dict]:
    return [
        row(-DAY + 0, video_id=1),
        row(-DAY + 90, video_id=2, user_id=8, is_click=0),
        row(5, video_id=1, user_id=8, is_click=0),
        row(6, video_id=9, user_id=9),
        row(DAY + 5, video_id=1),
        row(DAY + 90, video_id=4),
    ]


def test_a_day_begins_with_the_counts_of_the_day_before_and_ends_with_its_own(
    deployment, row: Row
) -> None:
    deployment.log([row(-DAY + 1, user_id=9, video_id=9), *three_days(row)])
    run_days(deployment)
    assert posts_of(deployment, DAYS[0], day_counts.rates_before) == {}
    assert posts_of(deployment, DAYS[0], day_counts.rates_after) == {
        1: (1, 1),
        2: (1, 0),
        9: (1, 1),
    }
    # Of what was known before, a day keeps what its windows need.
    assert posts_of(deployment, DAYS[1], day_counts.rates_before) == {1: (1, 1), 9: (1, 1)}
    after = {1: (3, 2), 2: (1, 0), 4: (1, 1), 9: (2, 2)}
    assert posts_of(deployment, DAYS[2], day_counts.rates_after) == after
    assert deployment.artifact("build_features", DAYS[2]).facts["counts_since"] == DAYS[0]


def test_what_followed_on_a_day_changes_nothing_that_its_windows_know(
    deployment, row: Row, tmp_path
) -> None:
    rows = three_days(row)
    deployment.log(rows)
    run_days(deployment)
    before = evidence_of(deployment, DAYS[2])
    deployment.log([*rows[:-2], *(each | {"is_click": 0, "is_like": 1} for each in rows[-2:])])
    run_days(deployment)
    np.testing.assert_array_equal(before, evidence_of(deployment, DAYS[2]))
    deployment.log([rows[0] | {"is_like": 1}, *rows[1:]])
    run_days(deployment)
    assert not np.array_equal(before, evidence_of(deployment, DAYS[2]))


def evidence_of(deployment, day) -> np.ndarray:
    config = load(deployment.root / "phoenix.yaml")
    context = Context(
        contract.TRAIN_RANKER, config, datetime.date.fromisoformat(day), deployment.store
    )
    ref = deployment.store.head("build_features", day)
    windows = feature_windows(context, [ref], has_evidence=True).read(0)
    return windows.candidate_log_odds


def test_a_training_reads_what_a_feed_of_the_evening_before_reads(deployment, row: Row) -> None:
    deployment.log(three_days(row))
    run_days(deployment)
    config = load(deployment.root / "phoenix.yaml")
    posts = np.array([[1, 4]])
    windows = windows_files.read_windows(
        deployment.artifact("build_features", DAYS[2]).folder,
        spec=shapes.hash_spec(config.hashing),
        rates=rates(deployment, DAYS[2], day_counts.rates_before),
    )
    moment = datetime.datetime(2026, 1, 3, tzinfo=datetime.UTC)
    evening = deployment.artifact("build_features", DAYS[1])
    users = windows.user_ids[:1]
    slate = requests.with_candidates(
        requests.RequestLog(evening.paths("impressions.parquet"), config, at=moment).windows(users),
        config,
        post_ids=posts,
        author_ids=900 + posts % 3,
        created_at=np.zeros_like(posts),
        of_posts=np.empty((1, 2, 0), np.float32),
    ).with_evidence(rates(deployment, DAYS[1], day_counts.rates_after))
    assert windows.candidate_post_ids[0, 0] == posts[0, 0]
    np.testing.assert_array_equal(slate.candidate_log_odds[0, 0], windows.candidate_log_odds[0, 0])
    assert not windows.candidate_log_odds[0, -1].any(), "padding"


def test_a_day_after_a_gap_begins_at_zero_and_says_so(deployment, row: Row) -> None:
    deployment.log(three_days(row))
    run_days(deployment, DAYS[:2])
    folder = deployment.root / "store" / "pointers" / "heads" / "build_features" / DAYS[0]
    for path in folder.iterdir():
        path.unlink()
    deployment.log([*three_days(row), row(7)])
    run_days(deployment, DAYS[1:2])
    assert deployment.artifact("build_features", DAYS[1]).facts["counts_since"] == DAYS[1]


def test_an_action_that_is_new_begins_at_zero(deployment, row: Row) -> None:
    deployment.log(three_days(row))
    run_days(deployment, DAYS[:2])
    path = deployment.root / "phoenix.yaml"
    old, new = "{name: favorite, column: is_like", "{name: reply, column: is_like, at_least: 2"
    path.write_text(path.read_text().replace(old, new))
    table = rates(deployment, DAYS[1], day_counts.rates_after).tables["all"]
    assert table.shown.tolist() == [[0, 4]]
    assert table.followed.tolist() == [[0, 2]]


def test_forgotten_users_are_in_no_counts_of_users(deployment, row: Row) -> None:
    deployment.log(three_days(row))
    run_days(deployment, DAYS[:1])
    (deployment.root / "erased.txt").write_text("8\n")
    path = deployment.root / "phoenix.yaml"
    text = path.read_text().replace(
        "ingest_events: {source", "ingest_events: {erased_users: erased.txt, source"
    )
    path.write_text(text)
    run_days(deployment, DAYS[1:])
    table = rates(deployment, DAYS[2], day_counts.rates_after).tables["user"]
    assert table.keys.tolist() == [7, 9]


@pytest.mark.parametrize(("arrives", "expected"), [(5, 1), (DAY + 5, 0), (-5, 0)])
def test_a_late_action_counts_from_the_day_of_its_arrival_on(
    deployment, row: Row, tmp_path, arrives, expected
) -> None:
    deployment.configure("ingest_events: {source: {layout: kuairand, path: source}}\n")
    config = load(deployment.root / "phoenix.yaml")
    context = Context(contract.BUILD_FEATURES, config, datetime.date(2026, 1, 2), deployment.store)
    shown_at = START - 60 * 60_000
    times = np.array([shown_at, START + arrives * 60_000])
    pair = np.ones(2, np.int64)
    log = Log(
        *(7 * pair, 3 * pair, 900 * pair, shown_at * pair, times, pair.astype(np.int32)),
        actions=np.array([1, 3], np.uint64),
        dwell_seconds=np.zeros(2, np.float32),
        created_at=0 * pair,
        attributes=np.empty((2, 0), np.float32),
        weights=np.full(2, 2, np.float32),
    )
    nothing = np.empty(0, np.int64)
    refs = WindowRefs(nothing, nothing, nothing, np.empty((0, 0), np.float32))
    counts = DayCounts(context, LogActions(UnknownActions.of({})), has_late_rows=False)
    counts.add(Block(nothing, refs, log, np.full(2, -1, np.int32)))
    counts.close(day_counts.EarlierCounts.of(context), tmp_path)
    manifest = {"facts": {"counts_since": "", "actions": action_lists.to_json(config)}}
    table = day_counts.rates_after(tmp_path, manifest, config).tables["post"]
    assert table.shown.sum() == 0
    assert table.followed[:, CLICK].sum() == 2 * expected
    assert table.followed[:, 0].sum() == 0, "it was known before"


def test_the_levels_are_told_apart(deployment, row: Row) -> None:
    deployment.log(three_days(row))
    run_days(deployment)
    ids = Ids(*(np.array([each]) for each in (7, 1, 901, 1)))
    evidence = rates(deployment, DAYS[1], day_counts.rates_after).evidence(ids)
    assert evidence.log_odds.shape == (1, len(LEVELS), 2)
    assert evidence.log_counts[0, LEVELS.index("post")] == pytest.approx(np.log(3))
