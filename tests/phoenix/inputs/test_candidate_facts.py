"""What is known of a post beside its ids, as the candidate tower reads it."""

import dataclasses

import haiku as hk
import jax
import numpy as np
import pytest

from phoenix.data.attributes import Attribute, width
from phoenix.inputs.candidate_facts import CandidateFacts
from phoenix.inputs.event_vectors import post_age_bucket
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from tests.phoenix.model_inputs import example, trunk

ATTRIBUTES = (
    Attribute(name="hour", side="context", kind="raw"),
    Attribute(name="text", side="post", kind="vector", length=3),
    Attribute(name="size", side="post", kind="raw"),
)
CONFIG = PhoenixRetrievalModelConfig(
    trunk(), 16, attributes=ATTRIBUTES, has_post_age=True, has_candidate_facts=True
)
BATCH, _ = example(CONFIG)
VALUES = np.random.default_rng(0).normal(size=(*BATCH.candidate_post_hashes.shape[:2], 5))
BATCH = BATCH._replace(candidate_attributes=VALUES.astype(np.float32))


def model_of(config: PhoenixRetrievalModelConfig):
    return hk.without_apply_rng(hk.transform(lambda batch: CandidateFacts(config)(batch)))


def test_facts_are_the_projected_attributes_of_the_post_and_the_row_of_its_age() -> None:
    model = model_of(CONFIG)
    params = model.init(jax.random.key(0), BATCH)
    (own,) = params.values()
    values = VALUES.astype(np.float32)
    expected = values[..., :3] @ own["attribute_text_projection"]
    slope, offset = own["attribute_size_projection"]
    expected += values[..., 3:4] * slope + offset
    expected += own["post_age_embedding_table"][post_age_bucket(BATCH.candidate_post_age_minutes)]
    np.testing.assert_allclose(model.apply(params, BATCH), expected, rtol=1e-5, atol=1e-6)


def test_the_context_of_an_impression_is_no_fact_of_its_post() -> None:
    model = model_of(CONFIG)
    params = model.init(jax.random.key(0), BATCH)
    of_posts = width(CONFIG.attributes_of_posts)
    without = BATCH._replace(candidate_attributes=BATCH.candidate_attributes[..., :of_posts])
    np.testing.assert_array_equal(model.apply(params, without), model.apply(params, BATCH))


def test_a_post_without_content_is_where_its_other_facts_are() -> None:
    config = dataclasses.replace(CONFIG, attributes=ATTRIBUTES[:2], has_post_age=False)
    nothing = np.full_like(VALUES[..., :3], np.nan, np.float32)
    batch = BATCH._replace(candidate_attributes=nothing)
    model = model_of(config)
    assert not np.any(model.apply(model.init(jax.random.key(0), batch), batch))


@pytest.mark.parametrize("field", ["candidate_attributes", "candidate_post_age_minutes"])
def test_a_batch_without_facts_is_refused(field) -> None:
    model = model_of(CONFIG)
    with pytest.raises(ValueError, match=f"{field}`: expected an array"):
        model.init(jax.random.key(0), BATCH._replace(**{field: None}))
