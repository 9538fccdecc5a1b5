"""The contest of rankers measures what it says, on windows whose truth is known."""

import numpy as np
import pytest

from components.evaluation.ranking_contest import RankingContest
from phoenix.data.windows import Windows, unpack_actions


class Oracle:
    """Knows every label, or gets every one wrong, or breaks."""

    name = "oracle"

    def __init__(self, actions: tuple[str, ...], mode: str) -> None:
        self.actions, self.mode = actions, mode

    def predict(self, windows: Windows) -> np.ndarray:
        done = unpack_actions(windows.labels, len(self.actions))
        values = {"right": done, "wrong": 1 - done, "broken": done * np.nan}
        return np.clip(values[self.mode], 0.01, 0.99)

    def predict_dwell(self, windows: Windows) -> None:
        del windows  # knows actions alone


def test_who_knows_the_labels_ranks_perfectly_and_who_errs_ranks_worst(three_days, windows) -> None:
    contest = RankingContest(three_days.config, windows)
    right = contest.judge(Oracle(three_days.config.action_names, "right")).report
    wrong = contest.judge(Oracle(three_days.config.action_names, "wrong")).report
    assert right["gauc"] > 0.95
    assert right["ndcg@5"] > 0.97
    assert right["actions"]["click"]["auc"] == 1.0
    assert right["actions"]["click"]["rce"] > 90
    assert wrong["actions"]["click"]["auc"] == 0.0
    assert wrong["ndcg@5"] < right["ndcg@5"]


def test_predictions_that_are_no_numbers_have_no_metric(three_days, windows) -> None:
    contest = RankingContest(three_days.config, windows)
    result = contest.judge(Oracle(three_days.config.action_names, "broken"))
    assert result.value is None
    assert result.report["not_finite"] > 0


def test_metrics_that_nobody_can_compute_are_said_in_words(three_days, windows) -> None:
    config = three_days.config
    assert not [each for each in RankingContest(config, windows).gaps if "gauc" in each]
    everything = np.where(windows.candidate_mask, np.uint64(0b0111), np.uint64(0))
    # Each impression has a click, and one of two other actions.
    places = np.arange(windows.labels.size).reshape(windows.labels.shape)
    either = np.where(places % 2, np.uint64(0b0011), np.uint64(0b0110))
    either = np.where(windows.candidate_mask, either, np.uint64(0))
    nothing = "no gauc and no ndcg@5: nothing was gained"
    by_labels = {
        "no negative": (everything, nothing),
        "click": (either, "no gauc: every impression of the day gained something"),
        "no positive": (np.zeros_like(windows.labels), nothing),
    }
    for words, (labels, sentence) in by_labels.items():
        contest = RankingContest(config, windows._replace(labels=labels))
        gaps = contest.gaps
        assert any(each.startswith(sentence) for each in gaps)
        assert any(each.startswith("no auc of click") and words in each for each in gaps)
        report = contest.judge(Oracle(config.action_names, "right")).report
        assert report["gauc"] is None
        assert report["actions"]["click"]["auc"] is None
        assert ("no auc of not_interested: it followed no impression, no positive") in gaps
    actions = [each.model_copy(update={"weight": 1.0}) for each in config.actions]
    equal = config.model_copy(update={"actions": actions})
    contest = RankingContest(equal, windows._replace(labels=either))
    assert "ndcg@5 is 1 in any order: all impressions gained the same" in contest.gaps
    # A day without impressions is told of as such.
    assert not RankingContest(config, windows.rows(slice(0))).gaps


def test_an_action_that_every_impression_has_is_left_out_of_the_gain(three_days, windows) -> None:
    config = three_days.config
    oracle = Oracle(config.action_names, "right")
    clicked = windows._replace(
        labels=np.where(windows.candidate_mask, windows.labels | np.uint64(0b0010), np.uint64(0))
    )
    contest = RankingContest(config, clicked)
    assert "click is left out of the gain: every impression of the day has it" in contest.gaps
    assert "click is left out" not in " ".join(RankingContest(config, windows).gaps)
    report = contest.judge(oracle).report
    # As if clicks had no weight, where the gain of an impression would be 1 at least.
    actions = [
        action.model_copy(update={"weight": 0.0}) if action.name == "click" else action
        for action in config.actions
    ]
    weightless = RankingContest(config.model_copy(update={"actions": actions}), clicked)
    expected = weightless.judge(oracle).report
    assert report["ndcg@5"] == pytest.approx(expected["ndcg@5"], abs=1e-3)
    assert report["gauc"] == pytest.approx(expected["gauc"], abs=1e-3), (
        "not None: some gain nothing"
    )
