"""A world of news: posts live for two days, and of new ones nothing is known but their content.

Half of the posts that a day shows were written on it. Who likes what follows from the topics of
users and posts, and nothing else; an embedding of each post, its topics turned and blurred, is in
the log. Three days are learned from by the real steps, with the defaults alone. On the fourth, a
post of the day has to be found by its embedding, since nobody had seen it before.
"""

import dataclasses
import datetime
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import pipeline
from benchmarks.measurement import Result
from components import contract
from components.evaluation.contests import contests_of
from components.evaluation.entrants import most_popular
from components.evaluation.retrieval_contest import RetrievalContest
from components.features.later_labels import later_labels
from components.release import models
from components.run.context import Context
from components.settings.loading import load
from components.store.artifacts import Store
from phoenix.data.days import DAY_MS, midnight_ms
from phoenix.data.population import NUM_TOPICS, peaked_vectors
from phoenix.recommend.recommender import Retriever

FIRST_DAY = datetime.date(2026, 3, 2)
_LOG_ODDS, _TASTE = -2.5, 2.0  # of a like, and times the match of topics
_GOAL = 0.5  # times the recall of older posts


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many worlds are tried, and their days."""

    seeds: Sequence[int] = (1, 2)
    days: int = 4


def results(sizes: Sizes = Sizes()) -> Iterator[Result]:
    """Yields the recall of posts of the day beside older ones, and that with and without facts."""
    for seed in sizes.seeds:
        with tempfile.TemporaryDirectory() as folder:
            world = ContentWorld(seed=seed)
            yield from _results(world, world.write(Path(folder), sizes.days), sizes.days)


def _results(world: "ContentWorld", path: Path, num_days: int) -> Iterator[Result]:
    day = FIRST_DAY + datetime.timedelta(days=num_days - 1)
    pipeline.run_data_steps(path, FIRST_DAY, day)
    recalls = _recalls(path, day)
    text = path.read_text(encoding="utf-8")
    path.write_text(text + _BY_IDS_ALONE, encoding="utf-8")
    without = _recalls(path, day)
    note = (
        f"seed {world.seed}, {world.posts_per_day} new posts a day, of which each lives for two; "
        f"most popular: {recalls['popular']:.4f}"
    )
    yield Result(
        name="content_world_new_posts",
        ours=recalls["new"],
        peer=recalls["old"],
        unit="recall@100",
        note=f"peer: posts of the day before; the goal is {_GOAL} times; {note}",
    )
    yield Result(
        name="content_world",
        ours=recalls["all"],
        peer=without["all"],
        unit="recall@100",
        note=f"peer: candidates by their ids alone, new posts {without['new']:.4f}; {note}",
    )


def _recalls(path: Path, day: datetime.date) -> dict[str, float]:
    """Recall of the model that is trained for a day: of all likes, of new and of older posts."""
    pipeline.run_step(path, contract.TRAIN_RETRIEVAL.name, day)
    config = load(path)
    context = Context(contract.EVALUATE_MODELS, config, day, Store(config.store))
    model = models.load_retriever(
        context.read(contract.TRAIN_RETRIEVAL.name, day).path(models.MODEL)
    )
    yesterday = context.read(contract.BUILD_FEATURES.name, day - datetime.timedelta(days=1))
    features, validated = (
        context.read(step.name, day) for step in (contract.BUILD_FEATURES, contract.VALIDATE_EVENTS)
    )
    labels = later_labels(context, [day], through=day)
    contest = contests_of(context, features, validated, labels)["retrieval"]
    assert isinstance(contest, RetrievalContest)
    windows = contest.windows

    def recall(retriever: Retriever, *, is_liked: np.ndarray) -> float:
        """Returns the recall where the likes are these alone."""
        own = windows._replace(labels=windows.labels * is_liked)
        value = dataclasses.replace(contest, windows=own).judge(retriever).value
        assert value is not None
        return value

    is_new = windows.candidate_created_at >= midnight_ms(day)
    return {
        "all": recall(model, is_liked=np.ones_like(is_new)),
        "new": recall(model, is_liked=is_new),
        "old": recall(model, is_liked=~is_new),
        "popular": recall(most_popular(context, yesterday.ref), is_liked=np.ones_like(is_new)),
    }


@dataclass(frozen=True, kw_only=True)
class ContentWorld:
    """The sizes of a world, and its seed."""

    seed: int
    users: int = 800
    posts_per_day: int = 400
    rows_per_day: int = 20_000
    length: int = 32  # of the embedding of a post
    noise: float = 0.1  # standard deviation of each of its numbers

    def write(self, folder: Path, num_days: int) -> Path:
        """Writes Parquet files and a configuration without settings of models; returns its path."""
        random = np.random.default_rng(self.seed)
        tastes = peaked_vectors(random, self.users)
        topics = peaked_vectors(random, num_days * self.posts_per_day + self.posts_per_day)
        # The posts of the day before the first one are old on it.
        born = np.arange(len(topics)) // self.posts_per_day - 1
        written = midnight_ms(FIRST_DAY) + born * DAY_MS
        written += np.sort(random.integers(DAY_MS, size=(num_days + 1, self.posts_per_day))).ravel()
        turn = np.linalg.qr(random.normal(size=(self.length, NUM_TOPICS)))[0].T
        embeddings = topics @ turn + random.normal(
            scale=self.noise, size=(len(topics), self.length)
        )
        ids = 1000 + random.permutation(len(topics))
        folder.mkdir(parents=True, exist_ok=True)
        _write(
            folder / "posts.parquet",
            post=ids,
            author=ids,
            written=written,
            text=pa.FixedSizeListArray.from_arrays(
                embeddings.astype(np.float32).ravel(), self.length
            ),
        )
        for number in range(num_days):
            users = random.integers(self.users, size=self.rows_per_day)
            at = midnight_ms(FIRST_DAY) + number * DAY_MS + random.integers(DAY_MS, size=len(users))
            # Those of the day before, and of the day what there is already.
            first = number * self.posts_per_day
            number_of_posts = np.searchsorted(written, at) - first
            posts = first + (random.random(len(users)) * number_of_posts).astype(np.int64)
            match = 2 * np.einsum("nk,nk->n", tastes[users], topics[posts])
            liked = random.random(len(users)) < 1 / (1 + np.exp(-_LOG_ODDS - _TASTE * match))
            day = FIRST_DAY + datetime.timedelta(days=number)
            _write(folder / f"{day}.parquet", user=1 + users, post=ids[posts], at=at, liked=liked)
        path = folder / "phoenix.yaml"
        path.write_text(_CONFIGURATION.format(length=self.length), encoding="utf-8")
        return path


def _write(path: Path, **columns: np.ndarray | pa.Array) -> None:
    pq.write_table(pa.table(columns), path)


_CONFIGURATION = f"""
store: store
first_day: {FIRST_DAY}
ingest_events:
  source:
    layout: columns
    events: "{{{{day}}}}.parquet"
    posts: posts.parquet
    event_columns: {{{{user_id: user, post_id: post, shown_at: at}}}}
    post_columns: {{{{post_id: post, author_id: author, created_at: written}}}}
attributes:
  posts: {{{{files: posts.parquet, id: post, known_at: written}}}}
  declared:
    - {{{{name: text, side: post, column: text, kind: vector, length: {{length}}}}}}
actions:
  - {{{{name: favorite, column: liked, is_positive: true}}}}
export_corpus: {{{{max_age_days: 2}}}}
"""
_BY_IDS_ALONE = """
train_retrieval: {model: {candidate_facts: false}}
"""
