"""The numbers by which recommenders are compared on one day, slice by slice.

Rankers are asked for the impressions of the day: what would you have predicted, and in which order
would you have shown them? Retrievers are asked once per user, at the first window of the day, for
the best posts of the whole corpus that the user's history does not hold.

What a user gains from an impression is the sum of the weights of the actions that followed and
whose weight is positive: the part of the feed's own score that came true. Its order is what NDCG
asks for; the grouped AUC asks which impressions gained anything at all. An action that every
impression of the day has tells no two of them apart, and is left out.

Glossary of shapes:
  E: impressions, N: windows or users, A: actions.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from components.evaluation import slices as impression_slices
from components.settings.config import Config
from phoenix.data import sorted_ids
from phoenix.data.days import DAY_MS
from phoenix.data.windows import Windows, positive_bits, unpack_actions
from phoenix.metrics import by_user as user_metrics
from phoenix.metrics.by_user import RetrievalValues, UserValues
from phoenix.metrics.mergeable import Coverage
from phoenix.recommend import named_actions, scoring
from phoenix.recommend.baselines import Collection, Random
from phoenix.recommend.embedding_runner import EmbeddingRunner, NonFiniteOutputError
from phoenix.recommend.predict_runner import PredictRunner
from phoenix.recommend.recommender import Ranker, Retriever
from phoenix.search.exact import ExactIndex, Standing

SHORT_HISTORY = 8  # posts: fewer make a history short
_BINS = 10


class UserCalibration(NamedTuple):
    """Predictions and actions by user, as sums over impressions by their weights."""

    user_ids: np.ndarray  # [U] int64, sorted
    predicted: np.ndarray  # [U] float64
    observed: np.ndarray  # [U] float64
    weights: np.ndarray  # [U] float64, of the impressions

    def where(self, is_one: Callable[[np.ndarray], np.ndarray]) -> "UserCalibration":
        """Returns the sums of those users of whom a function of `[U]` ids says that they count."""
        rows = np.flatnonzero(is_one(self.user_ids))
        return UserCalibration(*(each[rows] for each in self))


@dataclass(frozen=True)
class Result:
    """The numbers of one model; every one in `report` is finite or None."""

    report: dict[str, Any]
    by_user: UserValues | None  # of the metric of the gate; None if the model gave no numbers
    # The same in slices, by their names.
    slices: Mapping[str, UserValues] = field(default_factory=dict)
    # Of actions that have a weight in the score.
    calibration: Mapping[str, UserCalibration] = field(default_factory=dict)
    # Grouped AUC of the score for actions of a weight below 0: the higher, the worse.
    negatives: Mapping[str, UserValues] = field(default_factory=dict)

    @property
    def value(self) -> float | None:
        """The metric of the gate."""
        return None if self.by_user is None else _finite(self.by_user.mean)

    def where(self, is_one: Callable[[np.ndarray], np.ndarray]) -> "Result":
        """Returns the result with the values of some users; the report stays that of all.

        Args:
          is_one: Says of `[N]` users whether they are among them, `[N]` bool.
        """
        if self.by_user is None:
            return self
        return replace(
            self,
            by_user=self.by_user.where(is_one),
            slices={name: each.where(is_one) for name, each in self.slices.items()},
            calibration={name: each.where(is_one) for name, each in self.calibration.items()},
            negatives={name: each.where(is_one) for name, each in self.negatives.items()},
        )


@dataclass(frozen=True)
class RankingContest:
    """The impressions of a day, and how to judge predictions for them."""

    config: Config
    windows: Windows
    drawn_per_window: int = 0  # the last candidates: posts that were drawn and never shown

    @property
    def metric(self) -> str:
        """The name of the metric of the gate, with its cut-off."""
        section = self.config.evaluate_models
        return "gauc" if section.ranking_metric == "gauc" else f"ndcg@{section.ranking_k}"

    @property
    def gaps(self) -> list[str]:
        """Sentences on the metrics that nobody can compute of these impressions; often none."""
        is_real = self.windows.candidate_mask
        if not is_real.any():
            return []
        if self.drawn_per_window:
            return [
                "the day has no impressions without an action: rankers are compared by how they "
                f"order its impressions among {self.drawn_per_window} drawn posts a window, and "
                "their probabilities are those of an action among these, not of the log"
            ]
        labels, is_labelled = self._labels
        gains = labels @ self._gain_weights
        k = self.config.evaluate_models.ranking_k
        sentences = [
            f"{action.name} is left out of the gain: every impression of the day has it"
            for action, weight in zip(self.config.actions, self._gain_weights, strict=True)
            if action.score_weight > 0 and not weight
        ]
        if not gains.any():
            sentences += [f"no gauc and no ndcg@{k}: nothing was gained on the day, no positive"]
        elif gains.all():
            sentences += ["no gauc: every impression of the day gained something, no negative"]
            if np.ptp(gains) == 0:
                sentences.append(f"ndcg@{k} is 1 in any order: all impressions gained the same")
        for a, name in enumerate(self.config.action_names):
            done = labels[is_labelled[:, a], a]
            if len(done) and np.ptp(done) == 0:
                words = "every impression, no negative" if done[0] else "no impression, no positive"
                sentences.append(f"no auc of {name}: it followed {words}")
        return sentences

    @functools.cached_property
    def _labels(self) -> tuple[np.ndarray, np.ndarray]:
        """`[E, A]` the actions that followed, 0 or 1, and `[E, A]` bool whether that is known."""
        num_actions = len(self.config.actions)
        labels = unpack_actions(self.windows.labels[self.windows.candidate_mask], num_actions)
        return labels, self.windows.is_labelled(num_actions)

    @functools.cached_property
    def _gain_weights(self) -> np.ndarray:
        """`[A]` what an impression gains by each action."""
        # Without the negative weights: NDCG needs gains of at least 0, and a post that a user
        # disliked is as useless to show as one that the user ignored.
        weights = np.maximum([action.score_weight for action in self.config.actions], 0.0)
        labels, is_labelled = self._labels
        is_constant = is_labelled.any(axis=0) & ((labels > 0) | ~is_labelled).all(axis=0)
        return np.where(is_constant, 0.0, weights)

    def judge(self, ranker: Ranker, folder: Path | None = None) -> Result:
        """Returns the metrics of one ranker, per action and per slice.

        Args:
          ranker: The model.
          folder: Where to keep its predictions; None keeps none.
        """
        runner = PredictRunner(ranker=ranker, splits={"day": self.windows})
        try:
            day = runner.run(folder, "tensorstore")["day"]
        except NonFiniteOutputError as error:
            return Result({"not_finite": error.count}, None)
        predicted = day.predictions.probabilities  # [E, A]
        is_real = self.windows.candidate_mask
        labels, is_labelled = self._labels
        # Of what a model never heard of, there is nothing to say but that it does not know it.
        unpredicted = named_actions.unpredicted_actions(ranker)
        actions = {name: a for a, name in enumerate(self.config.action_names)}
        judged = {name: a for name, a in actions.items() if name not in unpredicted}
        weights = [action.score_weight for action in self.config.actions]
        scores = scoring.weighted_scores(predicted, weights).scores
        gains = labels @ self._gain_weights
        users = np.repeat(self.windows.user_ids, is_real.sum(axis=1))
        weight = self.windows.impression_weights
        k = self.config.evaluate_models.ranking_k
        ndcg = user_metrics.ndcg(users, scores, gains, k, weight)
        days = self.windows.candidate_shown_at[is_real] // DAY_MS
        gauc = user_metrics.gauc(users, days, scores, gains > 0, weight)
        slices = {
            name: {
                "users": len(members),
                "ndcg": _finite(ndcg.of(members).mean),
                "gauc": _finite(gauc.of(members).mean),
            }
            for name, members in _slices(first_windows(self.windows)).items()
        }
        report = {
            **day.metrics,
            "actions": {name: day.metrics["actions"][name] for name in judged},
            "calibration": {
                name: _calibration_curve(
                    labels[rows, a], predicted[rows, a], None if weight is None else weight[rows]
                )
                for name, a in judged.items()
                if len(rows := np.flatnonzero(is_labelled[:, a]))
            },
            f"ndcg@{k}": _finite(ndcg.mean),
            "ndcg_users": len(ndcg.values),
            "gauc": _finite(gauc.mean),
            "gauc_users": len(gauc.values),
            "slices": slices,
        }
        is_gauc = self.config.evaluate_models.ranking_metric == "gauc"
        by_user = gauc if is_gauc else ndcg
        if isinstance(ranker, Random):  # nobody asks how it fares in a slice
            return Result(report, by_user)

        def metric_of(rows: np.ndarray) -> UserValues:
            """The metric of the gate on some of the impressions."""
            own = None if weight is None else weight[rows]
            if is_gauc:
                return user_metrics.gauc(
                    users[rows], days[rows], scores[rows], gains[rows] > 0, own
                )
            return user_metrics.ndcg(users[rows], scores[rows], gains[rows], k, own)

        return Result(
            report,
            by_user,
            slices={
                **_by_history(by_user, first_windows(self.windows)),
                **{name: metric_of(rows) for name, rows in self._slices.items()},
            },
            calibration={
                name: _calibration_by_user(
                    users, labels[:, a], predicted[:, a], is_labelled[:, a], weight
                )
                for name, a in judged.items()
                if weights[a]
            },
            negatives={
                name: user_metrics.gauc(users, days, scores, labels[:, a] > 0, weight)
                for name, a in judged.items()
                if weights[a] < 0
            },
        )

    @functools.cached_property
    def _slices(self) -> dict[str, np.ndarray]:
        """By name, `[E]` bool: impressions in which a model may be worse than on the whole."""
        return impression_slices.of_impressions(self.windows, self.config)


@dataclass(frozen=True)
class RetrievalContest:
    """The users of a day, and what they liked that they had not seen before."""

    config: Config
    windows: Windows  # all of the day
    collection: Collection

    @property
    def metric(self) -> str:
        """The name of the metric of the gate, with its cut-off."""
        return f"recall@{self.config.evaluate_models.retrieval_k}"

    @property
    def gaps(self) -> list[str]:
        """Sentences on the metrics that nobody can compute of this day; often none."""
        if len(self._asked.users) or not len(self.windows.user_ids):
            return []
        return [
            f"no {self.metric}: nobody liked an eligible post that they had not seen, no positive"
        ]

    def judge(self, retriever: Retriever, folder: Path | None = None) -> Result:
        """Returns metrics over the whole corpus, per slice, and how varied the answers are.

        Args:
          retriever: The model.
          folder: Where to keep its vectors; None keeps none.
        """
        posts, k = self.collection, self.config.evaluate_models.retrieval_k
        requests = self._asked.requests
        if isinstance(retriever, Random) or not len(requests.user_ids):
            return self._chance()  # of nobody, any answer is worth the same
        runner = EmbeddingRunner(retriever=retriever, splits={"posts": posts, "users": requests})
        try:
            vectors = runner.run(folder, "tensorstore")
        except NonFiniteOutputError as error:
            return Result({"not_finite": error.count}, None)
        index = ExactIndex(vectors["posts"], posts.is_eligible)
        history = self._rows_of_histories(requests)
        result = index.search(vectors["users"], k, excluded=history)
        answers = np.append(posts.post_ids, 0)[result.rows]  # row -1 is no post
        pairs = self._asked.rows_in(posts)
        standing = index.standing(vectors["users"], result, pairs, excluded=history)
        by_user = self._asked.values_of(answers, standing)
        eligible = posts.post_ids[posts.is_eligible]
        report = {
            "users": len(by_user.recall.values),
            self.metric: _finite(by_user.recall.mean),
            f"ndcg@{k}": _finite(by_user.ndcg.mean),
            f"mrr@{k}": _finite(by_user.reciprocal_rank.mean),
            "coverage": _finite(Coverage.of(answers, eligible).values()["coverage"]),
            "slices": _recall_by_slice(by_user.recall, requests),
        }
        return Result(report, by_user.recall, slices=_by_history(by_user.recall, requests))

    def _chance(self) -> Result:
        """The expected values of an answer at random, which need no search."""
        k, requests = self.config.evaluate_models.retrieval_k, self._asked.requests
        none = self._asked.values_of(np.zeros((len(requests.user_ids), 1), np.int64)).recall
        # A post may be in a history more than once.
        seen = np.unique(np.stack(self._rows_of_histories(requests), axis=1), axis=0)
        request, row = seen.T
        is_eligible = self.collection.is_eligible[row]
        num_seen = np.bincount(request[is_eligible], minlength=len(requests.user_ids))
        num_posts = self.collection.is_eligible.sum() - num_seen
        # Each post that may be retrieved is among the first k equally often.
        chance = np.minimum(k / np.maximum(num_posts, 1), 1.0)
        rows = np.searchsorted(requests.user_ids, none.user_ids)
        recall = none._replace(values=chance[rows])
        report = {
            "users": len(recall.values),
            self.metric: _finite(recall.mean),
            "slices": _recall_by_slice(recall, requests),
        }
        return Result(report, recall)

    def _rows_of_histories(self, requests: Windows) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of request and corpus row: posts of the history are not to be retrieved again."""
        request, place = np.nonzero(requests.history_post_ids)
        post_ids = requests.history_post_ids[request, place]
        rows, is_there = sorted_ids.find(self.collection.post_ids, post_ids)
        return request[is_there], rows[is_there]

    @functools.cached_property
    def _asked(self) -> "_Asked":
        """The users who liked something on the day, of eligible posts that they had not seen."""
        requests = first_windows(self.windows)
        positive_actions = [action.name for action in self.config.actions if action.is_positive]
        positive = positive_bits(self.config.action_names, positive_actions)
        is_liked = self.windows.candidate_mask & ((self.windows.labels & positive) != 0)
        window, place = np.nonzero(is_liked)
        users, posts = self.windows.user_ids[window], self.windows.candidate_post_ids[window, place]
        # Every user of the day has a request, so the place by order is the place of the user.
        history = requests.history_post_ids[np.searchsorted(requests.user_ids, users)]
        is_new = ~(history == posts[:, None]).any(axis=1)
        eligible = self.collection.post_ids[self.collection.is_eligible]
        is_relevant = is_new & np.isin(posts, eligible)
        weights = self.windows.label_weights
        if weights is not None:
            weights = weights[window, place][is_relevant]
        users, posts = users[is_relevant], posts[is_relevant]
        # Of the others no recall is defined, so nobody need search for them.
        return _Asked(requests.rows(np.isin(requests.user_ids, users)), users, posts, weights)


class _Asked(NamedTuple):
    """Requests, and what would be a good answer to them."""

    requests: Windows
    users: np.ndarray  # [L] int64: who liked
    posts: np.ndarray  # [L] int64: what
    weights: np.ndarray | None  # [L]: impressions for which a pair stands; None means 1

    def rows_in(self, collection: Collection) -> tuple[np.ndarray, np.ndarray]:
        """`[L]` places of those who liked among the requests, `[L]` rows of what they liked."""
        return (
            np.searchsorted(self.requests.user_ids, self.users),
            np.searchsorted(collection.post_ids, self.posts),
        )

    def values_of(self, answers: np.ndarray, standing: Standing | None = None) -> RetrievalValues:
        """Returns the metrics of answers.

        Args:
          answers: `[N, K]` int64 posts in the order of the requests.
          standing: Of what was liked, where scores can be equal.
        """
        pairs, users = (self.users, self.posts), self.requests.user_ids
        return user_metrics.retrieval(users, answers, pairs, self.weights, standing=standing)


def first_windows(windows: Windows) -> Windows:
    """Returns the first window of each user, by user: the moment at which the day began for them.

    Later windows of the day hold posts of the day in their history, which would tell a retriever
    what the user came to like.
    """
    order = np.lexsort((windows.starts_at, windows.user_ids))
    _, first = np.unique(windows.user_ids[order], return_index=True)
    return windows.rows(order[first])


def sample_users(windows: Windows, max_users: int, *, seed: int) -> Windows:
    """Returns the windows of at most so many users, each set of them equally likely.

    Args:
      windows: Of a day.
      max_users: At least 1.
      seed: Of the draw, which is the same for equal users.
    """
    users = np.unique(windows.user_ids)
    if len(users) <= max_users:
        return windows
    generator = np.random.Generator(np.random.Philox(key=[seed % 2**63, len(users)]))
    return windows.rows(
        np.isin(windows.user_ids, generator.choice(users, max_users, replace=False))
    )


def _recall_by_slice(recall: UserValues, requests: Windows) -> dict[str, Any]:
    return {
        name: {"users": len(members), "recall": _finite(recall.of(members).mean)}
        for name, members in _slices(requests).items()
    }


def _by_history(values: UserValues, requests: Windows) -> dict[str, UserValues]:
    """Returns the values of users by the length of their history."""
    members = _slices(requests).items()
    return {name.replace("_", " "): values.of(users) for name, users in members}


def _calibration_by_user(
    users: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    is_labelled: np.ndarray,
    weights: np.ndarray | None,
) -> UserCalibration:
    """Returns the sums of one action by user, of the `[E]` impressions of which it is known."""
    weight = np.ones(len(users)) if weights is None else weights.astype(np.float64)
    weight = weight[is_labelled]
    distinct, row = np.unique(users[is_labelled], return_inverse=True)
    columns = (predicted[is_labelled] * weight, labels[is_labelled] * weight, weight)
    return UserCalibration(
        distinct, *(np.bincount(row, column, minlength=len(distinct)) for column in columns)
    )


def _slices(requests: Windows) -> dict[str, np.ndarray]:
    """Users by the length of the history of their first window."""
    users = requests.user_ids
    lengths = (requests.history_post_ids != 0).sum(axis=1)
    return {
        "no_history": users[lengths == 0],
        "short_history": users[(lengths > 0) & (lengths < SHORT_HISTORY)],
        "long_history": users[lengths >= SHORT_HISTORY],
    }


def _calibration_curve(
    labels: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, list[float]]:
    """Mean prediction and observed rate in tenths of the impressions, those by their weights."""
    # Tenths by rank, not by value: predictions of rare actions would all fall into one.
    order = np.argsort(predicted, kind="stable")
    bins = [part for part in np.array_split(order, _BINS) if len(part)]
    weight = np.ones(len(labels)) if weights is None else weights.astype(np.float64)
    curves = {"predicted": predicted, "observed": labels}
    return {
        name: [
            float(np.average(values[part].astype(np.float64), weights=weight[part]))
            for part in bins
        ]
        for name, values in curves.items()
    }


def _finite(value: float) -> float | None:
    """Returns a number that JSON can hold: None for NaN, the mean of nobody."""
    return float(value) if math.isfinite(value) else None
