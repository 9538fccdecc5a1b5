"""Who takes part, who wins, and what is written about it."""

import datetime
import json

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from components import contract
from components.contract import ExitCode
from components.evaluation import entrants
from components.features import shapes, windows_files
from components.release import models, releases
from components.run.context import Context
from phoenix.files.array_files import read_array

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


def test_all_four_recommenders_are_compared_with_finite_numbers(three_days) -> None:
    artifact = three_days.artifact("evaluate_models", DAYS[2])
    metrics = json.loads(artifact.path("metrics.json").read_text())
    for role in ("retrieval", "ranker"):  # of one recipe, so that the candidate stands for both
        assert set(metrics[role]) == {"candidate", "champion", "most_popular", "random"}
    best = metrics["ranker"]["most_popular"]["actions"]["click"]
    assert best["auc"] > 0.5
    assert metrics["ranker"]["random"]["actions"]["click"]["rce"] < 0
    assert set(metrics["ranker"]["candidate"]["slices"]) == {
        "no_history",
        "short_history",
        "long_history",
    }


def test_retrieval_is_judged_by_recall_order_and_first_hit(three_days) -> None:
    artifact = three_days.artifact("evaluate_models", DAYS[2])
    report = json.loads(artifact.path("metrics.json").read_text())["retrieval"]["most_popular"]
    assert 0 < report["mrr@20"] <= 1
    assert 0 < report["ndcg@20"] <= 1
    assert 0 < report["recall@20"] <= 1
    assert 0 < report["coverage"] <= 1


def test_what_models_said_is_kept_where_it_is_asked_for_in_the_order_of_the_features(world) -> None:
    assert not (world.artifact("evaluate_models", DAYS[2]).folder / "outputs").exists()
    world.edit("{retrieval_k: 20}", "{retrieval_k: 20, keep_outputs: true}")
    assert world.run("evaluate_models", DAYS[2]) == 0
    outputs = world.artifact("evaluate_models", DAYS[2]).folder / "outputs"
    windows = windows_files.read_windows(
        world.artifact("build_features", DAYS[2]).folder,
        spec=shapes.hash_spec(world.config.hashing),
    )
    model = models.load(world.artifact("train_ranker", DAYS[2]).path("model"))
    expected = model.predict(windows)[windows.candidate_mask]
    np.testing.assert_array_equal(read_array(outputs / "ranker/candidate/day"), expected)
    measured = json.loads((outputs / "ranker/candidate/metrics.json").read_text())["day"]
    report = json.loads(world.artifact("evaluate_models", DAYS[2]).path("metrics.json").read_text())
    assert measured.items() <= report["ranker"]["candidate"].items()
    num_asked = report["retrieval"]["candidate"]["users"]
    for name in ("candidate", "champion", "most_popular"):  # random says nothing: it is computed
        users = read_array(outputs / "retrieval" / name / "users")
        assert len(users) == num_asked <= len(np.unique(windows.user_ids))


def test_the_decision_has_reasons_numbers_and_an_interval(three_days) -> None:
    artifact = three_days.artifact("evaluate_models", DAYS[2])
    decision = json.loads(artifact.path("decision.json").read_text())
    for role in ("retrieval", "ranker"):
        found = decision[role]
        assert (found["verdict"] == "promoted") == (found["choice"] == "candidate")
        assert (found["verdict"] == "challenger") == bool(found["challengers"])
        assert found["gain"] == pytest.approx(found["candidate"] - found["champion"])
        assert found["interval"][0] <= found["gain"] <= found["interval"][1]
        assert found["question"] == "improvement", "the champion is the most popular recommender"
        assert any("learned" in reason for reason in found["reasons"])


def test_the_figure_of_a_decision_is_stated_again_on_the_next_day(three_days) -> None:
    first, second, third = (three_days.artifact("evaluate_models", day).facts for day in DAYS)
    for role in ("retrieval", "ranker"):
        assert first[role]["restated"] is None
        assert third[role]["restated"]["published"] == second[role]["figure"]
        figure = third[role]["figure"]
        assert 0 < figure["users"] < third["metrics"][role]["candidate"].get("ndcg_users", 120)
        # The champion is kept, so that the figure of this day is what it has today.
        if third[role]["verdict"] != "promoted":
            assert third[role]["restated"]["today"]["value"] == figure["value"]
    release = three_days.artifact("publish_release", DAYS[2])
    assert release.facts["ranker"]["figure"] == third["ranker"]["figure"]


def test_evidence_is_handed_from_day_to_day_and_a_rerun_finds_it_again(world) -> None:
    """The candidates of both days are unsure: of one recipe, so their evidence adds up."""
    second, third = (world.artifact("evaluate_models", day) for day in DAYS[1:])
    (earlier,) = second.facts["retrieval"]["challengers"]
    (later,) = third.facts["retrieval"]["challengers"]
    assert (earlier["num_days"], later["num_days"]) == (1, 2)
    assert earlier["recipe"] == later["recipe"]
    rows = pq.read_table(third.path("evidence.parquet"))
    rows = rows.filter(pc.field("role") == "retrieval")
    assert set(rows["challenger"].to_pylist()) == {later["ref"]["key"]}
    before = pq.read_table(second.path("evidence.parquet"))
    assert set(before["user_id"].to_pylist()) <= set(rows["user_id"].to_pylist())
    assert world.run("evaluate_models", DAYS[2]) == ExitCode.NOTHING_TO_DO


def test_a_withdrawn_release_takes_its_evidence_along(world) -> None:
    world.edit("{retrieval_k: 20}", "{retrieval_k: 20, challenger_days: 9}")
    releases.rollback(world.store, DAYS[0], "a test")
    assert world.run("evaluate_models", DAYS[2]) == 0
    (challenger,) = world.artifact("evaluate_models", DAYS[2]).facts["retrieval"]["challengers"]
    assert challenger["num_days"] == 1


def test_the_first_day_publishes_the_most_popular_and_says_why(three_days) -> None:
    facts = three_days.artifact("evaluate_models", DAYS[0]).facts
    for role in ("retrieval", "ranker"):
        assert (facts[role]["choice"], facts[role]["model"]) == ("fallback", "most_popular")
        assert facts[role]["trained_through"] == DAYS[0]
        assert "the first day" in facts[role]["reasons"][0]


@pytest.mark.parametrize(("force", "verdict"), [("promote", "promoted"), ("keep", "kept")])
def test_a_forced_decision_names_its_reason(force: str, verdict: str, world) -> None:
    assert world.run("evaluate_models", DAYS[2], force=force, reason="because") == 0
    facts = world.artifact("evaluate_models", DAYS[2]).facts
    for role in ("retrieval", "ranker"):
        assert (facts[role]["verdict"] == "promoted") == (verdict == "promoted")
        assert f"forced to {force}: because" in facts[role]["reasons"]


@pytest.mark.parametrize("options", [{"force": "keep"}, {"reason": "because"}])
def test_force_and_reason_come_together(options: dict, world) -> None:
    code = world.run("evaluate_models", DAYS[2], **options)
    assert code == ExitCode.BAD_CONFIGURATION


def test_approval_is_needed_only_where_something_is_promoted(world) -> None:
    world.edit("{retrieval_k: 20}", "{retrieval_k: 20, approval: when_promoted}")
    assert world.run("evaluate_models", DAYS[2]) == 0
    facts = world.artifact("evaluate_models", DAYS[2]).facts
    verdicts = {facts[role]["verdict"] for role in ("retrieval", "ranker")}
    assert facts["needs_approval"] == ("promoted" in verdicts)


def test_a_required_gain_that_nobody_reaches_keeps_the_champion(world) -> None:
    world.edit("{retrieval_k: 20}", "{ranking_min_gain: 0.9, retrieval_min_gain: 0.9}")
    assert world.run("evaluate_models", DAYS[2]) == 0
    facts = world.artifact("evaluate_models", DAYS[2]).facts
    assert {facts[role]["verdict"] for role in ("retrieval", "ranker")} == {"kept"}
    assert "surely not better by 0.9" in facts["ranker"]["reasons"][0]


def test_the_fallback_knows_what_was_counted_through_the_day(three_days) -> None:
    evaluated = three_days.artifact("evaluate_models", DAYS[2])
    fallback = models.load_most_popular(evaluated.path("fallback"))
    day = datetime.date.fromisoformat(DAYS[2])
    context = Context(contract.EVALUATE_MODELS, three_days.config, day, three_days.store)
    rates = [
        entrants.most_popular(context, three_days.artifact("build_features", each).ref).rates
        for each in DAYS[1:]
    ]
    counted, before, found = (
        each.tables["all"].shown for each in (rates[1], rates[0], fallback.rates)
    )
    np.testing.assert_array_equal(found, counted)
    assert (found > before).all()
