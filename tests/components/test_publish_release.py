"""A release is whole, answers before it is published, and never mixes models."""

import json

import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.contract import ExitCode
from components.release import decisions, models
from components.release.corpus import Corpus
from components.serving.server import Server

LAST = "2026-01-03"


def test_a_release_holds_all_that_feeds_need(three_days) -> None:
    release = three_days.artifact("publish_release", LAST)
    server = Server.open(release.folder, three_days.config)
    assert server.fallback.name == "most_popular"
    assert server.weights == [action.score_weight for action in three_days.config.actions]
    assert release.facts["probes"]["posts"] > 0
    assert release.facts["trained_through"] <= LAST
    decision = json.loads(release.path("decision.json").read_text())
    assert decision["ranker"]["verdict"] == release.facts["ranker"]["verdict"]


def test_a_release_lives_on_when_its_inputs_are_gone(world) -> None:
    import shutil
    from pathlib import Path

    for kind in ("train_ranker", "train_retrieval", "evaluate_models", "export_corpus"):
        shutil.rmtree(Path(world.config.store) / kind)
    codes = [world.run("materialize_feeds", LAST, shard=0, num_shards=1)]
    assert [*codes, world.run("publish_feeds", LAST, num_shards=1)] == [0, 0]


def test_a_corpus_of_another_model_is_refused(world, capfd) -> None:
    assert world.run("evaluate_models", LAST, force="promote", reason="a test") == 0
    capfd.readouterr()
    assert world.run("publish_release", LAST) == ExitCode.BAD_DATA
    assert "Export the corpus with the model of the queries" in capfd.readouterr().out


def test_promoted_models_serve_feeds_that_differ_between_users(world) -> None:
    assert world.run("evaluate_models", LAST, force="promote", reason="a test") == 0
    assert set(world.run_day(LAST, ("export_corpus", "publish_release"))) == {0}
    assert set(world.run_day(LAST, ("materialize_feeds", "publish_feeds"))) == {0}
    release = world.artifact("publish_release", LAST)
    assert [release.facts[role]["folder"] for role in ("retrieval", "ranker")] == [
        "retrieval",
        "ranker",
    ]
    corpus = Corpus.read(release.path("corpus"))
    assert corpus.model_digest == models.folder_digest(release.path("retrieval"))
    feeds = pq.read_table(world.artifact("publish_feeds", LAST).path("feeds.parquet"))
    ranked_today = feeds.filter(pc.field("kind") == "fresh")
    assert "popular" not in ranked_today["source"].to_pylist()


def test_who_approved_is_kept_and_what_was_rejected_is_not_released(world, capfd) -> None:
    assert world.run("evaluate_models", LAST, force="keep", reason="a test") == 0
    assert world.run("export_corpus", LAST) in (0, ExitCode.NOTHING_TO_DO)
    head = world.artifact("publish_release", LAST).ref
    capfd.readouterr()
    rejection = {"answer": "reject", "answered_by": "ada", "note": "looks odd"}
    assert world.run("publish_release", LAST, **rejection) == ExitCode.BAD_DATA
    assert f"The release of {LAST} was rejected by ada: looks odd." in capfd.readouterr().out
    assert world.artifact("publish_release", LAST).ref == head
    page = world.store.storage.read(f"pages/{LAST}/index.html").decode()
    assert "was rejected by ada: looks odd." in page
    # Whoever runs the step without asking anybody does not publish it either.
    assert world.run("publish_release", LAST) == ExitCode.BAD_DATA
    assert f"The release of {LAST} was rejected by ada: looks odd." in capfd.readouterr().out
    assert "was rejected by ada" in world.store.storage.read(f"pages/{LAST}/index.html").decode()
    approval = {"answer": "approve", "answered_by": "bob", "note": "looked at it"}
    assert world.run("publish_release", LAST, **approval) == 0
    release = world.artifact("publish_release", LAST)
    assert release.facts["approval"] == {"answered_by": "bob", "note": "looked at it"}
    page = world.store.storage.read(f"pages/{LAST}/index.html").decode()
    assert "Approved by bob: looked at it." in page
    assert "was rejected" not in page
    # Who approved shapes nothing in it, so a run without an answer finds it there.
    assert world.run("publish_release", LAST) == ExitCode.NOTHING_TO_DO
    assert world.run("publish_release", LAST, answer="approve") == ExitCode.BAD_CONFIGURATION
    for option in ("answered_by", "note"):
        capfd.readouterr()
        code = world.run("publish_release", LAST, **{option: "bob"})
        assert code == ExitCode.BAD_CONFIGURATION
        said = f"--{option.replace('_', '-')} 'bob' comes with --answer"
        assert said in capfd.readouterr().out
    # Whoever decides anew asks a new question.
    assert world.run("publish_release", LAST, **rejection) == ExitCode.BAD_DATA
    assert world.run("evaluate_models", LAST, force="keep", reason="another") == 0
    assert world.run("export_corpus", LAST) in (0, ExitCode.NOTHING_TO_DO)
    assert world.run("publish_release", LAST) == 0
    assert world.artifact("publish_release", LAST).facts["approval"] is None


def test_the_fallback_is_fitted_through_the_day(three_days) -> None:
    fallback = models.load(three_days.artifact("publish_release", LAST).path(decisions.FALLBACK))
    evaluated = models.load(three_days.artifact("evaluate_models", LAST).path(decisions.FALLBACK))
    earlier = models.load(
        three_days.artifact("publish_release", "2026-01-02").path(decisions.FALLBACK)
    )
    shown, same, less = (
        model.rates.tables["post"].shown.sum() for model in (fallback, evaluated, earlier)
    )
    assert shown == same > less > 0
