"""A request ends with settings that are better, or with what is wrong with it."""

from typing import Any

import pytest

from components.errors import BadConfigurationError, BadDataError
from components.settings.loading import load
from components.tuning.tune import Request, tune
from tests.components.conftest import DAYS, World, day_of, new_world


def _request(world: World, **values: Any) -> Request:
    usual = {"config": world.path, "role": "ranker", "minutes": 30.0, "num_days": 4}
    return Request(**{**usual, **values})


@pytest.fixture(scope="module")
def data_days(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three days of data, and a ranker that does not learn."""
    world = new_world(tmp_path_factory.mktemp("data_days"))
    for day in DAYS:
        assert world.run_day(day, ("ingest_events", "validate_events", "build_features")) == [0] * 3
    return world.edit("train_ranker:\n", "train_ranker:\n  learning_rate: 0.000001\n")


def test_a_better_setting_is_found_and_written_and_nothing_else_is_changed(data_days) -> None:
    world = data_days
    before, text, lines = (world.heads(), world.live_day()), world.path.read_text(), list[str]()
    request = _request(world, tried=["model.reads_counts=true"])
    outcome, path = tune(request, tell=lines.append)
    assert path == world.path.with_name("world.tuned.yaml")
    assert load(path).train_ranker.model.reads_counts
    assert path.read_text().splitlines()[1].startswith("# world.yaml. Surely better of 1 ")
    assert (world.heads(), world.live_day()) == before
    assert world.path.read_text() == text
    assert lines[0] == f"Settings are judged on {DAYS[1]}, {DAYS[2]}."
    # The same again is known, and equal; from the better ones, the worse are no gain.
    again, _ = tune(request, tell=lines.append)
    assert again.rows() == outcome.rows()
    back = _request(World(path), tried=["model.reads_counts=false"])
    outcome, none = tune(back, tell=lines.append)
    assert none is None
    assert outcome.sentence.startswith("The present settings stay: none of 1 other setting, ")
    assert outcome.others[0].end == "surely worse on 1 of 2 days"


@pytest.mark.parametrize(
    ("values", "error", "complaint"),
    [
        ({"role": "rank"}, BadConfigurationError, "ROLE: expected retrieval or ranker, got 'rank'"),
        ({"tried": ["epochs"]}, BadConfigurationError, "--try: expected NAME=VALUE,VALUE"),
        ({"tried": ["epoch=2"]}, BadConfigurationError, "`epochs` may be meant"),
        ({"days": (day_of("2026-02-01"), day_of("2026-02-03"))}, BadDataError, "There is no day f"),
    ],
)
def test_what_is_wrong_with_a_request_is_told_before_anything_is_trained(
    values, error, complaint: str, data_days
) -> None:
    with pytest.raises(error, match=complaint):
        tune(_request(data_days, **values), tell=lambda line: None)


def test_a_store_without_days_is_told_what_to_run(tmp_path) -> None:
    with pytest.raises(BadDataError, match=r"features of 0 days\. Make them by `phoenix data"):
        tune(_request(new_world(tmp_path)), tell=lambda line: None)
