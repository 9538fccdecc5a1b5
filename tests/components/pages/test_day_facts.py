import pytest

from components.errors import BadDataError
from components.pages.day_facts import DayFacts

LAST = "2026-01-03"


def test_every_step_and_shard_of_a_day_is_there(three_days) -> None:
    facts = DayFacts.read(three_days.store, three_days.config, LAST)
    assert {"materialize_feeds-000-of-002", "materialize_feeds-001-of-002"} <= facts.refs.keys()
    assert len(facts.refs) == 12
    assert len(facts.records["materialize_feeds"]) == 2
    assert facts.damaged == {}


def test_facts_are_those_of_the_manifest(three_days) -> None:
    facts = DayFacts.read(three_days.store, three_days.config, LAST)
    expected = three_days.artifact("validate_events", LAST).facts
    assert facts.facts("validate_events") == expected


def test_a_day_that_never_ran_has_no_facts(three_days) -> None:
    facts = DayFacts.read(three_days.store, three_days.config, "2026-02-01")
    assert (facts.records, facts.refs, facts.facts("train_ranker")) == ({}, {}, {})


def test_a_damaged_manifest_is_named_and_not_used(world) -> None:
    manifest = world.artifact("train_ranker", LAST).folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"true", b"tru3", 1))
    facts = DayFacts.read(world.store, world.config, LAST)
    assert "manifest.json is damaged" in facts.damaged["train_ranker"]
    assert facts.facts("train_ranker") == {}


def test_a_damaged_file_is_refused_by_name(world) -> None:
    path = world.artifact("train_ranker", LAST).path("curve.json")
    path.write_bytes(b"[]")
    facts = DayFacts.read(world.store, world.config, LAST)
    with pytest.raises(BadDataError, match=r"curve\.json is damaged"):
        facts.file("train_ranker", "curve.json")
