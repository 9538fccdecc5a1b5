"""A tiny world in which users like the posts of their own topic; and how to train on it.

Run as a program it trains the ranker and saves it, so that a test can kill it:
`python -m tests.phoenix.planted STATES MODEL`.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from phoenix.data.engagement.popularity import PopularityByDay
from phoenix.data.engagement.rates import Rates
from phoenix.data.hashing import HashSpec
from phoenix.data.window_source import InMemoryWindows
from phoenix.data.windows import Windows
from phoenix.embedding import initial_tables, lookup
from phoenix.grok import TransformerConfig
from phoenix.inputs.model_inputs import model_inputs
from phoenix.recommend.checkpoint import save_model
from phoenix.recommend.trained import trained_model
from phoenix.recsys_model import PhoenixModelConfig
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.train.config import RankerTrainConfig, RetrievalTrainConfig, TrainConfig
from phoenix.train.loss_config import RankingLossConfig
from phoenix.train.objectives.by_model import objective_of
from phoenix.train.runner import TrainRunner

ACTIONS = ("like", "hide")
SPEC = HashSpec.documented(user_rows=1000, post_rows=800, author_rows=300)
NUM_USERS, NUM_POSTS, NUM_AUTHORS = 200, 100, 20
TRUNK = TransformerConfig(32, 16, 2, 2, 1, widening_factor=2, attn_output_multiplier=0.25)
RANKER = PhoenixModelConfig(TRUNK, 32, len(ACTIONS))
RETRIEVAL = PhoenixRetrievalModelConfig(TRUNK, 32)
OWN_TOPIC_RATE, OTHER_TOPIC_RATE = 0.7, 0.1


class World(NamedTuple):
    windows: Windows
    user_topics: np.ndarray  # [NUM_USERS + 1]
    post_topics: np.ndarray  # [NUM_POSTS + 1]


def author_of(post_ids):
    return np.where(post_ids == 0, 0, post_ids % NUM_AUTHORS + 1)


def world(num_windows, *, seed=0, num_history=6, num_candidates=8) -> World:
    """Topics are equal for all seeds; action 0 is a like, action 1 never happens."""
    topics = np.random.default_rng(7)
    user_topics = topics.integers(0, 4, NUM_USERS + 1)
    post_topics = topics.integers(0, 4, NUM_POSTS + 1)
    draw = np.random.default_rng(seed)
    users = draw.integers(1, NUM_USERS + 1, num_windows)

    def posts_and_likes(width):
        # Squared, so that some posts are shown far more often than others.
        posts = 1 + (NUM_POSTS * draw.random((num_windows, width)) ** 2).astype(np.int64)
        is_own = user_topics[users][:, None] == post_topics[posts]
        rate = np.where(is_own, OWN_TOPIC_RATE, OTHER_TOPIC_RATE)
        return posts, (draw.random(posts.shape) < rate).astype(np.uint64)

    history, history_likes = posts_and_likes(num_history)
    lengths = draw.integers(0, num_history + 1, num_windows)
    exists = np.arange(num_history) < lengths[:, None]
    history, history_likes = history * exists, history_likes * exists.astype(np.uint64)
    candidates, likes = posts_and_likes(num_candidates)

    def zeros(width, dtype):
        return np.zeros((num_windows, width), dtype)

    windows = Windows(
        user_ids=users,
        starts_at=np.full(num_windows, 10, np.int64),
        user_hashes=SPEC.user.hash_ids(users),
        user_attributes=np.zeros((num_windows, 0), np.float32),
        history_post_ids=history,
        history_author_ids=author_of(history),
        history_post_hashes=SPEC.post.hash_ids(history),
        history_author_hashes=SPEC.author.hash_ids(author_of(history)),
        history_shown_at=exists.astype(np.int64),
        history_actions=history_likes,
        history_surfaces=zeros(num_history, np.int32),
        history_dwell_seconds=zeros(num_history, np.float32),
        history_created_at=zeros(num_history, np.int64),
        history_attributes=np.zeros((*history.shape, 0), np.float32),
        candidate_post_ids=candidates,
        candidate_author_ids=author_of(candidates),
        candidate_post_hashes=SPEC.post.hash_ids(candidates),
        candidate_author_hashes=SPEC.author.hash_ids(author_of(candidates)),
        candidate_shown_at=np.full(candidates.shape, 10, np.int64),
        candidate_surfaces=zeros(num_candidates, np.int32),
        candidate_created_at=zeros(num_candidates, np.int64),
        candidate_attributes=np.zeros((*candidates.shape, 0), np.float32),
        labels=likes,
        label_dwell_seconds=zeros(num_candidates, np.float32),
    )
    return World(windows, user_topics, post_topics)


def untrained(config, actions=ACTIONS, seed=0):
    """A model of `config` with its initial weights."""
    tables = initial_tables(SPEC, config.emb_size, 0)
    windows = world(2).windows
    if config.reads_evidence:
        windows = windows.with_evidence(Rates.none(len(actions)))
    if config.reads_popularity:
        ids = windows.candidate_post_ids, windows.candidate_author_ids
        popularity = PopularityByDay({}, np.ones(len(actions), bool)).at(windows.starts_at, *ids)
        windows = windows._replace(candidate_popularity=popularity)
    inputs = model_inputs(windows, actions, config)
    ranking = RankingLossConfig(
        dwell="squared_error" if getattr(config, "num_continuous", 0) else "none"
    )
    is_ranker = isinstance(config, PhoenixModelConfig)
    settings = train_config(config, losses=ranking) if is_ranker else train_config(config)
    if not is_ranker and "like" not in actions:
        settings = train_config(config, positive_actions=list(actions))
    objective = objective_of(config, actions, settings)
    params = objective.initial_params(seed, inputs, lookup(tables, inputs))
    return trained_model(config, params, tables, actions=actions, hash_spec=SPEC, seed=0)


def train_config(config, **options) -> TrainConfig:
    """How to train the model of `config`; of a part of it, options say what differs."""
    is_ranker = isinstance(config, PhoenixModelConfig)
    settings = RankerTrainConfig if is_ranker else RetrievalTrainConfig
    values = settings().to_dict()
    if not is_ranker:
        values["positive_actions"] = ["like"]
    for name, value in options.items():
        values[name] = {**values[name], **value} if isinstance(value, dict) else value
    return settings.from_dict(values)


def runner(config, windows, *, kind=TrainRunner, **options) -> TrainRunner:
    """A runner of a kind for `config`; `options` are fields of it, or as for `train_config`."""
    fields = {"start", "checkpoint_directory", "on_progress", "should_stop", "compute"}
    fields |= {"hash_spec", "actions", "source", "known_posts"}
    own = {name: options.pop(name) for name in fields & options.keys()}
    defaults = {
        "batch_size": 64,
        "learning_rate": 2e-3,
        "weight_decay": 1e-3,
    }
    parts = {"hash_spec": SPEC, "actions": ACTIONS, "source": InMemoryWindows(windows)}
    return kind(
        model_config=config,
        train_config=train_config(config, **{**defaults, **options}),
        **{**parts, **own},
    )


def main(states: Path | None, model: Path) -> None:
    result = runner(
        RANKER,
        world(1000).windows,
        epochs=4,
        seed=3,
        checkpoint_every_steps=3,
        curve={"every_steps": 5},
        checkpoint_directory=states,
    ).run()
    save_model(model, result.model)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1] != "none" else None, Path(sys.argv[2]))
