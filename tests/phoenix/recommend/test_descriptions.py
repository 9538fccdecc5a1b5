from phoenix.recommend.descriptions import FORMAT_VERSION, migrated
from tests.phoenix.planted import RANKER, RETRIEVAL

NEW = ("has_counts", "taste", "has_candidate_facts", "taste_size")


def test_a_ranker_of_the_first_format_reads_no_counts() -> None:
    config = {name: value for name, value in RANKER.to_dict().items() if name not in NEW}
    found = migrated({"format_version": 1, "kind": "ranking_transformer", "config": config})
    assert type(RANKER).from_dict(found["config"]) == RANKER
    assert found["format_version"] == FORMAT_VERSION


def test_towers_of_the_formats_before_read_no_counts() -> None:
    config = {name: value for name, value in RETRIEVAL.to_dict().items() if name not in NEW}
    for version in (1, 2):
        found = migrated({"format_version": version, "kind": "two_tower", "config": config})
        assert type(RETRIEVAL).from_dict(found["config"]) == RETRIEVAL
        assert found["format_version"] == FORMAT_VERSION


def test_the_candidate_tower_of_the_third_format_reads_ids_alone() -> None:
    config = {**RETRIEVAL.to_dict(), "has_counts": True}
    del config["has_candidate_facts"]
    found = migrated({"format_version": 3, "kind": "two_tower", "config": config})
    assert found["config"] == {**config, "has_candidate_facts": False}


def test_models_of_the_fifth_format_have_no_factors_of_taste() -> None:
    config = RETRIEVAL.to_dict()
    del config["taste_size"]
    found = migrated({"format_version": 5, "kind": "two_tower", "config": config})
    assert found["config"] == {**config, "taste_size": 0}


def test_models_of_the_formats_before_have_no_optimizer() -> None:
    for version in range(1, FORMAT_VERSION):
        old = {"format_version": version, "kind": "two_tower", "config": RETRIEVAL.to_dict()}
        assert migrated(old)["optimizer"] is None


def test_a_ranker_of_the_second_format_is_what_it_was() -> None:
    config = RANKER.to_dict()
    found = migrated({"format_version": 2, "kind": "ranking_transformer", "config": config})
    assert found["config"] == config


def test_what_is_of_another_format_stays_as_it_is() -> None:
    for description in ({"format_version": 99, "kind": "?"}, {"kind": "most_popular"}):
        assert migrated(description) == description
