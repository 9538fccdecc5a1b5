"""Inputs of a wrong shape are named; without the check they would be spread or padded."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.inference.input_shapes import Part, check_inputs
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from tests.phoenix.model_inputs import ATTRIBUTES, example, ranker, trunk

EVERY: tuple[Part, ...] = ("context", "posts", "candidates")
CONFIG = ranker(  # 3 users, S 6, C 5
    has_post_age=True, has_dwell=True, attributes=ATTRIBUTES, has_counts=True
)


@pytest.mark.parametrize(
    ("field", "shape"),
    [
        ("user_hashes", (3,)),
        ("user_hashes", (3, 3)),
        ("history_post_hashes", (1, 6, 2)),
        ("history_actions", (3, 1, 3)),
        ("history_actions", (3, 6, 4)),
        ("history_product_surface", (3, 1)),
        ("history_post_age_minutes", (3, 1)),
        ("history_dwell_seconds", (1, 6)),
        ("user_attributes", (3, 9)),
        ("history_attributes", (3, 1, 5)),
        ("user_embeddings", (1, 2, 16)),
        ("history_author_embeddings", (3, 1, 2, 16)),
        ("history_post_embeddings", (3, 6, 2, 8)),
        ("candidate_post_hashes", (1, 5, 2)),
        ("candidate_product_surface", (3, 1)),
        ("candidate_post_age_minutes", (3, 5, 1)),
        ("candidate_attributes", (1, 5, 5)),
        ("candidate_log_odds", (3, 5, 7, 4)),
        ("candidate_log_odds", (3, 5, 6, 3)),
        ("candidate_log_counts", (3, 5, 1)),
        ("candidate_post_embeddings", (3, 4, 2, 16)),
        ("candidate_author_embeddings", (3, 5, 1, 16)),
    ],
)
def test_a_field_of_another_shape_is_named(field: str, shape: tuple[int, ...]) -> None:
    batch, embeddings = example(CONFIG)
    check_inputs(CONFIG, batch, embeddings, *EVERY)
    if field.endswith("embeddings"):
        embeddings = dataclasses.replace(embeddings, **{field: np.zeros(shape, int)})
    else:
        batch = batch._replace(**{field: np.zeros(shape, int)})
    with pytest.raises(ValueError, match=rf"{field}`: expected .*, got \[{shape[0]}"):
        check_inputs(CONFIG, batch, embeddings, *EVERY)


def test_a_missing_field_is_named() -> None:
    batch, embeddings = example(CONFIG)
    batch = batch._replace(history_dwell_seconds=None)
    with pytest.raises(ValueError, match=r"dwell_seconds`: expected .*\[3, 6\], got None"):
        check_inputs(CONFIG, batch, embeddings, *EVERY)


@pytest.mark.parametrize("value", [2**32, -1, 0.5])
def test_a_hash_that_is_no_row_is_named(value: float) -> None:
    batch, embeddings = example(CONFIG)
    hashes = np.asarray(batch.candidate_post_hashes).astype(type(value))
    hashes[0, 1, 0] = value
    batch = batch._replace(candidate_post_hashes=hashes)
    with pytest.raises(
        ValueError, match=r"candidate_post_hashes`: expected .*, got (4294967296|-1|float64)"
    ):
        check_inputs(CONFIG, batch, embeddings, *EVERY)


@pytest.mark.parametrize("field", ["user_embeddings", "history_actions", "user_hashes"])
@pytest.mark.parametrize("kind", [">f4", ">i4", "c8", "U3", object])
def test_what_jax_would_read_as_other_numbers_is_named(field: str, kind: Any) -> None:
    batch, embeddings = example(CONFIG)
    inputs = batch if hasattr(batch, field) else embeddings
    array = np.asarray(getattr(inputs, field)).astype(kind)
    if inputs is batch:
        batch = batch._replace(**{field: array})
    else:
        embeddings = dataclasses.replace(embeddings, **{field: array})
    with pytest.raises(ValueError, match=rf"{field}`: expected real numbers .*, got dtype"):
        check_inputs(CONFIG, batch, embeddings, *EVERY)


def test_a_list_is_named() -> None:
    batch, embeddings = example(CONFIG)
    batch = batch._replace(user_hashes=np.asarray(batch.user_hashes).tolist())
    with pytest.raises(ValueError, match="user_hashes`: expected an array, got a list"):
        check_inputs(CONFIG, batch, embeddings, *EVERY)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float16, np.float64, np.uint8, bool])
def test_every_native_number_is_taken(dtype: Any) -> None:
    batch, embeddings = example(CONFIG)
    rows = np.asarray(embeddings.user_embeddings).astype(dtype)
    for array in (rows, jnp.asarray(rows)):
        check_inputs(CONFIG, batch, dataclasses.replace(embeddings, user_embeddings=array), *EVERY)


def test_swapped_inputs_are_named() -> None:
    batch, embeddings = example(CONFIG)
    with pytest.raises(TypeError, match="Expected a RecsysBatch, got a RecsysEmbeddings"):
        check_inputs(CONFIG, embeddings, batch, *EVERY)


def test_what_is_not_read_may_have_any_shape() -> None:
    batch, embeddings = example(CONFIG)
    batch = batch._replace(candidate_product_surface=np.zeros(1), history_author_hashes=np.zeros(1))
    check_inputs(CONFIG, batch, embeddings, "context", "posts")


def test_counts_of_a_retrieval_model_have_its_shape() -> None:
    config = PhoenixRetrievalModelConfig(trunk(), 16, has_counts=True)
    batch, embeddings = example(config)
    check_inputs(config, batch, embeddings, "posts")
    for shape in ((3, 5, 5), (3, 4, 6)):
        changed = batch._replace(candidate_popularity=np.zeros(shape, np.float32))
        with pytest.raises(ValueError, match=r"candidate_popularity`: expected .*\[3, 5, 6\]"):
            check_inputs(config, changed, embeddings, "posts")
