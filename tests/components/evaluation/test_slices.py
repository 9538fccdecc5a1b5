"""Slices are of surfaces, new posts and the values of every declared attribute."""

import numpy as np
import pytest

from components.evaluation import slices
from components.features import shapes, windows_files
from phoenix.data.attributes import Attribute
from phoenix.data.windows import Windows

LAST = "2026-01-03"


@pytest.fixture
def windows(three_days) -> Windows:
    path = three_days.artifact("build_features", LAST).folder
    return windows_files.read_windows(path, spec=shapes.hash_spec(three_days.config.hashing))


def test_impressions_of_a_surface_and_of_new_posts_are_slices(three_days, windows) -> None:
    found = slices.of_impressions(windows, three_days.config)
    is_real = windows.candidate_mask
    surfaces = windows.candidate_surfaces[is_real]
    assert set(found) == {"new posts", *(f"surface {each}" for each in np.unique(surfaces))}
    for each in np.unique(surfaces):
        np.testing.assert_array_equal(found[f"surface {each}"], surfaces == each)
    age = (windows.candidate_shown_at - windows.candidate_created_at)[is_real]
    np.testing.assert_array_equal(found["new posts"], age < 24 * 3_600_000)
    section = three_days.config.evaluate_models.model_copy(update={"slice_values": 1})
    one = three_days.config.model_copy(update={"evaluate_models": section})
    assert len(slices.of_impressions(windows, one)) == 2


def test_values_of_attributes_of_every_kind_are_slices() -> None:
    declared = [
        Attribute(name="text", side="post", kind="vector", length=2),
        Attribute(name="colour", side="post", kind="vocabulary", words=("red", "blue")),
        Attribute(name="length", side="post", kind="bucketized", boundaries=(10,)),
        Attribute(name="price", side="post", kind="raw"),
        Attribute(name="tags", side="post", kind="sequence", words=("a", "b"), length=2),
    ]
    values = np.array(
        [[9, 9, 2, 1, 0.5, 2, 3], [9, 8, 3, 2, 1.5, 3, 0], [7, 9, 1, 0, np.nan, 0, 0]], np.float32
    )
    found = dict(slices._of_attributes(declared, values, most=8))
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "colour other": [False, False, True],
        "colour red": [True, False, False],
        "colour blue": [False, True, False],
        "length -inf to 10": [True, False, False],
        "length 10 to inf": [False, True, False],
        "price of 1 or less": [True, False, False],
        "price above 1": [False, True, False],
        "tags a": [True, False, False],
        "tags b": [True, True, False],
    }
