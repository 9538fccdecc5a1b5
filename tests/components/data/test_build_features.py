import datetime
import shutil
from collections.abc import Callable

import numpy as np

from components import featurizer, windows_files
from components.config import load
from components.contract import ExitCode

Row = Callable[..., dict]
DAYS = ("2026-01-01", "2026-01-02")
STEPS = ("ingest_events", "validate_events", "build_features")


def run_days(deployment, days: tuple[str, ...] = DAYS) -> dict:
    facts = {}
    for day in days:
        for name in STEPS:
            code, facts = deployment.run(name, day)
            assert code in (ExitCode.DONE, ExitCode.NOTHING_TO_DO), facts
    return facts


def test_windows_hold_the_day_and_the_days_before(deployment, row: Row) -> None:
    rows = [row(-5, video_id=1), row(-4, video_id=2, user_id=8), row(0), row(1, video_id=4)]
    deployment.log(rows)
    facts = run_days(deployment)
    assert (facts["windows"], facts["impressions"], facts["users"]) == (1, 2, 1)
    assert (facts["state_users"], facts["state_rows"]) == (2, 4)
    assert (facts["started_from"], facts["is_replayed"]) == (["2026-01-01"], False)
    config = load(deployment.root / "phoenix.yaml")
    folder = deployment.artifact("build_features").folder
    windows = windows_files.read_windows(folder, spec=featurizer.hash_spec(config.hashing))
    assert windows.history_post_ids[0, :2].tolist() == [1, 0], "neither user 8 nor the window"
    assert windows.candidate_post_ids[0, :3].tolist() == [3, 4, 0]
    assert windows.labels[0, :3].tolist() == [2, 2, 0]


def test_a_day_that_is_missing_in_between_is_refused_by_name(deployment, row: Row) -> None:
    deployment.log([row(n * 1440 - 5) for n in range(4)])
    run_days(deployment, ("2026-01-01",))
    for name in STEPS[:2]:
        deployment.run(name, "2026-01-03")
    code, outcome = deployment.run("build_features", "2026-01-03")
    assert code == ExitCode.BAD_DATA
    assert "missing: 2026-01-02" in outcome["error"]


def test_a_deleted_day_is_rebuilt_byte_for_byte(deployment, row: Row) -> None:
    deployment.log([row(n, user_id=1 + n % 3) for n in range(-40, 90, 7)])
    run_days(deployment)
    made = [deployment.artifact(name) for name in STEPS]
    for artifact in made:
        shutil.rmtree(artifact.folder)
    run_days(deployment, ("2026-01-02",))
    assert [deployment.artifact(name).ref for name in STEPS] == [artifact.ref for artifact in made]
    assert deployment.run("build_features")[0] == ExitCode.NOTHING_TO_DO


def test_a_day_reads_the_state_before_it_and_its_own_events_alone(deployment, row: Row) -> None:
    days = (*DAYS, "2026-01-03")
    deployment.log([row(n * 1440 - 5) for n in range(3)])
    run_days(deployment, days[:2])
    shutil.rmtree(deployment.root / "store" / "validate_events" / days[0])
    shutil.rmtree(deployment.root / "store" / "build_features" / days[0])
    run_days(deployment, days[2:])
    inputs = deployment.artifact("build_features", days[2]).manifest["recipe"]["inputs"]
    assert [(each["kind"], each["partition"]) for each in inputs] == [
        ("build_features", days[1]),
        ("validate_events", days[2]),
    ]


def test_without_a_state_the_events_give_the_same_windows(deployment, row: Row) -> None:
    days = (*DAYS, "2026-01-03")
    deployment.log([row(n * 97, user_id=1 + n % 3) for n in range(-14, 28)])
    run_days(deployment, days)
    chained = deployment.artifact("build_features", days[2])
    for day in days[:2]:
        shutil.rmtree(deployment.root / "store" / "build_features" / day)
    code, facts = deployment.run("build_features", days[2])
    assert (code, facts["is_replayed"]) == (ExitCode.DONE, True)
    again = deployment.artifact("build_features", days[2])
    for name in ("windows.parquet", "impressions.parquet"):
        assert again.path(name).read_bytes() == chained.path(name).read_bytes()


def test_another_reach_starts_from_the_events_again(deployment, row: Row) -> None:
    deployment.log([row(-5), row(0)])
    run_days(deployment)
    path = deployment.root / "phoenix.yaml"
    path.write_text(path.read_text() + "build_features: {history_length: 5}\n")
    code, facts = deployment.run("build_features")
    assert (code, facts["is_replayed"]) == (ExitCode.DONE, True)
    assert facts["reach"]["history_length"] == 5


def test_a_correction_of_a_later_day_changes_no_earlier_features(deployment, row: Row) -> None:
    deployment.log([row(-5), row(0)])
    run_days(deployment)
    before = deployment.artifact("build_features", "2026-01-01")
    windows = before.path("windows.parquet").read_bytes()
    deployment.log([row(-5), row(0, is_like=1), row(1)])
    run_days(deployment)
    after = deployment.artifact("build_features", "2026-01-01").path("windows.parquet")
    assert after.read_bytes() == windows


def test_feeds_see_the_whole_day_and_nothing_after_it(deployment, row: Row) -> None:
    deployment.log([row(-5, video_id=1), row(1439, video_id=2), row(1440, video_id=3)])
    run_days(deployment, (*DAYS, "2026-01-03"))
    config = load(deployment.root / "phoenix.yaml")
    windows = featurizer.request_windows(
        deployment.artifact("build_features").path("impressions.parquet"),
        config,
        user_ids=np.array([99, 7]),
        at=datetime.datetime(2026, 1, 3, tzinfo=datetime.UTC),
    )
    assert windows.user_ids.tolist() == [99, 7]
    assert windows.history_post_ids[:, :3].tolist() == [[0, 0, 0], [1, 2, 0]]
    assert not windows.candidate_mask.any()
