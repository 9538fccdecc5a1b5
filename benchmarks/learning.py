"""What the models learn of the synthetic world, against what there is to learn.

The configuration is that of `examples/synthetic.yaml`, with more impressions a day; the steps are
the real ones. Four days are learned from and the fifth is predicted. No ranker can expect a higher
AUC than the probabilities from which the actions were drawn, and no retriever much more recall than
that of the best posts by these probabilities.
"""

import datetime
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from benchmarks import pipeline
from benchmarks.measurement import Result
from components import contract
from components.evaluation.retrieval_contest import RetrievalContest
from components.features import shapes, windows_files
from components.release import eligible_posts
from components.run.context import Context
from components.settings.config import Config
from components.settings.loading import load
from components.settings.source import SyntheticSource
from components.store.artifacts import Store
from components.tables import data_files
from phoenix.data.population import WorldConfig
from phoenix.data.synthetic import World
from phoenix.data.windows import Windows, unpack_actions
from phoenix.metrics import ordering
from phoenix.recommend.recommender import PostInputs

_FREQUENT = 0.01  # Of the impressions; a rarer action has too few positives to measure its AUC.
_GOAL_AUC, _GOAL_RECALL = 0.97, 3


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much there is to learn from."""

    days: int = 4
    impressions_per_day: int = 100_000


def results(sizes: Sizes = Sizes()) -> Iterator[Result]:
    """Trains both models, evaluates them on the next day, and compares with the truth."""
    with tempfile.TemporaryDirectory() as folder:
        source = {"impressions_per_day": sizes.impressions_per_day}
        path = pipeline.configure(Path(folder), "synthetic", source)
        config = load(path)
        day = config.first_day + datetime.timedelta(days=sizes.days)
        pipeline.run_data_steps(path, config.first_day, day)
        for name in ("train_retrieval", "train_ranker", "evaluate_models"):
            pipeline.run_step(path, name, day)
        judged = _judged(config, day)
        truth = Truth.of(config, day)
        yield from _ranking(judged, truth)
        yield _retrieval(judged, truth)


@dataclass(frozen=True)
class _Judged:
    """A day on which the models were evaluated."""

    report: dict[str, Any]  # metrics.json of the step
    windows: Windows
    contest: RetrievalContest


def _judged(config: Config, day: datetime.date) -> _Judged:
    context = Context(contract.EVALUATE_MODELS, config, day, Store(config.store))
    spec = shapes.hash_spec(config.hashing)
    windows = windows_files.read_windows(context.read("build_features", day).folder, spec=spec)
    posts = context.read("validate_events", day).path(data_files.POSTS_FILE)
    collection = eligible_posts.collection_of(posts, config, day)
    text = context.read("evaluate_models", day).path("metrics.json").read_text(encoding="utf-8")
    return _Judged(json.loads(text), windows, RetrievalContest(config, windows, collection))


def _ranking(judged: _Judged, truth: "Truth") -> Iterator[Result]:
    ranker, popular = (judged.report["ranker"][name] for name in ("candidate", "most_popular"))
    shares = truth.shares(judged.windows)
    for action, share, best in zip(truth.actions, shares, truth.aucs(judged.windows), strict=True):
        if share < _FREQUENT:
            continue
        yield Result(
            name=f"learning_auc_{action}",
            ours=ranker["actions"][action]["auc"],
            peer=float(best),
            unit="AUC",
            note=f"of {ranker['impressions']:,} impressions, {share:.1%} with the action; peer: "
            "the probabilities from which actions were drawn; most popular: "
            f"{popular['actions'][action]['auc']:.4f}; the goal is {_GOAL_AUC}",
        )


def _retrieval(judged: _Judged, truth: "Truth") -> Result:
    metric, report = judged.contest.metric, judged.report["retrieval"]
    best = judged.contest.judge(truth).value
    popular = report["most_popular"][metric]
    assert best is not None
    return Result(
        name="learning_recall",
        ours=report["candidate"][metric],
        peer=popular,
        unit=metric,
        note=f"{report['candidate']['users']:,} users, {len(judged.contest.collection.post_ids):,} "
        f"posts; peer: most popular; random: {report['random'][metric]:.4f}; by the probabilities "
        f"from which likes were drawn: {best:.4f}, {best / popular:.2f} times most popular; the "
        f"goal is {_GOAL_RECALL} times",
    )


@dataclass(frozen=True)
class Truth:
    """The retriever that knows how likely everybody is to like every post, once it is shown."""

    world: World
    user_ids: np.ndarray  # [U] all who have joined
    is_positive: np.ndarray  # [A] bool: the actions of which a like has at least one
    name: ClassVar[str] = "truth"

    @classmethod
    def of(cls, config: Config, day: datetime.date) -> "Truth":
        """The truth about the world of a configuration by the end of `day`."""
        source = config.ingest_events.source
        assert isinstance(source, SyntheticSource)
        sizes = source.model_dump(exclude={"layout"})
        actions = config.action_names
        world = World(WorldConfig(first_day=config.first_day, actions=actions, **sizes))
        is_positive = np.array([action.is_positive for action in config.actions])
        return cls(world, world.population.users(day).user_ids, is_positive)

    @property
    def actions(self) -> tuple[str, ...]:
        """The names of the A actions."""
        return self.world.config.actions

    def shares(self, windows: Windows) -> np.ndarray:
        """`[A]` share of the impressions of `windows` that have each action."""
        labels = windows.labels[windows.candidate_mask]
        return unpack_actions(labels, len(self.actions)).mean(axis=0)

    def aucs(self, windows: Windows) -> np.ndarray:
        """`[A]` AUC of the true probabilities over all impressions of `windows`."""
        exists = windows.candidate_mask
        users = np.broadcast_to(windows.user_ids[:, None], exists.shape)[exists]
        predicted = self.world.true_probabilities(users, windows.candidate_post_ids[exists])
        done = unpack_actions(windows.labels[exists], len(self.actions))
        return np.array([ordering.auc(*pair) for pair in zip(done.T, predicted.T, strict=True)])

    def encode_users(self, windows: Windows) -> np.ndarray:
        """`[N, U]` float32: a 1 at the user's own place."""
        return (windows.user_ids[:, None] == self.user_ids).astype(np.float32)

    def encode_posts(
        self, post_ids: np.ndarray, author_ids: np.ndarray, inputs: PostInputs | None = None
    ) -> np.ndarray:
        """`[M, U]` float32: how likely each user is to like each post."""
        del author_ids, inputs
        vectors = np.empty((len(post_ids), len(self.user_ids)), np.float32)
        for place, user in enumerate(self.user_ids):
            chances = self.world.true_probabilities(np.full(len(post_ids), user), post_ids)
            vectors[:, place] = 1 - np.prod(1 - chances[:, self.is_positive], axis=1)
        return vectors
