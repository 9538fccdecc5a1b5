"""Everybody who can take part does, and whoever cannot is named with the reason."""

import datetime

import pytest

from components import contract
from components.evaluation.entrants import entrants_of, most_popular
from components.run.context import Context
from components.store.artifacts import Artifact
from phoenix.recommend.baselines import MostPopular
from phoenix.recommend.mixture import RankerMixture, RetrieverMixture

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


def context_of(world) -> Context:
    day = datetime.date.fromisoformat(DAYS[2])
    return Context(contract.EVALUATE_MODELS, world.config, day, world.store)


def popular(world) -> MostPopular:
    return most_popular(context_of(world), world.artifact("build_features", DAYS[1]).ref)


def champion(world) -> Artifact:
    return world.artifact("publish_release", DAYS[1])


def test_the_most_popular_counts_through_the_day_that_it_is_given(three_days) -> None:
    first = three_days.artifact("build_features", DAYS[0]).ref
    before = most_popular(context_of(three_days), first).rates.tables["post"].shown
    assert 0 < before.sum() < popular(three_days).rates.tables["post"].shown.sum()


@pytest.mark.parametrize("role", ["retrieval", "ranker"])
def test_all_four_take_part_where_a_model_was_trained(role: str, three_days) -> None:
    candidate = three_days.artifact(f"train_{role}", DAYS[2])
    found = entrants_of(
        context_of(three_days), role, candidate, champion(three_days), popular=popular(three_days)
    )
    assert set(found.models) == {"candidate", "champion", "most_popular", "random"}
    assert found.has_candidate
    assert found.notes == ()


@pytest.mark.parametrize(
    ("role", "kind"), [("retrieval", RetrieverMixture), ("ranker", RankerMixture)]
)
def test_a_mixture_of_candidate_and_most_popular_takes_part_where_it_has_a_share(
    role: str, kind: type, world
) -> None:
    world.edit("evaluate_models: {", "evaluate_models: {mixture_share: 0.25, ")
    candidate, counted = world.artifact(f"train_{role}", DAYS[2]), popular(world)
    found = entrants_of(context_of(world), role, candidate, champion(world), popular=counted)
    mixture = found.models["mixture"]
    assert isinstance(mixture, kind)
    assert (mixture.model, mixture.popular) == (found.models["candidate"], counted)
    assert mixture.share == found.mixtures["mixture"].share == 0.25


def test_without_training_and_past_chance_is_alone(three_days) -> None:
    candidate = three_days.artifact("train_ranker", DAYS[0])
    found = entrants_of(context_of(three_days), "ranker", candidate, None, popular=None)
    assert set(found.models) == {"random"}
    assert "the first day" in found.notes[0]


def test_a_champion_that_knows_none_of_the_actions_is_replaced_by_the_most_popular(world) -> None:
    counted = popular(world)
    candidate = world.artifact("train_ranker", DAYS[0])
    world.edit("{name: click}", "{name: vqv}")  # it knows the other three
    found = entrants_of(context_of(world), "ranker", candidate, champion(world), popular=counted)
    assert found.champion is not None
    for old, new in (("favorite", "reply"), ("share", "repost"), ("not_interested", "report")):
        world.edit(f"name: {old}", f"name: {new}")
    found = entrants_of(context_of(world), "ranker", candidate, champion(world), popular=counted)
    assert found.champion is None
    assert found.models["champion"] is counted
    assert f"the champion of {DAYS[1]} knows none of the actions" in found.notes


def test_hashes_of_a_trained_champion_must_be_those_of_today(world) -> None:
    assert world.run("evaluate_models", DAYS[1], force="promote", reason="a test") == 0
    assert world.run_day(DAYS[1], ("export_corpus", "publish_release")) == [0, 0]
    world.edit("user_rows: 500", "user_rows: 600")
    candidate = world.artifact("train_ranker", DAYS[0])
    found = entrants_of(context_of(world), "ranker", candidate, champion(world), popular=None)
    assert found.notes[-1] == f"the champion of {DAYS[1]} has other hashes"
    assert "champion" not in found.models
