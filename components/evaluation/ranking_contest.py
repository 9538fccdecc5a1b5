"""How well a ranker does on the impressions of a day, slice by slice.

It is asked: what would you have predicted, and in which order would you have shown them?

What a user gains from an impression is the sum of the weights of the actions that followed and
whose weight is positive: the part of the feed's own score that came true. Its order is what NDCG
asks for; the grouped AUC asks which impressions gained anything at all. An action that every
impression of the day has tells no two of them apart, and is left out.

Glossary of shapes:
  E: impressions, N: windows or users, A: actions.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.evaluation import examples
from components.evaluation import slices as impression_slices
from components.evaluation.day_users import by_history, first_windows, users_by_history
from components.evaluation.results import Result, UserCalibration, finite
from components.settings.config import Config
from phoenix.data.days import DAY_MS
from phoenix.data.windows import Windows, unpack_actions
from phoenix.metrics import by_user as user_metrics
from phoenix.metrics.by_user import UserValues
from phoenix.recommend import named_actions, scoring
from phoenix.recommend.baselines import Random
from phoenix.recommend.embedding_runner import NonFiniteOutputError
from phoenix.recommend.predict_runner import PredictRunner
from phoenix.recommend.recommender import Ranker

_BINS = 10


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
                "their probabilities are those of an action among these, not of the log; most "
                "popular is by how often it expects a post to be shown, too"
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
                "ndcg": finite(ndcg.of(members).mean),
                "gauc": finite(gauc.of(members).mean),
            }
            for name, members in users_by_history(first_windows(self.windows)).items()
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
            f"ndcg@{k}": finite(ndcg.mean),
            "ndcg_users": len(ndcg.values),
            "gauc": finite(gauc.mean),
            "gauc_users": len(gauc.values),
            "slices": slices,
        }
        is_gauc = self.config.evaluate_models.ranking_metric == "gauc"
        by_metric = {f"ndcg@{k}": ndcg, "gauc": gauc}
        by_user = by_metric[self.metric]
        if isinstance(ranker, Random):  # nobody asks how it fares in a slice
            return Result(report, by_user, by_metric=by_metric)

        def metric_of(rows: np.ndarray) -> UserValues:
            """The metric of the gate on some of the impressions."""
            own = None if weight is None else weight[rows]
            if is_gauc:
                return user_metrics.gauc(
                    users[rows], days[rows], scores[rows], gains[rows] > 0, own
                )
            return user_metrics.ndcg(users[rows], scores[rows], gains[rows], k, own)

        posts = self.windows.candidate_post_ids[is_real]
        return Result(
            report,
            by_user,
            by_metric=by_metric,
            examples=examples.of_scores(users, posts, scores),
            slices={
                **by_history(by_user, first_windows(self.windows)),
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
