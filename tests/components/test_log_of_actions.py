"""A log that says what users did, and never what they passed over: its ranker is told by draws."""

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import contract
from components.contract import STEPS, ExitCode
from components.features import day_counts, shapes, windows_files
from components.features.negatives import day_posts
from components.release import models
from components.run.context import Context
from components.serving.why import why
from components.settings.loading import load
from components.store.artifacts import Store
from phoenix.data.negatives.drawn_posts import DrawnPosts
from phoenix.data.windows import Windows
from tests.components.test_changing_actions import Deployment

DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")
LAST, NEXT = DAYS[-1], "2026-03-04"
NUM_USERS, NUM_ITEMS, NUM_TOPICS = 100, 80, 4
DATA_STEPS = ("ingest_events", "validate_events", "build_features")
_CONFIG = """
store: store
first_day: 2026-03-01
ingest_events:
  source:
    layout: columns
    events: log/events.csv
    rows: actions
    event_columns: {user_id: visitorid, post_id: itemid, author_id: itemid, shown_at: timestamp}
    time_unit: ms
actions:
  - {name: view, column: event, values: [view], weight: 1, is_positive: true}
  - {name: cart, column: event, values: [addtocart], weight: 2, is_positive: true}
  - {name: purchase, column: event, values: [transaction], weight: 3, is_positive: true}
attributes:
  posts: {files: log/items.csv, id: itemid}
  declared:
    - {name: topic, side: post, column: topic, kind: vocabulary, words: ["0", "1", "2", "3"]}
hashing: {user_rows: 1000, post_rows: 1000, author_rows: 1000}
build_features: {history_length: 16, num_candidates: 4}
train_retrieval: {min_windows: 1000000}
train_ranker:
  model: {emb_size: 16, num_layers: 1, num_heads: 2, key_size: 8, factorization: true}
  min_windows: 10
  batch_size: 32
  epochs: 6
  learning_rate: 0.003
  negatives: {drawn_per_window: auto}
evaluate_models: {min_users: 20, retrieval_k: 10}
materialize_feeds: {num_retrieved: 40, feed_length: 5, seen_days: 1, num_shards: 1}
publish_feeds: {min_coverage: 0.1}
"""


def write_log(root: Path) -> None:
    """Writes views, carts and transactions of a shop, in which users keep to a topic of theirs."""
    draw = np.random.default_rng(5)
    lines = ["timestamp,visitorid,event,itemid,transactionid"]
    for number, day in enumerate((*DAYS, NEXT)):
        start = int(np.datetime64(day, "ms").astype(int))
        for user in range(1, NUM_USERS + 1):
            for hour in draw.permutation(24)[:5].tolist():
                for minute in range(2):
                    own = draw.random() < 0.9
                    topic = user % NUM_TOPICS if own else draw.integers(NUM_TOPICS)
                    # The squares prefer some items; every item is seen by somebody on any day.
                    place = int(NUM_ITEMS / NUM_TOPICS * draw.random() ** 1.5)
                    item = 1 + int(topic) + NUM_TOPICS * place
                    time = start + hour * 3_600_000 + minute * 600_000 + user
                    lines.append(f"{time},{user},view,{item},")
                    if draw.random() < 0.2:
                        lines.append(f"{time + 30_000},{user},addtocart,{item},")
                        lines.append(f"{time + 60_000},{user},transaction,{item},{number}")
    (root / "log").mkdir(parents=True)
    (root / "log" / "events.csv").write_text("\n".join(lines) + "\n")
    items = [f"{item},{(item - 1) % NUM_TOPICS}" for item in range(1, NUM_ITEMS + 1)]
    (root / "log" / "items.csv").write_text("\n".join(["itemid,topic", *items]) + "\n")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Three days of features; a ranker was trained with what was drawn, and judged on the last."""
    root = tmp_path_factory.mktemp("shop")
    write_log(root)
    (root / "phoenix.yaml").write_text(_CONFIG)
    deployment = Deployment(root)
    for day in DAYS:
        deployment.run_all(day, DATA_STEPS)
    deployment.run_all(LAST, ("train_retrieval", "train_ranker", "evaluate_models"))
    return deployment


def judged(deployment: Deployment) -> dict[str, Any]:
    """The metrics of rankers on the last day, by name."""
    path = deployment.artifact("evaluate_models", LAST).path("metrics.json")
    return json.loads(path.read_text())["ranker"]


def test_the_decision_to_draw_is_in_the_artifact(shop) -> None:
    facts = shop.artifact("train_ranker", LAST).facts["negatives"]
    assert facts["drawn_per_window"] == 4
    assert facts["reason"].startswith("0 of 1")
    assert facts["reason"].endswith("impressions are without an action")
    assert "negatives" not in shop.artifact("train_retrieval", LAST).facts


def test_the_ranker_puts_what_users_came_to_do_above_what_was_drawn(shop) -> None:
    by_name = judged(shop)
    assert by_name["random"]["gauc"] == pytest.approx(0.5, abs=0.03)
    assert by_name["candidate"]["gauc"] > 0.8
    assert by_name["candidate"]["ndcg@5"] > 1.5 * by_name["random"]["ndcg@5"]


@pytest.fixture(scope="module")
def beside_drawn(shop) -> tuple[Windows, Windows]:
    """Windows of the last day, and the same with drawn posts."""
    config, store = load(shop.root / "phoenix.yaml"), Store(str(shop.root / "store"))
    context = Context(contract.EVALUATE_MODELS, config, datetime.date.fromisoformat(LAST), store)
    features = shop.artifact("build_features", LAST)
    spec = shapes.hash_spec(config.hashing)
    rates = day_counts.rates_before(features.folder, features.manifest, config)
    windows = windows_files.read_windows(features.folder, spec=spec, rates=rates).rows(slice(64))
    drawn = DrawnPosts(per_window=4, posts=day_posts.of_days(context, [features.ref]))
    return windows, drawn.added_to(windows, np.random.default_rng(1), spec)


def test_drawn_posts_have_the_attributes_that_the_store_knows_of_them(beside_drawn) -> None:
    windows, beside = beside_drawn
    first = windows.candidate_post_ids.shape[1]
    ids, attributes = beside.candidate_post_ids[:, first:], beside.candidate_attributes[:, first:]
    is_drawn = ids != 0
    assert is_drawn.mean() > 0.5
    topics = (ids[is_drawn] - 1) % NUM_TOPICS
    of_topic = {tuple(row) for row in zip(topics, *attributes[is_drawn].T.tolist(), strict=True)}
    assert len(of_topic) == NUM_TOPICS, "each topic has its own values, and only those"
    real = {
        tuple(row)
        for row in zip(
            (windows.candidate_post_ids[windows.candidate_mask] - 1) % NUM_TOPICS,
            *windows.candidate_attributes[windows.candidate_mask].T.tolist(),
            strict=True,
        )
    }
    assert of_topic == real, "and they are those of candidates"


def test_no_candidate_is_moved_by_the_posts_drawn_beside_it(shop, beside_drawn) -> None:
    windows, beside = beside_drawn
    ranker = models.load_ranker(shop.artifact("train_ranker", LAST).path(models.MODEL))
    first = windows.candidate_post_ids.shape[1]
    is_real = beside.candidate_mask[:, :first]
    assert is_real.any()
    alone, found = ranker.predict(windows), ranker.predict(beside)[:, :first]
    np.testing.assert_allclose(found[is_real], alone[is_real], atol=2e-6)


def test_the_gate_says_what_it_compared(shop) -> None:
    decision = shop.artifact("evaluate_models", LAST).facts["ranker"]
    assert decision["choice"] == "candidate"
    (told,) = [each for each in decision["reasons"] if "drawn posts" in each]
    assert "without an action" in told


def test_the_log_reaches_feeds_of_what_users_like(shop) -> None:
    shop.run_all(LAST, tuple(STEPS)[tuple(STEPS).index("export_corpus") :])
    feeds = pq.read_table(shop.artifact("publish_feeds", LAST).paths("feeds.parquet"))
    assert len(np.unique(feeds["user_id"])) == NUM_USERS
    topics = (feeds["post_id"].to_numpy() - 1) % NUM_TOPICS
    assert (topics == feeds["user_id"].to_numpy() % NUM_TOPICS).mean() > 2 / NUM_TOPICS
    (reason,) = [
        each
        for each in why(
            Store(str(shop.root / "store")), load(shop.root / "phoenix.yaml"), *first_place(feeds)
        ).reasons
        if "drawn" in each
    ]
    assert "4 posts" in reason


@pytest.mark.slow
def test_the_next_training_goes_on_from_what_was_drawn_for(shop) -> None:
    # In order: the release of the day before is the one of the test above.
    assert shop.artifact("publish_release", LAST).facts["ranker"]["drawn_per_window"] == 4
    shop.run_all(NEXT, (*DATA_STEPS, "train_ranker"))
    facts = shop.artifact("train_ranker", NEXT).facts
    assert (facts["started_from"], facts["negatives"]["drawn_per_window"]) == (LAST, 4)


def first_place(feeds: pa.Table) -> tuple[str, str]:
    """The user and the post of the first row of some feeds."""
    return str(feeds["user_id"][0]), str(feeds["post_id"][0])


def test_the_same_ranker_without_draws_learned_no_order(shop) -> None:
    before = {step: shop.artifact(step, LAST).ref for step in (*DATA_STEPS, "train_retrieval")}
    drawn = judged(shop)["candidate"]["gauc"]
    path = shop.root / "phoenix.yaml"
    path.write_text(path.read_text().replace("drawn_per_window: auto", "drawn_per_window: 0"))
    for step in before:
        assert shop.run(step, LAST) == ExitCode.NOTHING_TO_DO
        assert shop.artifact(step, LAST).ref == before[step]
    shop.run_all(LAST, ("train_ranker", "evaluate_models"))
    facts = shop.artifact("train_ranker", LAST).facts["negatives"]
    assert facts == {"drawn_per_window": 0, "reason": "as configured"}
    # It is judged among drawn posts all the same, and could be promoted if it were better.
    assert judged(shop)["candidate"]["gauc"] < drawn - 0.2
