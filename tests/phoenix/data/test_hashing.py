"""Claims about the hashing of ids."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.data.hashing import (
    KINDS,
    HashSpec,
    HashTable,
    collision_report,
    repeated,
    row_keys,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "hashing.md"
SPEC = HashSpec.documented()
# Functions 0 and 1 of the public release: 100,000 rows, and 30,000 for authors.
PUBLIC_VECTORS = {
    "user": {
        1: [4710, 35698],
        12345: [35331, 41398],
        44196397: [71612, 12816],
        2013267655123456789: [61684, 79902],
    },
    "post": {1: [93148, 85286], 12345: [34242, 66319], 2013267655123456789: [38555, 51813]},
    "author": {1: [19096, 7498], 12345: [16045, 29444], 2013267655123456789: [29216, 28333]},
}


def slow_row(table: HashTable, x: int, j: int) -> int:
    wrapped = (x * table.scales[j] + table.biases[j] + 2**63) % 2**64 - 2**63
    return 0 if x == 0 else wrapped % table.modulus % (table.num_rows - 1) + 1


@pytest.mark.parametrize("kind", KINDS)
def test_public_vectors_are_reproduced(kind):
    for x, rows in PUBLIC_VECTORS[kind].items():
        assert getattr(SPEC, kind).hash_ids(np.array([x]))[0].tolist() == rows


def test_documented_golden_vectors_are_true():
    spec = HashSpec.documented(num_hashes=4)
    vectors = re.findall(r"\| (user|post|author) \| (-?\d+) \| ([\d, ]+) \|", DOCUMENT.read_text())
    assert len(vectors) == 16
    for kind, x, rows in vectors:
        actual = getattr(spec, kind).hash_ids(np.array([int(x)]))[0].tolist()
        assert actual == [int(row) for row in rows.split(",")], (kind, x)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20),
    st.integers(2, 631860354),
    st.sampled_from(KINDS),
)
def test_hash_matches_the_definition(ids, num_rows, kind):
    spec = HashSpec.documented(
        user_rows=num_rows, post_rows=num_rows, author_rows=num_rows, num_hashes=3
    )
    table = getattr(spec, kind)
    expected = [[slow_row(table, x, j) for j in range(3)] for x in ids]
    actual = table.hash_ids(np.array(ids, np.int64))
    np.testing.assert_array_equal(actual, np.array(expected, np.int32).reshape(-1, 3))


def test_rows_do_not_depend_on_the_shape_or_the_chunk_of_an_id():
    ids = np.random.default_rng(0).integers(0, 2**62, (3, 40_000))
    rows = SPEC.post.hash_ids(ids)
    assert rows.shape == (3, 40_000, 2)
    assert rows.dtype == np.int32
    np.testing.assert_array_equal(rows[2, 39_999], SPEC.post.hash_ids(ids[2, 39_999]))
    np.testing.assert_array_equal(rows[:, ::7], SPEC.post.hash_ids(ids[:, ::7]))


def test_only_id_zero_maps_to_the_padding_row():
    ids = np.arange(-5_000, 5_000)
    for table in (SPEC.user, SPEC.post, SPEC.author):
        rows = table.hash_ids(ids)
        np.testing.assert_array_equal(rows == 0, np.repeat(ids == 0, 2).reshape(-1, 2))
        assert rows.max() < table.num_rows


def test_specification_survives_json_and_keeps_its_digest():
    spec = HashSpec.documented(user_rows=7, num_hashes=3)
    copy = HashSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert copy == spec
    assert copy.digest() == spec.digest()
    assert HashSpec.documented(user_rows=8, num_hashes=3).digest() != spec.digest()


def test_specification_with_an_unknown_or_missing_field_is_refused():
    value = SPEC.to_dict()
    with pytest.raises(ValueError, match="author"):
        HashSpec.from_dict({kind: value[kind] for kind in ("user", "post")})
    value["user"]["seed"] = 1
    with pytest.raises(ValueError, match=r"table `user`: expected .*, got .*'seed'"):
        HashSpec.from_dict(value)
    with pytest.raises(ValueError, match=r"table `post`: expected the fields .*, got 5"):
        HashSpec.from_dict({**SPEC.to_dict(), "post": 5})
    with pytest.raises(ValueError, match=r"A hash specification: expected the fields .*, got None"):
        HashSpec.from_dict(None)


def test_table_that_its_modulus_cannot_fill_is_refused():
    with pytest.raises(ValueError, match="631860354"):
        HashSpec.documented(author_rows=631860355)
    with pytest.raises(ValueError, match="num_rows"):
        HashSpec.documented(user_rows=1)
    with pytest.raises(ValueError, match="num_hashes"):
        HashSpec.documented(num_hashes=0)
    with pytest.raises(ValueError, match="same length"):
        HashTable(num_rows=5, scales=(1, 2), biases=(1,), modulus=7)


@pytest.mark.parametrize("field", ["user_rows", "num_hashes"])
@pytest.mark.parametrize("value", [2.5, "5", None])
def test_a_size_that_is_no_integer_is_refused(field, value):
    with pytest.raises(ValueError, match=r"integer .* got "):
        HashSpec.documented(**{field: value})


@pytest.mark.parametrize("constant", [2.5, 2.0, True, "3", np.int64(3), 2**63])
@pytest.mark.parametrize("field", ["scales", "biases"])
def test_a_constant_that_is_no_integer_is_refused(field, constant):
    constants = {"scales": (3,), "biases": (1,)} | {field: (constant,)}
    with pytest.raises(ValueError, match="must be integers that fit int64, got"):
        HashTable(num_rows=5, **constants, modulus=7)


def test_ids_that_do_not_fit_int64_are_refused():
    with pytest.raises(TypeError, match="uint64"):
        SPEC.user.hash_ids(np.array([1], np.uint64))
    with pytest.raises(TypeError, match="float64"):
        SPEC.user.hash_ids(np.array([1.0]))


def test_collision_report_counts_what_the_table_confuses():
    table = HashTable(num_rows=4, scales=(1,), biases=(0,), modulus=1000)  # x % 3 + 1
    report = collision_report(np.array([0, 1, 1, 2, 4, 7]), table)
    assert (report.num_ids, report.num_keys) == (4, 2)
    assert report.num_rows_used == (2,)
    assert report.largest_load == (3,)
    assert report.expected_rows_used == pytest.approx(3 * (1 - (2 / 3) ** 4))


def test_two_functions_separate_more_ids_than_there_are_rows():
    ids = np.random.default_rng(1).integers(1, 2**62, 50_000)
    report = collision_report(ids, HashSpec.documented(post_rows=25_000).post)
    assert report.num_keys > 49_990
    for used in report.num_rows_used:
        assert used == pytest.approx(report.expected_rows_used, rel=0.02)


def test_of_rows_that_agree_in_all_columns_none_is_left_out():
    columns = np.random.default_rng(2).integers(-100, 100, (2, 3000))
    _, inverse, counts = np.unique(columns, axis=1, return_inverse=True, return_counts=True)
    expected = np.flatnonzero(counts[inverse.reshape(-1)] > 1)
    found = repeated(row_keys(*columns))
    assert np.isin(expected, found).all()
    assert np.all(np.diff(found) > 0)
    assert 0 < len(expected) <= len(found) < len(expected) + 30, "and few others"
