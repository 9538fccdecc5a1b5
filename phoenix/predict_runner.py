"""Predictions for the candidates of windows, split by split, from any ranker, with metrics.

Glossary of shapes:
  N: windows, C: candidates, A: actions, E: impressions (real candidates).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phoenix import metrics
from phoenix.array_files import FileFormat, write_array
from phoenix.embedding_runner import NotFiniteError, chosen_split
from phoenix.mergeable_metrics import Deviations, Sums
from phoenix.recommender import Ranker
from phoenix.windows import DWELL_SCALE_SECONDS, Windows, unpack_actions

Metrics = dict[str, dict[str, float | None]]  # action -> name -> value; None is undefined


@dataclass(frozen=True, kw_only=True)
class PredictRunner:
    """Predicts every action for every impression of each split.

    Override `metrics` to add your own.
    """

    ranker: Ranker
    splits: Mapping[str, Windows]

    def predict(self, split: str) -> np.ndarray:
        """Returns `[E, A]` probabilities of the impressions of a split, in order of the windows.

        Raises:
          ValueError: If there is no such split.
          NotFiniteError: If a prediction is not finite.
        """
        windows = chosen_split(self.splits, split)
        predicted = self.ranker.predict(windows)[windows.candidate_mask]
        if count := int((~np.isfinite(predicted)).sum()):
            raise NotFiniteError(
                f"{self.ranker.name}, split {split!r}: {count} predictions are not finite.", count
            )
        return predicted

    def metrics(self, split: str, predicted: np.ndarray) -> Metrics:
        """Returns the metrics of each action, from the `[E, A]` predictions of a split."""
        windows = self.splits[split]
        done = unpack_actions(windows.labels[windows.candidate_mask], len(self.ranker.actions))
        return {
            action: _action_metrics(done[:, a], predicted[:, a])
            for a, action in enumerate(self.ranker.actions)
        }

    def dwell_metrics(self, split: str) -> dict[str, float | None]:
        """Returns MAE and MSE in seconds and XAUC of the dwell time; empty if it is not predicted.

        Longer times count as the longest that the head can say: it learned no others.
        """
        windows = self.splits[split]
        seconds = self.ranker.predict_dwell(windows)
        if seconds is None:
            return {}
        is_real = windows.candidate_mask
        targets = np.minimum(windows.label_dwell_seconds[is_real], DWELL_SCALE_SECONDS)
        values = Deviations.of(targets, seconds[is_real], largest=DWELL_SCALE_SECONDS).values()
        values["xauc"] = metrics.xauc(targets, seconds[is_real])  # all are here: no bins needed
        return {name: _finite(value) for name, value in values.items()}

    def run(self, folder: Path, file_format: FileFormat = "npy") -> dict[str, Metrics]:
        """Writes predictions and `metrics.json` below `folder`, which must exist.

        Raises:
          ValueError: If a split has no data.
          NotFiniteError: If a prediction is not finite.
        """
        for split, windows in self.splits.items():
            if not windows.candidate_mask.any():
                raise ValueError(f"The split {split!r} has no data.")
        measured = {}
        for split in self.splits:
            predicted = self.predict(split)
            write_array(folder / split, predicted, file_format)
            measured[split] = self.metrics(split, predicted)
        text = json.dumps(measured, indent=1, sort_keys=True, allow_nan=False)
        (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
        return measured


def _action_metrics(labels: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
    probabilities = np.clip(predicted.astype(np.float64), 0, 1)
    sums = Sums.of(labels, probabilities).values()
    values = {
        "positives": float(labels.sum()),
        "auc": metrics.auc(labels, probabilities),
        "pr_auc": metrics.pr_auc(labels, probabilities),
        "rce": sums.pop("relative_cross_entropy"),
        **sums,
    }
    return {name: _finite(value) for name, value in values.items()}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
