"""A validation counts every held-out window once, and names what it measured."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.data.window_source import InMemoryWindows
from phoenix.data.windows import concatenate
from phoenix.metrics.mergeable import Sums, WeightedMean
from phoenix.train.config import ValidationConfig
from phoenix.train.next_item import sequences
from phoenix.train.validation import HeldOut, Split, finite, metric_values, validation_metrics
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


class Chunks(InMemoryWindows):
    """Windows in chunks of some sizes."""

    def __init__(self, windows, sizes):
        super().__init__(windows)
        self._sizes, self._ends = sizes, np.cumsum([0, *sizes])

    @property
    def chunk_sizes(self):
        return self._sizes

    def read(self, chunk):
        return super().read(0).rows(slice(*self._ends[chunk : chunk + 2]))


def events_of(source, *, histories=True, candidates=True):
    """The user, post and time of all that a source holds, and the starts of its windows."""
    events, starts = set(), []
    for chunk in range(len(source.chunk_sizes)):
        windows = source.read(chunk)
        starts += windows.starts_at.tolist()
        for side in ["history"] * histories + ["candidate"] * candidates:
            posts, times = (getattr(windows, f"{side}_{x}") for x in ("post_ids", "shown_at"))
            users = np.broadcast_to(windows.user_ids[:, None], posts.shape)
            real = posts != 0
            events |= set(zip(users[real], posts[real], times[real], strict=True))
    return events, starts


def log_windows(times):
    """A window of every impression, whose history is what the user had seen before."""
    base = world(len(times), num_history=12, num_candidates=1).windows
    users = np.sort(np.arange(len(times)) % 3 + 1)  # by user, and by time within each
    shown = np.array(times, np.int64)[np.lexsort((times, users))] + 1
    posts = np.arange(len(times)) + 1
    fields = {name: np.zeros_like(base.history_post_ids) for name in ("post_ids", "shown_at")}
    for row in range(len(times)):
        before = np.flatnonzero((users == users[row]) & (shown < shown[row]))[-12:]
        fields["post_ids"][row, : len(before)] = posts[before]
        fields["shown_at"][row, : len(before)] = shown[before]
    return base._replace(
        user_ids=users,
        starts_at=shown,
        candidate_post_ids=posts[:, None],
        candidate_shown_at=shown[:, None],
        **{f"history_{name}": array for name, array in fields.items()},
    )


logs = st.lists(st.integers(0, 30), min_size=4, max_size=14)


@settings(deadline=None, max_examples=60)
@given(logs, st.sampled_from([0.25, 0.5]), st.integers(0, 4))
def test_nothing_of_a_target_that_is_held_out_is_trained_on(times, fraction, first_size):
    windows = log_windows(times)
    sizes = [first_size, 0, len(times) - first_size]
    split = Split.of(Chunks(windows, sizes), ValidationConfig(fraction=fraction))
    trained, starts = events_of(split.train)
    targets, held_out_starts = events_of(split.validation, histories=False)
    assert len(held_out_starts) == int(len(times) * fraction)
    assert len(starts) + len(held_out_starts) == len(times)
    assert max(starts) <= min(held_out_starts)
    assert not trained & targets


@settings(deadline=None, max_examples=60)
@given(logs, st.integers(0, 4))
def test_what_is_held_out_of_sequences_is_what_came_later(times, first_size):
    # A user has a sequence in each chunk, and the later one holds the earlier one.
    windows = log_windows(times)
    parts = [windows.rows(slice(0, first_size)), windows.rows(slice(first_size, None))]
    joined = [sequences(part) for part in parts]
    sizes = [len(each.user_ids) for each in joined]
    split = Split.of(Chunks(concatenate(joined), sizes), ValidationConfig(fraction=0.4))
    trained, _ = events_of(split.train)
    everything, held_out_starts = events_of(split.validation)
    if held_out_starts:
        targets = {event for event in everything if event[2] >= split.since}
        assert targets
        assert not trained & targets


def test_users_may_be_held_out_with_all_that_they_did():
    windows = world(400).windows
    config = ValidationConfig(fraction=0.2, split="users")
    split = Split.of(InMemoryWindows(windows), config)
    trained, held_out = (set(part.read(0).user_ids) for part in (split.train, split.validation))
    assert not trained & held_out
    assert 0.1 < len(held_out) / len(trained | held_out) < 0.3
    # The same ones on another day.
    again = Split.of(InMemoryWindows(windows.rows(slice(200, 400))), config)
    assert set(again.validation.read(0).user_ids) <= held_out
