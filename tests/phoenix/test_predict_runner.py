"""Predictions per split are those of the model, with metrics that one can add to."""

import json

import numpy as np
import pytest

from phoenix.array_files import read_array
from phoenix.baselines import Random
from phoenix.embedding_runner import NotFiniteError
from phoenix.predict_runner import PredictRunner
from tests.phoenix.planted import ACTIONS, world

WINDOWS = world(50).windows
RANKER = Random(actions=ACTIONS, seed=0)


def runner(kind=PredictRunner, **splits):
    return kind(ranker=RANKER, splits=splits)


def test_predictions_of_real_candidates_are_written_with_their_metrics(tmp_path):
    padded = WINDOWS.candidate_post_ids.copy()
    padded[:, -3:] = 0
    windows = WINDOWS._replace(candidate_post_ids=padded)
    measured = runner(test=windows).run(tmp_path)
    predicted = read_array(tmp_path / "test.npy")
    np.testing.assert_array_equal(predicted, RANKER.predict(windows)[padded != 0])
    assert json.loads((tmp_path / "metrics.json").read_text()) == measured
    liked = (WINDOWS.labels & np.uint64(1))[padded != 0]
    assert measured["test"]["like"]["positives"] == liked.sum()
    assert measured["test"]["hide"]["auc"] is None  # Nobody hides anything in this world.


def test_a_subclass_adds_a_metric_by_one_method(tmp_path):
    class WithMean(PredictRunner):
        def metrics(self, split, predicted):
            return {**super().metrics(split, predicted), "all": {"mean": float(predicted.mean())}}

    measured = runner(WithMean, test=WINDOWS).run(tmp_path)
    assert 0 <= measured["test"]["all"]["mean"] <= 1


def test_a_split_that_is_not_there_or_empty_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"one of the splits \['test'\], got 'train'"):
        runner(test=WINDOWS).predict("train")
    with pytest.raises(ValueError, match="split 'test' has no data"):
        runner(test=WINDOWS.rows(slice(0))).run(tmp_path)


def test_predictions_that_are_no_numbers_are_refused(monkeypatch):
    monkeypatch.setattr(Random, "predict", lambda *_: np.full((50, 8, 2), np.nan))
    with pytest.raises(NotFiniteError, match="800 predictions are not finite"):
        runner(test=WINDOWS).predict("test")


def test_dwell_is_judged_on_real_candidates_up_to_what_the_head_can_say():
    class Knowing(Random):
        def predict_dwell(self, windows):
            return np.minimum(windows.label_dwell_seconds, 30) + 1

    seconds = np.arange(50 * 8, dtype=np.float32).reshape(50, 8)
    windows = WINDOWS._replace(label_dwell_seconds=seconds)
    windows.candidate_post_ids[:, -1] = 0
    knowing = PredictRunner(ranker=Knowing(actions=ACTIONS, seed=0), splits={"test": windows})
    assert knowing.dwell_metrics("test") == {
        "mean_absolute_error": 1.0,
        "mean_squared_error": 1.0,
        "xauc": 1.0,
    }
    assert runner(test=WINDOWS).dwell_metrics("test") == {}
