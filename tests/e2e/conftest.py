"""One small deployment, run by a real Airflow, for all end-to-end tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.cli import demo
from components.local.airflow import LocalAirflow
from components.local.deployment import Deployment

DAYS = ("2026-01-01", "2026-01-02")

# Small enough for two days in a minute, large enough for a model to be trained on the second.
CONFIG = """
store: store
first_day: 2026-01-01
seed: 1
ingest_events:
  source:
    layout: synthetic
    num_users: 60
    num_authors: 20
    num_posts: 200
    num_posts_per_day: 10
    impressions_per_day: 1200
actions:
  - {name: favorite, is_positive: true}
  - {name: reply, is_positive: true}
  - {name: not_interested}
hashing: {user_rows: 200, post_rows: 400, author_rows: 100}
build_features: {history_length: 8, num_candidates: 4}
train_retrieval: &training
  min_windows: 50
  epochs: 1
  batch_size: 64
  model: {emb_size: 16, num_layers: 1, num_heads: 1, key_size: 16}
train_ranker: *training
materialize_feeds: {num_shards: 2, num_retrieved: 30, feed_length: 5}
"""


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment whose two days were backfilled, with its Airflow still running."""
    root = tmp_path_factory.mktemp("deployments")
    made = Deployment(root / "synthetic")
    made.folder.mkdir()
    made.config.write_text(CONFIG)  # the demonstration keeps a configuration that is there
    try:
        demo.run_demo(num_days=len(DAYS), keep_running=True, root=root)
        yield made
    finally:
        LocalAirflow(made).stop()


@pytest.fixture(scope="session")
def airflow(deployment: Deployment) -> LocalAirflow:
    """The running Airflow of the deployment."""
    return LocalAirflow(deployment)


@pytest.fixture(scope="session")
def root(deployment: Deployment) -> Path:
    """The folder that holds the deployment."""
    return deployment.folder.parent
