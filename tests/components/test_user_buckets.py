"""The number of files in which rows of users lie changes no artifact, key or reader."""

import shutil
from pathlib import Path

import pyarrow.compute as pc
import pytest

from components.errors import BadDataError
from components.serving import audience, feed_files, published, why
from components.store import artifacts
from components.store.artifacts import Ref
from components.tables import bucket_files
from tests.components.conftest import DAYS, SHARDED_CHAIN, World, new_world
from tests.components.small_log import Deployment

TABLES = {
    "ingest_events": ("events.parquet", "late.parquet"),
    "validate_events": ("accepted.parquet", "labels.parquet"),
    "build_features": ("windows.parquet", "impressions.parquet"),
}


def set_buckets(deployment: Deployment, count: int) -> None:
    """Writes another number of files into the configuration."""
    path = deployment.root / "phoenix.yaml"
    lines = [line for line in path.read_text().splitlines() if "user_buckets" not in line]
    path.write_text("\n".join([f"user_buckets: {count}", *lines]) + "\n")


def run_data_steps(deployment: Deployment, days: dict[str, int]) -> list[Ref]:
    """Runs the data steps of some days, each with its number of files."""
    refs = []
    for day, count in days.items():
        set_buckets(deployment, count)
        for name in TABLES:
            # 99: there is nothing to do.
            assert deployment.run(name, day)[0] in (0, 99), (name, day)
            refs.append(deployment.artifact(name, day).ref)
    return refs


@pytest.fixture
def busy(deployment: Deployment, row) -> Deployment:
    """A log of two days with late rows, a label and a repetition."""
    rows = [row(n * 53, user_id=1 + n % 40, video_id=1 + n % 8) for n in range(-20, 50)]
    rows += [rows[3], rows[30] | {"is_like": 1}]
    deployment.log(rows)
    path = deployment.root / "phoenix.yaml"
    path.write_text(path.read_text() + "validate_events: {max_quarantined_share: 1}\n")
    return deployment


def test_every_artifact_of_a_chain_has_the_same_key_and_digest_in_any_number_of_files(
    three_days: World, tmp_path
) -> None:
    world = new_world(tmp_path)
    world.path.write_text("user_buckets: 8\n" + world.path.read_text())
    for day, count in zip(DAYS[:2], (8, 2), strict=True):
        world.path.write_text(f"user_buckets: {count}\n" + world.path.read_text().split("\n", 1)[1])
        for code, name in zip(world.run_day(day), SHARDED_CHAIN, strict=True):
            assert code == 0, f"{name} of {day}"
    ours, plain = world.store, three_days.store
    of_two_days = [ref for ref in plain.heads() if ref.partition[:10] in DAYS[:2]]
    assert len(of_two_days) == 2 * len(SHARDED_CHAIN)
    assert [ours.head(ref.kind, ref.partition) for ref in of_two_days] == of_two_days
    feeds = ours.head("publish_feeds", DAYS[0])
    assert feeds is not None
    assert len(ours.read_files(feeds, "feeds.parquet")) == 8


def test_feeds_made_part_by_part_are_the_same_in_any_number_of_files(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "PART_USERS", 16)
    text, part = world.path.read_text(), f"{DAYS[2]}-000-of-001"
    found = []
    for count in (1, 8):
        world.path.write_text(f"user_buckets: {count}\n{text}")
        shutil.rmtree(Path(world.config.store) / "materialize_feeds" / part, ignore_errors=True)
        assert world.run("materialize_feeds", DAYS[2], shard=0, num_shards=1) == 0
        feeds = world.artifact("materialize_feeds", part)
        assert len(feeds.paths("feeds.parquet")) == count
        found.append((feeds.ref, feeds.facts, feed_files.read(feeds.paths("feeds.parquet"))))
    assert found[0] == found[1]
    whole = feed_files.read(world.artifact("publish_feeds", DAYS[2]).paths("feeds.parquet"))
    names = ["user_id", "rank", "post_id", "author_id", "source", "rules"]
    fresh = whole.filter(pc.field("kind") == feed_files.FRESH)
    assert found[0][2].select(names) == fresh.select(names)


def test_feeds_joined_some_users_at_a_time_are_published_the_same_in_any_number_of_files(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, before = world.path.read_text(), world.artifact("publish_feeds", DAYS[2])
    facts = dict(before.facts)
    monkeypatch.setattr(bucket_files, "GROUP_ROWS", 100)
    for count in (8, 1):
        world.path.write_text(f"user_buckets: {count}\n{text}")
        shutil.rmtree(before.folder.parent)
        assert world.run("publish_feeds", DAYS[2], num_shards=2) == 0
        after = world.artifact("publish_feeds", DAYS[2])
        assert (after.ref, after.facts) == (before.ref, facts)
        assert len(after.paths("feeds.parquet")) == count
        user = published.example_users(world.store, after.ref, 1)[0]
        feed = published.feed(world.store, world.config, str(user))
        assert feed.is_live
        assert why.why(world.store, world.config, str(user), feed.items[0].post).item is not None


def test_tables_of_users_lie_in_as_many_files_as_are_asked_for(busy: Deployment) -> None:
    run_data_steps(busy, {DAYS[0]: 8, DAYS[1]: 4})
    for day, count in ((DAYS[0], 8), (DAYS[1], 4)):
        for name, tables in TABLES.items():
            artifact = busy.artifact(name, day)
            for table in tables:
                paths = artifact.paths(table)
                assert len(paths) == count
                for bucket, path in enumerate(paths):
                    users = bucket_files.BucketFiles([path]).read(["user_id"])["user_id"]
                    slots = bucket_files.slots_of(users.to_numpy())
                    assert set(slots.tolist()) <= set(bucket_files.slots_of_bucket(bucket, count))


def test_another_number_of_files_changes_no_key_and_runs_nothing(busy: Deployment) -> None:
    refs = run_data_steps(busy, {DAYS[0]: 1, DAYS[1]: 8})
    before = busy.artifact("ingest_events", DAYS[0]).paths("events.parquet")
    assert run_data_steps(busy, {DAYS[0]: 16, DAYS[1]: 1}) == refs
    assert busy.artifact("ingest_events", DAYS[0]).paths("events.parquet") == before


def test_a_damaged_file_is_refused_by_name_and_built_again_as_it_was(busy: Deployment) -> None:
    refs = run_data_steps(busy, {DAYS[0]: 8})
    path = busy.artifact("validate_events", DAYS[0]).paths("accepted.parquet")[3]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadDataError, match=r"accepted-00003-of-00008.parquet is damaged"):
        busy.store.read(refs[1])
    # In another number of files it is the same artifact.
    assert run_data_steps(busy, {DAYS[0]: 2}) == refs
    assert len(busy.artifact("validate_events", DAYS[0]).paths("accepted.parquet")) == 2


def test_a_file_that_is_missing_from_a_table_is_not_overlooked(busy: Deployment) -> None:
    (ref, *_) = run_data_steps(busy, {DAYS[0]: 4})
    manifest = dict(busy.store.manifest(ref))
    files = [name for name in manifest["files"] if "00002-of" not in name]
    assert artifacts.table_files({"files": files}, "events.parquet") == []
    busy.artifact("ingest_events", DAYS[0]).paths("events.parquet")[2].unlink()
    with pytest.raises(BadDataError, match=r"events-00002-of-00004.parquet is missing"):
        busy.store.read(ref)
