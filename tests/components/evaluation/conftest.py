"""Windows and posts of a day whose truth is known."""

import datetime

import pytest

from components.features import shapes, windows_files
from components.release import eligible_posts
from phoenix.data.windows import Windows
from phoenix.recommend.baselines import Collection

LAST = "2026-01-03"


@pytest.fixture
def windows(three_days) -> Windows:
    path = three_days.artifact("build_features", LAST).folder
    return windows_files.read_windows(path, spec=shapes.hash_spec(three_days.config.hashing))


@pytest.fixture
def collection(three_days) -> Collection:
    path = three_days.artifact("validate_events", LAST).path("posts.parquet")
    day = datetime.date.fromisoformat(LAST)
    return eligible_posts.collection_of(path, three_days.config, day)
