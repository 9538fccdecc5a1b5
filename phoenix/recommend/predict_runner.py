"""Predictions for the candidates of windows, split by split, from any ranker, with metrics.

Glossary of shapes:
  N: windows, C: candidates, A: actions, E: impressions (real candidates), in order of the windows.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from phoenix.data.days import DAY_MS
from phoenix.data.windows import DWELL_SCALE_SECONDS, Windows, unpack_actions
from phoenix.files.array_files import FileFormat, write_array
from phoenix.metrics import by_user, ordering
from phoenix.metrics.mergeable import Deviations, Sums
from phoenix.recommend.embedding_runner import NonFiniteOutputError, content_of
from phoenix.recommend.recommender import Ranker

Metrics = dict[str, Any]  # As JSON; None is undefined.


class Predictions(NamedTuple):
    """The predictions of a ranker for the impressions of a split."""

    probabilities: np.ndarray  # [E, A]
    dwell_seconds: np.ndarray | None  # [E]; None where the ranker does not say


class SplitResult(NamedTuple):
    """The predictions of a ranker for a split, and their metrics."""

    predictions: Predictions
    metrics: Metrics


@dataclass(frozen=True, kw_only=True)
class PredictRunner:
    """Predicts every action for every impression of each split.

    Override `metrics` to add your own.
    """

    ranker: Ranker
    splits: Mapping[str, Windows]

    def predict(self, split: str) -> Predictions:
        """Returns the predictions for the impressions of a split.

        Raises:
          ValueError: If there is no such split.
          NonFiniteOutputError: If a prediction is not finite.
        """
        windows = content_of(self.splits, split)
        is_real = windows.candidate_mask
        seconds = self.ranker.predict_dwell(windows)
        predictions = Predictions(
            self.ranker.predict(windows)[is_real], None if seconds is None else seconds[is_real]
        )
        arrays = [values for values in predictions if values is not None]
        if count := sum(int((~np.isfinite(values)).sum()) for values in arrays):
            raise NonFiniteOutputError(
                f"{self.ranker.name}, split {split!r}: {count} predictions are not finite.", count
            )
        return predictions

    def metrics(self, split: str, predictions: Predictions) -> Metrics:
        """Returns the number of impressions and the metrics of actions and of the dwell time."""
        windows = self.splits[split]
        is_real = windows.candidate_mask
        users = np.repeat(windows.user_ids, is_real.sum(axis=1))
        days = windows.candidate_shown_at[is_real] // DAY_MS
        labels = unpack_actions(windows.labels[is_real], len(self.ranker.actions))
        is_labelled = windows.is_labelled(len(self.ranker.actions))  # [E, A]
        weights = windows.impression_weights
        metrics: Metrics = {
            "impressions": len(users),
            "actions": {
                action: _action_metrics(
                    (users[rows], days[rows]),
                    labels[rows, a],
                    predictions.probabilities[rows, a],
                    None if weights is None else weights[rows],
                )
                for a, action in enumerate(self.ranker.actions)
                for rows in [np.flatnonzero(is_labelled[:, a])]
            },
        }
        if predictions.dwell_seconds is not None:
            seconds = windows.label_dwell_seconds[is_real]
            metrics |= _dwell_metrics(seconds, predictions.dwell_seconds, weights)
        return metrics

    def run(
        self, folder: Path | None = None, file_format: FileFormat = "npy"
    ) -> dict[str, SplitResult]:
        """Returns predictions and metrics of every split, and writes them if there is a `folder`.

        The files of a split are its probabilities, its dwell times as `<split>_dwell_seconds`, and
        its part of `metrics.json`.

        Raises:
          ValueError: If a split has no data.
          NonFiniteOutputError: If a prediction is not finite.
        """
        for split, windows in self.splits.items():
            if not windows.candidate_mask.any():
                raise ValueError(f"The split {split!r} has no data.")
        results = {}
        for split in self.splits:
            predictions = self.predict(split)
            results[split] = SplitResult(predictions, self.metrics(split, predictions))
            if folder is not None:
                _write(folder, split, predictions, file_format)
        if folder is not None:
            report = {split: each.metrics for split, each in results.items()}
            text = json.dumps(report, indent=1, sort_keys=True, allow_nan=False)
            (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
        return results


def _write(folder: Path, split: str, predictions: Predictions, file_format: FileFormat) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_array(folder / split, predictions.probabilities, file_format)
    if predictions.dwell_seconds is not None:
        write_array(folder / f"{split}_dwell_seconds", predictions.dwell_seconds, file_format)


def _action_metrics(
    groups: tuple[np.ndarray, np.ndarray],
    labels: np.ndarray,
    predictions: np.ndarray,
    weights: np.ndarray | None = None,
) -> dict[str, float | None]:
    probabilities = np.clip(predictions.astype(np.float64), 0, 1)
    sums = Sums.of(labels, probabilities, weights).values()
    values = {
        "positives": float(labels.sum()),
        "auc": ordering.auc(labels, probabilities, weights),
        "gauc": by_user.gauc(*groups, probabilities, labels > 0, weights).mean,
        "pr_auc": ordering.pr_auc(labels, probabilities, weights),
        "rce": sums.pop("relative_cross_entropy"),
        **sums,
    }
    return {name: _finite(value) for name, value in values.items()}


def _dwell_metrics(
    seconds: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, float | None]:
    """MAE and MSE in seconds, and XAUC.

    Longer times count as the longest that the head can say: it learned no others.
    """
    targets = np.minimum(seconds, DWELL_SCALE_SECONDS)
    values = Deviations.of(targets, predictions, weights, largest=DWELL_SCALE_SECONDS).values()
    values["xauc"] = ordering.xauc(targets, predictions, weights)  # all are here: no bins needed
    return {f"dwell_{name}": _finite(value) for name, value in values.items()}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
