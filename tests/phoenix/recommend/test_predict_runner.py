"""Predictions per split are those of the model, with metrics that one can add to."""

import json
import math

import numpy as np
import pytest

from phoenix.data.days import DAY_MS
from phoenix.files.array_files import read_array
from phoenix.metrics import by_user, ordering
from phoenix.recommend.baselines import Random
from phoenix.recommend.embedding_runner import NonFiniteOutputError
from phoenix.recommend.predict_runner import PredictRunner
from tests.phoenix.planted import ACTIONS, world

WINDOWS = world(50).windows
RANKER = Random(actions=ACTIONS, seed=0)


def runner(kind=PredictRunner, **splits):
    return kind(ranker=RANKER, splits=splits)


def test_predictions_of_real_candidates_are_written_with_their_metrics(tmp_path):
    padded = WINDOWS.candidate_post_ids.copy()
    padded[:, -3:] = 0
    windows = WINDOWS._replace(candidate_post_ids=padded)
    judged = runner(test=windows).run(tmp_path / "new")["test"]
    predicted = judged.predictions.probabilities
    np.testing.assert_array_equal(predicted, RANKER.predict(windows)[padded != 0])
    np.testing.assert_array_equal(read_array(tmp_path / "new/test.npy"), predicted)
    assert json.loads((tmp_path / "new/metrics.json").read_text()) == {"test": judged.metrics}
    liked = ((WINDOWS.labels & np.uint64(1))[padded != 0] > 0).astype(float)
    actions = judged.metrics["actions"]
    assert actions["like"]["positives"] == liked.sum()
    assert actions["hide"]["auc"] is None  # Nobody hides anything in this world.
    users = np.repeat(windows.user_ids, 5)
    days = windows.candidate_shown_at[padded != 0] // DAY_MS
    gauc = by_user.gauc(users, days, predicted[:, 0], liked > 0)
    assert actions["like"]["gauc"] == gauc.mean


def test_every_metric_of_an_action_and_of_a_time_is_there():
    judged = runner(test=WINDOWS).run()["test"].metrics
    assert set(judged["actions"]["like"]) == {
        *("positives", "auc", "gauc", "pr_auc", "log_loss", "rce", "calibration", "accuracy"),
        *("mean_absolute_error", "mean_squared_error"),
    }


def test_a_subclass_adds_a_metric_by_one_method(tmp_path):
    class WithMean(PredictRunner):
        def metrics(self, split, predictions):
            mean = float(predictions.probabilities.mean())
            return {**super().metrics(split, predictions), "mean": mean}

    judged = runner(WithMean, test=WINDOWS).run(tmp_path)["test"]
    assert judged.metrics["mean"] == judged.predictions.probabilities.mean()
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"test": judged.metrics}


def test_a_split_that_is_not_there_or_empty_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"one of the splits \['test'\], got 'train'"):
        runner(test=WINDOWS).predict("train")
    with pytest.raises(ValueError, match="split 'test' has no data"):
        runner(some=WINDOWS, test=WINDOWS.rows(slice(0))).run(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("said", ["predict", "predict_dwell"])
def test_predictions_that_are_no_numbers_are_refused(said, monkeypatch):
    shape = (50, 8, 2) if said == "predict" else (50, 8)
    monkeypatch.setattr(Random, said, lambda *_: np.full(shape, np.nan))
    with pytest.raises(
        NonFiniteOutputError, match=f"{math.prod(shape)} predictions are not finite"
    ):
        runner(test=WINDOWS).predict("test")


def test_dwell_is_judged_on_real_candidates_up_to_what_the_head_can_say(tmp_path):
    class Knowing(Random):
        def predict_dwell(self, windows):
            return np.minimum(windows.label_dwell_seconds, 30) + 1

    seconds = np.arange(50 * 8, dtype=np.float32).reshape(50, 8)
    windows = WINDOWS._replace(
        label_dwell_seconds=seconds, candidate_post_ids=WINDOWS.candidate_post_ids.copy()
    )
    windows.candidate_post_ids[:, -1] = 0
    knowing = PredictRunner(ranker=Knowing(actions=ACTIONS, seed=0), splits={"test": windows})
    judged = knowing.run(tmp_path)["test"]
    dwell = {name: value for name, value in judged.metrics.items() if name.startswith("dwell_")}
    assert dwell == {
        "dwell_mean_absolute_error": 1.0,
        "dwell_mean_squared_error": 1.0,
        "dwell_xauc": 1.0,
    }
    written = read_array(tmp_path / "test_dwell_seconds.npy")
    np.testing.assert_array_equal(written, np.minimum(seconds[:, :-1], 30).reshape(-1) + 1)
    assert "dwell_xauc" not in runner(test=WINDOWS).run()["test"].metrics


def test_metrics_of_an_action_are_those_of_the_impressions_of_which_it_is_known():
    unknown = np.zeros_like(WINDOWS.labels)
    unknown[20:] = 1  # nobody knows of likes there
    labels = WINDOWS.labels & ~unknown
    judged, known = (
        runner(test=windows).run()["test"].metrics["actions"]["like"]
        for windows in (
            WINDOWS._replace(labels=labels, label_unknown_actions=unknown),
            WINDOWS.rows(slice(0, 20)),
        )
    )
    assert judged == known
    nowhere = WINDOWS._replace(label_unknown_actions=np.full_like(unknown, 1))
    metrics = runner(test=nowhere).run()["test"].metrics["actions"]
    assert metrics["like"]["auc"] is None
    assert metrics["like"]["log_loss"] is None
    assert metrics["hide"]["log_loss"] is not None


def test_metrics_count_an_impression_as_often_as_it_stands_for():
    weights = np.where(WINDOWS.labels & np.uint64(1), 1.0, 3.0).astype(np.float32)
    windows = WINDOWS._replace(label_weights=weights)
    judged = runner(test=windows).run()["test"].metrics["actions"]["like"]
    many = np.repeat(np.arange(weights.size), weights.ravel().astype(int))
    labels = (WINDOWS.labels.ravel() & np.uint64(1))[many].astype(float)
    predicted = RANKER.predict(WINDOWS)[..., 0].ravel()[many]
    np.testing.assert_allclose(judged["auc"], ordering.auc(labels, predicted))
    np.testing.assert_allclose(judged["calibration"], predicted.sum() / labels.sum(), rtol=1e-6)
    assert judged["positives"] == labels.sum()  # as many as there are rows
