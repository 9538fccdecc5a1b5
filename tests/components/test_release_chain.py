"""Three days through the real mains: what one run promises, and what a rerun does."""

import json
import shutil
from pathlib import Path

import pytest

from components.contract import ExitCode
from components.serving import feed_files
from components.serving.why import why
from tests.components.conftest import day_of

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


def test_the_first_release_is_the_most_popular_and_later_days_train(three_days) -> None:
    first = three_days.artifact("publish_release", DAYS[0]).facts
    assert {first[role]["model"] for role in ("retrieval", "ranker")} == {"most_popular"}
    assert three_days.artifact("train_ranker", DAYS[0]).facts["trained"] is False
    assert three_days.artifact("train_ranker", DAYS[1]).facts["trained"] is True
    assert three_days.live_day() == DAYS[2]


def test_a_rerun_of_everything_does_nothing(world) -> None:
    before, pointer = world.heads(), world.store.pointer("live").log()
    for day in DAYS:
        assert world.run_day(day) == [ExitCode.NOTHING_TO_DO] * 12
    assert world.heads() == before
    assert world.store.pointer("live").log() == pointer


@pytest.mark.parametrize("kind", ["build_features", "train_ranker", "publish_release"])
def test_what_was_deleted_is_made_again_byte_for_byte(kind: str, world) -> None:
    before = world.heads()
    shutil.rmtree(Path(world.config.store) / kind / DAYS[1])
    for day in DAYS[1:]:
        codes = world.run_day(day)
        assert set(codes) <= {ExitCode.DONE, ExitCode.NOTHING_TO_DO}
    assert world.heads() == before


def test_the_champion_of_a_day_is_the_release_of_the_day_before(three_days) -> None:
    manifest = three_days.artifact("evaluate_models", DAYS[1]).manifest
    used = [item for item in manifest["recipe"]["inputs"] if item["kind"] == "publish_release"]
    assert [item["partition"] for item in used] == [DAYS[0]]


def test_a_backfill_of_an_earlier_day_never_moves_live_backwards(world) -> None:
    world.edit("feed_length: 5", "feed_length: 4")  # other feeds of an old day
    assert world.run_day(DAYS[1], ("materialize_feeds", "publish_feeds")) == [0, 0, 0]
    assert world.live_day() == DAYS[2]


def test_a_kill_between_feeds_and_pointer_is_repaired_by_the_rerun(world) -> None:
    log = world.store.pointer("live").log()
    newest = Path(world.config.store) / f"pointers/live/{log[-1].number:08d}.json"
    newest.unlink()  # the state in which such a kill leaves the store
    assert world.live_day() == DAYS[1]
    assert world.run("publish_feeds", DAYS[2], num_shards=2) == ExitCode.NOTHING_TO_DO
    assert world.live_day() == DAYS[2]
    assert world.store.pointer("live").read().value == log[-1].value


@pytest.mark.parametrize("name", ["publish_release", "materialize_feeds"])
def test_a_flipped_byte_is_refused_by_name_and_live_stays(name: str, world, capfd) -> None:
    suffix = "-001-of-002" if name == "materialize_feeds" else ""
    artifact = world.artifact(name, DAYS[2] + suffix)
    victim = sorted(path for path in artifact.folder.rglob("*") if path.suffix != ".json")
    file = next(path for path in victim if path.is_file() and path.stat().st_size > 100)
    data = bytearray(file.read_bytes())
    data[50] ^= 1
    file.write_bytes(data)
    capfd.readouterr()
    assert world.run("publish_feeds", DAYS[2], num_shards=2) == ExitCode.BAD_DATA
    assert str(file) in capfd.readouterr().out
    assert world.live_day() == DAYS[2]


def test_a_mixture_goes_from_the_gate_to_feeds_and_to_the_next_day(world) -> None:
    """By a gate that finds everything better, and sure of nothing."""
    world.edit(
        "{retrieval_k: 20}",
        "{retrieval_k: 20, mixture_share: 0.25, confidence: 0.9999, ranking_min_gain: -2, "
        "retrieval_min_gain: -2, veto_not_above_random: false, veto_worse_slice: false}",
    )
    steps = ("evaluate_models", "export_corpus", "publish_release", "materialize_feeds")
    assert world.run_day(DAYS[1], steps) == [ExitCode.DONE] * 5
    decision, release = (
        world.artifact(kind, DAYS[1]) for kind in ("evaluate_models", "publish_release")
    )
    for role in ("retrieval", "ranker"):
        assert decision.facts[role]["entrant"] == "mixture", decision.facts[role]["reasons"]
        assert release.facts[role]["model_share"] == 0.25
        assert "(25 %) and most_popular" in release.facts[role]["model"]
        assert decision.facts[role]["figure"]["value"] > 0
    feeds = feed_files.read(
        world.artifact("materialize_feeds", f"{DAYS[1]}-000-of-002").paths("feeds.parquet")
    )
    assert ["retriever_mixture", "ranker_mixture"] in feeds["rules"].to_pylist()
    user, post = (feeds[name][0].as_py() for name in ("user_id", "post_id"))
    # Made again from the same inputs, all of it is the same.
    before = world.heads()
    for kind in ("evaluate_models", "export_corpus", "publish_release"):
        shutil.rmtree(Path(world.config.store) / kind / DAYS[1])
    assert set(world.run_day(DAYS[1], steps)) <= {ExitCode.DONE, ExitCode.NOTHING_TO_DO}
    assert world.heads() == before
    # The next day's champion is the mixture, with what is popular by then, and newer days of it
    # are a refresh; a training begins with its model.
    assert world.run_day(DAYS[2], ("train_retrieval", "train_ranker", *steps)) == [0] * 7
    later = world.artifact("evaluate_models", DAYS[2])
    metrics = json.loads(later.path("metrics.json").read_text())
    for role in ("retrieval", "ranker"):
        assert metrics[role]["champion"] != metrics[role]["most_popular"]
        assert any("mixture, refresh" in each for each in later.facts[role]["reasons"])
        training = world.artifact(f"train_{role}", DAYS[2])
        assert training.facts["scratch_reason"] is None
    assert world.run("publish_feeds", DAYS[1], num_shards=2) == ExitCode.DONE
    explanation = why(world.store, world.config, str(user), str(post), day_of(DAYS[1]))
    assert any("mixture" in reason for reason in explanation.reasons)
