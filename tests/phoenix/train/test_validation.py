"""A validation counts every held-out window once, and names what it measured."""

import itertools

import numpy as np
import pytest

from phoenix.data.window_source import InMemoryWindows
from phoenix.metrics.mergeable import Sums, WeightedMean
from phoenix.train.validation import HeldOut, finite, metric_values, validation_metrics
from tests.phoenix.planted import ACTIONS, RANKER, untrained, world

WINDOWS = world(11).windows._replace(user_ids=np.arange(1, 12))
LABELS = (WINDOWS.labels[..., None] >> np.arange(2, dtype=np.uint64)) & np.uint64(1)


def judge(windows):
    """Mean user as the loss, and the labels as their own prediction."""
    rows = np.isin(WINDOWS.user_ids, windows.user_ids)
    labels = LABELS[rows].reshape(-1, 2).astype(float)
    states = {"actions": Sums.of(labels, labels), "user": WeightedMean.of(windows.user_ids * 1.0)}
    return float(windows.user_ids.mean()), states


def held_out(batch_size):
    return HeldOut(
        source=InMemoryWindows(WINDOWS),
        start=4,
        stop=11,
        batch_size=batch_size,
        actions=ACTIONS,
        loss_and_states=judge,
        model=lambda: untrained(RANKER),
    )


def test_windows_are_those_of_the_range_a_batch_at_a_time():
    parts = [part.user_ids.tolist() for part in held_out(3).windows()]
    assert [len(part) for part in parts] == [3, 3, 1]
    assert list(itertools.chain(*parts)) == WINDOWS.user_ids[4:].tolist()


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_metrics_do_not_depend_on_the_batches(batch_size):
    metrics = held_out(batch_size).metrics()
    assert metrics["validation_loss"] == pytest.approx(WINDOWS.user_ids[4:].mean())
    assert metrics["validation_user"] == pytest.approx(WINDOWS.user_ids[4:].mean())
    assert metrics["validation_accuracy/like"] == 1
    assert "validation_relative_cross_entropy/hide" not in metrics  # Nobody hides anything.


def test_a_metric_has_one_name_for_each_action_or_that_of_what_was_counted():
    states = {
        "actions": Sums.of(np.array([[1.0, 0.0]]), np.array([[0.75, 0.5]])),
        "recall": WeightedMean.of(np.array([0.5])),
    }
    values = metric_values(states, ACTIONS, only=["mean", "absolute_error"])
    assert values["recall"] == 0.5
    assert validation_metrics(states, ACTIONS)["validation_recall"] == 0.5
    assert {"accuracy/like", "accuracy/hide"} <= metric_values(states, ACTIONS).keys()
    assert "accuracy/like" not in values


def test_what_is_not_defined_is_left_out():
    assert finite({"auc": float("nan"), "loss": 0.5, "ratio": float("inf")}) == {"loss": 0.5}
