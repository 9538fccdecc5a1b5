"""Feeds hold what they may hold, whoever computes which shard."""

import itertools
import json
import shutil
from collections import Counter
from dataclasses import asdict

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.contract import ExitCode
from components.release.corpus import Corpus
from components.store import records
from components.store.artifacts import Recipe
from schemas.feeds import feeds_table

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


def _rows(world, day: str) -> list[dict]:
    return pq.read_table(world.artifact("publish_feeds", day).path("feeds.parquet")).to_pylist()


@pytest.mark.parametrize("day", DAYS)
def test_no_feed_holds_a_seen_an_ineligible_or_a_repeated_post(day: str, three_days) -> None:
    seen = set()
    for back in DAYS[max(0, DAYS.index(day) - 1) : DAYS.index(day) + 1]:  # `seen_days` is 2
        events = three_days.artifact("validate_events", back).path("accepted.parquet")
        seen |= {(row["user_id"], row["post_id"]) for row in pq.read_table(events).to_pylist()}
    corpus = Corpus.read(three_days.artifact("publish_release", day).path("corpus"))
    eligible = set(corpus.post_ids[corpus.is_eligible].tolist())
    pairs = [(row["user_id"], row["post_id"]) for row in _rows(three_days, day)]
    assert pairs
    assert len(set(pairs)) == len(pairs)
    assert not seen & set(pairs)
    assert {post for _, post in pairs} <= eligible


def test_every_active_user_has_one_feed_in_the_order_of_its_scores(three_days) -> None:
    events = three_days.artifact("validate_events", DAYS[2]).path("accepted.parquet")
    rows = [row for row in _rows(three_days, DAYS[2]) if row["kind"] == "fresh"]
    assert {row["user_id"] for row in rows} == set(pq.read_table(events)["user_id"].to_pylist())
    for above, below in itertools.pairwise(rows):
        if above["user_id"] == below["user_id"]:
            assert below["rank"] == above["rank"] + 1
            assert below["score"] <= above["score"]
        else:
            assert below["rank"] == 1
    for row in rows:
        expected = np.float32(row["base_score"]) * np.float32(row["diversity_multiplier"])
        assert row["score"] == expected


def test_everybody_with_a_history_has_a_feed_and_is_counted_by_kind(three_days) -> None:
    features = three_days.artifact("build_features", DAYS[2]).paths("impressions.parquet")
    users = set(pq.read_table(features, columns=["user_id"])["user_id"].to_pylist())
    kinds = {row["user_id"]: row["kind"] for row in _rows(three_days, DAYS[2])}
    facts = three_days.artifact("publish_feeds", DAYS[2]).facts
    assert kinds.keys() == users
    assert facts["users_by_kind"] == {"fresh": 0, "kept": 0, "popular": 0} | Counter(kinds.values())
    assert sum(facts["kept_by_age"].values()) == facts["users_by_kind"]["kept"] > 0
    earlier = three_days.artifact("publish_feeds", DAYS[1]).ref
    for shard in ("-000-of-002", "-001-of-002"):
        manifest = three_days.artifact("materialize_feeds", DAYS[2] + shard).manifest
        assert asdict(earlier) in manifest["recipe"]["inputs"]


def test_feeds_keep_their_contract(three_days) -> None:
    path = three_days.artifact("publish_feeds", DAYS[2]).path("feeds.parquet")
    schema = pq.read_schema(path)
    assert feeds_table(len(three_days.config.actions)).problems(schema) == []
    digest = three_days.artifact("publish_release", DAYS[2]).ref.digest
    assert schema.metadata[b"release"].decode() == digest


def test_the_number_of_shards_does_not_change_a_feed(world) -> None:
    two_shards = _rows(world, DAYS[2])
    assert world.run("materialize_feeds", DAYS[2], shard=0, num_shards=1) == ExitCode.DONE
    path = world.artifact("materialize_feeds", f"{DAYS[2]}-000-of-001").path("feeds.parquet")
    unranked = pq.read_table(path.with_name("unranked.parquet"))
    one_shard = pq.read_table(path).to_pylist() + unranked.to_pylist()
    one_shard, two_shards = (
        sorted(rows, key=lambda row: (row["user_id"], row["rank"]))
        for rows in (one_shard, two_shards)
    )
    for name in ("user_id", "rank", "post_id", "author_id", "source", "rules", "kind"):
        assert [row[name] for row in one_shard] == [row[name] for row in two_shards]
    # A product of matrices with other numbers of rows may round differently.
    for name in ("score", "base_score", "retrieval_score", "probabilities"):
        rows = zip(one_shard, two_shards, strict=True)
        one, two = zip(*[(a[name], b[name]) for a, b in rows if a[name] is not None], strict=True)
        np.testing.assert_allclose(one, two, rtol=1e-5)


@pytest.mark.parametrize(("shard", "num_shards"), [(2, 2), (-1, 2), (0, 0), (0, 1000)])
def test_a_shard_that_does_not_exist_is_refused_and_leaves_no_record(
    shard: int, num_shards: int, world
) -> None:
    before = records.read(world.store, DAYS[2])
    code = world.run("materialize_feeds", DAYS[2], shard=shard, num_shards=num_shards)
    assert code == ExitCode.BAD_CONFIGURATION
    assert records.read(world.store, DAYS[2]) == before


def test_a_release_of_other_hashes_is_refused(world, capfd) -> None:
    world.edit("user_rows: 500", "user_rows: 600")
    code = world.run("materialize_feeds", DAYS[2], shard=0, num_shards=1)
    assert code == ExitCode.BAD_DATA
    assert "the release has `hash_spec`" in capfd.readouterr().out


def test_a_release_whose_models_were_swapped_is_bad_data_and_named(world, capfd) -> None:
    world.run("evaluate_models", DAYS[2], force="promote", reason="a test")
    assert world.run_day(DAYS[2], ("export_corpus", "publish_release")) == [0, 0]
    release = world.artifact("publish_release", DAYS[2])
    recipe = Recipe(
        kind="publish_release", partition=DAYS[2], inputs=[], config={}, code="", libraries={}
    )
    with world.store.write(recipe) as draft:  # every file is whole and listed, only misplaced
        shutil.copytree(release.folder, draft.folder, dirs_exist_ok=True)
        (draft.folder / "manifest.json").unlink()
        (draft.folder / "ranker").rename(draft.folder / "other")
        (draft.folder / "retrieval").rename(draft.folder / "ranker")
        (draft.folder / "other").rename(draft.folder / "retrieval")
        draft.facts.update(release.facts)
    capfd.readouterr()
    code = world.run("materialize_feeds", DAYS[2], shard=0, num_shards=1)
    assert code == ExitCode.BAD_DATA
    error = json.loads(capfd.readouterr().out)["error"]
    assert "retrieval: expected a model of the kind two_tower or most_popular or random" in error
    assert error.endswith("got a ranking_transformer.")


def test_posts_of_the_day_have_places_and_every_place_has_a_source(three_days) -> None:
    facts = three_days.artifact("publish_feeds", DAYS[2]).facts
    assert sum(facts["places_by_source"].values()) == facts["positions"]
    assert facts["places_by_source"]["fresh"] > 0
    assert facts["new_share"] >= 0.05
