"""A misspelt setting is answered with the one that was meant, in its own section."""

import pytest

from components.settings import names
from components.settings.config import Config


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("sed", "seed"),
        ("train_ranker.learning_rat", "learning_rate"),
        ("train_ranker.model.num_layer", "num_layers"),
        ("ingest_events.source.num_user", "num_users"),
        ("actions.1.colum", "column"),
        ("train_ranker.spark_master", None),
        ("nowhere.at_all", None),
    ],
)
def test_the_nearest_setting_of_the_same_section_is_found(path: str, expected: str | None) -> None:
    assert names.nearest(Config, path.split(".")) == expected
