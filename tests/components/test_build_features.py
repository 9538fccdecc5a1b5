import csv
import datetime
import shutil
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import contract
from components.contract import ExitCode
from components.errors import BadDataError
from components.features import requests, shapes, windows_files
from components.features.training_source import feature_windows
from components.run.context import Context
from components.settings.loading import load
from phoenix.data import attributes

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
    windows = windows_files.read_windows(folder, spec=shapes.hash_spec(config.hashing))
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
    windows = requests.RequestLog(
        deployment.artifact("build_features").paths("impressions.parquet"),
        config,
        at=datetime.datetime(2026, 1, 3, tzinfo=datetime.UTC),
    ).windows(np.array([99, 7]))
    assert windows.user_ids.tolist() == [99, 7]
    assert windows.history_post_ids[:, :3].tolist() == [[0, 0, 0], [1, 2, 0]]
    assert not windows.candidate_mask.any()


ATTRIBUTES = """
attributes:
  users: {files: source/user_features.csv, id: user_id}
  posts: {files: source/video_features_basic.csv, id: video_id}
  declared:
    - {name: degree, side: user, column: degree, kind: vocabulary, words: [low, high]}
    - {name: duration, side: post, column: video_duration, kind: bucketized, boundaries: [15000]}
    - {name: tag, side: post, column: tag, kind: id, num_rows: 50}
    - {name: hour, side: context, column: hour, kind: bucketized, boundaries: [12]}
"""


def configure(deployment, text: str) -> None:
    path = deployment.root / "phoenix.yaml"
    path.write_text(path.read_text() + text)


def test_attributes_go_from_the_source_to_the_windows_and_the_manifests(
    deployment, row: Row
) -> None:
    deployment.log([row(-5, video_id=1), row(0), row(1, video_id=4), row(2, user_id=8)])
    (deployment.source / "user_features.csv").write_text("user_id,degree\n7,high\n9,low\n")
    configure(deployment, ATTRIBUTES)
    run_days(deployment)
    config = load(deployment.root / "phoenix.yaml")
    made = deployment.artifact("build_features")
    windows = windows_files.read_windows(made.folder, spec=shapes.hash_spec(config.hashing))
    assert windows.user_ids.tolist() == [7, 8]
    assert windows.user_attributes.tolist() == [[3], [0]]
    durations, hours = windows.candidate_attributes[0, :2, 0], windows.candidate_attributes[..., 2]
    assert (durations.tolist(), hours[0, :3].tolist()) == ([2, 2], [1, 1, 0])
    tags = windows.candidate_attributes[0, :2, 1]
    assert tags[0] == windows.history_attributes[0, 0, 1] != tags[1], "posts 1 and 3 have tag 1"
    digests = {
        deployment.artifact(name).facts["attributes"]["digest"]
        for name in ("ingest_events", "build_features")
    }
    assert digests == {attributes.digest(config.attributes.attributes)}
    assert [each["name"] for each in made.facts["attributes"]["declared"]][1:3] == [
        "duration",
        "tag",
    ]


def test_features_of_other_attributes_are_refused_by_name(deployment, row: Row) -> None:
    deployment.log([row(-5), row(0)])
    run_days(deployment)
    before = deployment.artifact("build_features").ref
    (deployment.source / "user_features.csv").write_text("user_id,degree\n7,high\n")
    configure(deployment, ATTRIBUTES)
    code, outcome = deployment.run("build_features")
    assert code == ExitCode.BAD_DATA
    assert "post_values.parquet: expected the attributes ['duration', 'tag']" in outcome["error"]
    day = datetime.date(2026, 1, 2)
    config = load(deployment.root / "phoenix.yaml")
    context = Context(contract.TRAIN_RANKER, config, day, deployment.store)
    expected = r"expected the attributes \['degree', 'duration', 'tag', 'hour'\] with the digest"
    with pytest.raises(BadDataError, match=expected):
        feature_windows(context, [before])


def test_a_column_of_a_type_that_does_not_fit_ends_the_day(deployment, row: Row) -> None:
    deployment.log([row(-5), row(0)])
    dates = pa.table({"user_id": [7], "degree": [datetime.date(2026, 1, 1)]})
    pq.write_table(dates, deployment.source / "user_features.parquet")
    configure(deployment, ATTRIBUTES.replace("features.csv", "features.parquet"))
    code, outcome = deployment.run("ingest_events")
    assert code == ExitCode.BAD_DATA
    assert "the column 'degree' of the attribute 'degree' must hold text or" in outcome["error"]
    (deployment.source / "user_features.parquet").unlink()
    code, outcome = deployment.run("ingest_events")
    assert (code, "attributes.users.files" in outcome["error"]) == (
        ExitCode.BAD_CONFIGURATION,
        True,
    )


KUAIRAND = """
attributes:
  users: {files: FOLDER/user_features_pure.csv, id: user_id}
  posts: {files: FOLDER/video_features_basic_pure.csv, id: video_id}
  declared:
    - {name: activity, side: user, column: user_active_degree, kind: vocabulary,
       words: [full_active, high_active, middle_active]}
    - {name: registered, side: user, column: register_days, kind: bucketized,
       boundaries: [30, 365, 730]}
    - {name: duration, side: post, column: video_duration, kind: bucketized,
       boundaries: [10000, 30000, 60000]}
    - {name: music, side: post, column: music_id, kind: id, num_rows: 2000}
    - {name: tags, side: post, column: tag, kind: sequence, num_rows: 200, length: 3}
"""


@pytest.mark.slow
def test_features_of_kuairand_hold_what_its_files_say(deployment, shared_data) -> None:
    folder, day = shared_data("kuairand-pure"), "2022-04-24"
    path = deployment.root / "phoenix.yaml"
    text = path.read_text().replace("2026-01-01", day).replace("path: source", f"path: {folder}")
    path.write_text(text + KUAIRAND.replace("FOLDER", str(folder)))
    facts = {name: deployment.run(name, day)[1] for name in STEPS}
    said = facts["ingest_events"]["attributes"]
    counts = [sum(said[side]["unreadable"].values()) for side in ("users", "posts")]
    assert counts == [1, 1], "user 0 and video 0, which are no ids"
    config = load(path)
    made = deployment.artifact("build_features", day)
    windows = windows_files.read_windows(made.folder, spec=shapes.hash_spec(config.hashing))
    assert len(windows.user_ids) > 1000
    users, videos = (
        {row[key]: row for row in csv.DictReader((folder / name).read_text().splitlines())}
        for name, key in (
            ("user_features_pure.csv", "user_id"),
            ("video_features_basic_pure.csv", "video_id"),
        )
    )
    words = ["full_active", "high_active", "middle_active"]
    for number in range(0, len(windows.user_ids), 7):
        user = users[str(windows.user_ids[number])]
        activity = user["user_active_degree"]
        days = float(user["register_days"])
        expected = [words.index(activity) + 2 if activity in words else 1]
        expected.append(1 + sum(days >= boundary for boundary in (30, 365, 730)))
        assert windows.user_attributes[number].tolist() == expected
        video = videos[str(windows.candidate_post_ids[number, 0])]
        duration, music, *tags = windows.candidate_attributes[number, 0].tolist()
        milliseconds = video["video_duration"]
        if milliseconds:
            limits = (10_000, 30_000, 60_000)
            assert duration == 1 + sum(float(milliseconds) >= limit for limit in limits)
        else:
            assert duration == 0
        assert (music > 0) == bool(video["music_id"])
        said_tags = [tag for tag in video["tag"].split(",") if tag]
        assert sum(code > 0 for code in tags) == len(said_tags[:3])
