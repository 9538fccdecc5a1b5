"""What attributes mean, and that models read exactly that."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.config import ConfigError
from phoenix.data import attributes
from phoenix.data.attributes import Attribute
from tests.phoenix.model_inputs import ATTRIBUTES

finite = st.integers(-5, 5).map(float)  # few, so that many are on a boundary
AGE = Attribute(name="age", side="user", kind="bucketized", boundaries=(18, 65))
DEGREE = Attribute(name="degree", side="user", kind="vocabulary", words=("low", "high"))
HEIGHT = Attribute(name="height", side="post", kind="raw", scale=2)


@settings(deadline=None)
@given(st.lists(finite, min_size=1, max_size=6, unique=True), st.lists(finite, max_size=20))
def test_a_bucket_is_the_number_of_boundaries_that_are_not_above(
    boundaries: list[float], numbers: list[float]
) -> None:
    attribute = Attribute(
        name="a", side="post", kind="bucketized", boundaries=tuple(sorted(boundaries))
    )
    expected = [1 + sum(boundary <= number for boundary in boundaries) for number in numbers]
    assert attribute.of_numbers(np.array(numbers)).tolist() == expected
    assert all(0 < code < attribute.table_size for code in expected)


def test_missing_values_are_told_apart_from_all_others() -> None:
    assert AGE.of_numbers(np.array([np.nan, -1e9])).tolist() == [0, 1]
    assert DEGREE.of_places(np.array([-2, -1, 0])).tolist() == [0, 1, 2]
    np.testing.assert_array_equal(HEIGHT.of_numbers(np.array([np.nan, 3])), [np.nan, 1.5])
    np.testing.assert_array_equal(
        attributes.nothing((AGE, HEIGHT, DEGREE, ATTRIBUTES[0])), [0, np.nan, 0, 0, 0, 0]
    )


def test_a_default_stands_for_what_is_missing_and_for_what_is_no_word() -> None:
    young, low, small = (
        dataclasses.replace(attribute, default=default)
        for attribute, default in ((AGE, 3.0), (DEGREE, "low"), (HEIGHT, 5))
    )
    assert young.of_numbers(np.array([np.nan, 70])).tolist() == [1, 3]
    assert low.of_places(np.array([-2, -1, 0, 1])).tolist() == [2, 2, 2, 3]
    assert small.of_numbers(np.array([np.nan])).tolist() == [2.5]
    assert attributes.nothing((young, low, small)).tolist() == [1, 2, 2.5]


@settings(deadline=None)
@given(st.lists(st.integers(1, 2**63 - 1), max_size=20), st.integers(2, 1000))
def test_ids_have_rows_of_the_table_and_nothing_has_row_0(ids: list[int], rows: int) -> None:
    attribute = Attribute(name="a", side="post", kind="id", num_rows=rows)
    codes = attribute.of_ids(np.array([*ids, 0]))
    assert codes[-1] == 0
    assert all(0 < code < rows for code in codes[:-1])


WRONG = [
    ({"name": "a b"}, "Attribute.a b.name"),
    ({"side": "author"}, "one of 'user', 'post', 'context'"),
    ({"kind": "text"}, "one of 'id', 'raw', 'bucketized', 'vocabulary', 'sequence', 'vector'"),
    ({"boundaries": (2, 1)}, "ascending numbers"),
    ({"boundaries": (1, 1)}, "ascending numbers"),
    ({"boundaries": (1, float("nan"))}, "all finite"),
    ({"boundaries": ("1",)}, "all finite"),
    ({"boundaries": 5}, "all finite"),
    ({"length": 2}, "1, unless the kind is 'sequence' or 'vector'"),
    ({"kind": "vocabulary", "boundaries": (), "words": "xy"}, "a list of strings"),
    ({"kind": "vocabulary", "boundaries": (), "words": (1, 2)}, "a list of strings"),
    ({"name": 3}, "a name of letters"),
    ({"boundaries": ()}, "what fits the kind 'bucketized'"),
    ({"words": ("x",)}, "what fits the kind 'bucketized'"),
    ({"num_rows": 7}, "of a hashed kind"),
    ({"kind": "id", "boundaries": (), "num_rows": 1}, "2 to 16,777,215"),
    ({"kind": "id", "boundaries": (), "num_rows": 1 << 24}, "2 to 16,777,215"),
    ({"kind": "vocabulary", "boundaries": (), "words": ("x", "x")}, "words that differ"),
    ({"kind": "vocabulary", "boundaries": (), "words": ("x",), "default": "y"}, "one of the words"),
    ({"kind": "sequence", "boundaries": (), "words": ("x",), "length": 0}, "an integer >= 1"),
    ({"default": "18"}, "a finite number"),
    ({"default": float("nan")}, "a finite number"),
    ({"scale": 0.0}, "a number above 0"),
    ({"scale": "2"}, "a number above 0"),
    ({"scale": float("inf")}, "a number above 0"),
]


@pytest.mark.parametrize(("change", "words"), WRONG)
def test_a_declaration_that_says_nothing_clear_is_refused(change: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        dataclasses.replace(AGE, **change)


def test_declarations_survive_json_and_their_digest_tells_them_apart() -> None:
    written = json.loads(json.dumps(attributes.declaration(ATTRIBUTES)))
    assert tuple(map(Attribute.from_dict, written["declared"])) == ATTRIBUTES
    assert written["digest"] == attributes.digest(ATTRIBUTES)
    others = [ATTRIBUTES[::-1], ATTRIBUTES[:-1], (*ATTRIBUTES[:-1], DEGREE), ()]
    others += [
        (dataclasses.replace(AGE, **change),)
        for change in ({}, {"boundaries": (18, 66)}, {"default": 1}, {"side": "post"})
    ]
    assert len({attributes.digest(each) for each in (ATTRIBUTES, *others)}) == 1 + len(others)


def test_sides_keep_their_order() -> None:
    names = [each.name for each in attributes.of_side(ATTRIBUTES, "post", "context")]
    assert names == ["tags", "music", "hour"]


TEXT = Attribute(name="text", side="post", kind="vector", length=3)


def test_vectors_say_by_their_direction_and_what_is_none_is_missing() -> None:
    vectors = np.random.default_rng(0).normal(size=(5, 3)) * [[1e-30], [1e-3], [1], [1e3], [1e30]]
    values = TEXT.of_vectors(vectors)
    np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(values, TEXT.of_vectors(vectors * 7), rtol=1e-5)
    for wrong in ([0, 0, 0], [1, np.nan, 0], [1, np.inf, 0]):
        assert np.isnan(TEXT.of_vectors(np.array([wrong], float))).all()
    assert np.isnan(TEXT.nothing).all()
    assert attributes.width([TEXT, AGE]) == 4
