"""Claims about what a run learns, and that next items are learned by the one trainer."""

import dataclasses

import numpy as np
import pytest

from phoenix.batches import InMemoryWindows
from phoenix.config import ConfigError
from phoenix.grok import TransformerConfig
from phoenix.inputs import HashConfig
from phoenix.leave_one_out import Events, catalogue_hashes, hit_rate, split, target_ranks
from phoenix.next_item import NextItemConfig
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.train_config import TrainConfig
from phoenix.train_task import task_of
from phoenix.training import TrainRunner
from tests.phoenix.planted import ACTIONS, RANKER, RETRIEVAL, SPEC, world

NUM_POSTS = 20
TRUNK = TransformerConfig(32, 16, 2, 2, 1, attn_output_multiplier=0.25, dropout_rate=0.1)
CONFIG = PhoenixRetrievalModelConfig(
    TRUNK,
    32,
    hash_config=HashConfig(1, 1, 1),
    candidate_tower="mean",
    user_pooling="last",
    similarity="product",
)


def task(model_config, **options):
    return task_of(
        model_config,
        TrainConfig(**options),
        hash_spec=SPEC,
        actions=ACTIONS,
        source=InMemoryWindows(world(4).windows),
        num_train=4,
    )


def test_a_ranker_learns_no_next_items():
    with pytest.raises(ConfigError, match="None for a ranker"):
        task(RANKER, next_item=NextItemConfig())


def test_a_list_of_posts_cannot_be_cut_into_parts():
    with pytest.raises(ConfigError, match="accumulation_steps"):
        task(RETRIEVAL, next_item=NextItemConfig(), accumulation_steps=2)


@pytest.mark.parametrize("similarity", ["product", "cosine"])
def test_the_post_that_always_follows_is_found(similarity):
    starts = np.random.default_rng(0).integers(0, NUM_POSTS, 60)
    users = [
        Events((np.arange(start, start + 10) * 3 % NUM_POSTS) + 1, np.ones(10, np.uint64))
        for start in starts
    ]
    spec = catalogue_hashes(NUM_POSTS)
    parts = split(users, max_length=8, hash_spec=spec)
    model = (
        TrainRunner(
            model_config=dataclasses.replace(CONFIG, similarity=similarity),
            train_config=TrainConfig(batch_size=60, epochs=40, next_item=NextItemConfig()),
            hash_spec=spec,
            actions=("engaged",),
            source=InMemoryWindows(parts.train),
        )
        .run()
        .model
    )
    ranks = target_ranks(model, parts.test.windows, num_posts=NUM_POSTS)
    assert hit_rate(ranks, 1) > 0.9
