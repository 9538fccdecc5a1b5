from phoenix.recommend.descriptions import FORMAT_VERSION, migrated
from tests.phoenix.planted import RANKER, RETRIEVAL

NEW = ("has_counts", "taste")


def test_a_ranker_of_the_first_format_reads_no_counts() -> None:
    config = {name: value for name, value in RANKER.to_dict().items() if name not in NEW}
    found = migrated({"format_version": 1, "kind": "ranking_transformer", "config": config})
    assert type(RANKER).from_dict(found["config"]) == RANKER
    assert found["format_version"] == FORMAT_VERSION


def test_towers_are_what_they_were() -> None:
    config = RETRIEVAL.to_dict()
    found = migrated({"format_version": 1, "kind": "two_tower", "config": config})
    assert found["config"] == config


def test_what_is_of_another_format_stays_as_it_is() -> None:
    for description in ({"format_version": 99, "kind": "?"}, {"kind": "most_popular"}):
        assert migrated(description) == description
