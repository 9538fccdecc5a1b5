"""A log that keeps a share of its impressions: each row counts as many as it stands for."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from components import contract
from components.contract import ExitCode
from components.evaluation.entrants import most_popular
from components.features.training_source import feature_windows
from components.release import models
from components.run.context import Context
from components.settings.loading import load
from components.store.artifacts import Artifact, Store
from phoenix.data.windows import Windows
from tests.components.conftest import day_of
from tests.components.test_changing_actions import Deployment

DAYS = ("2026-03-01", "2026-03-02")
NEXT = "2026-03-03"
_CONFIG = """
store: store
first_day: 2026-03-01
ingest_events:
  source:
    layout: columns
    events: log/{day}.csv
    event_columns: {user_id: user, post_id: post, author_id: author, shown_at: time%s}
build_features: {history_length: 4, num_candidates: 4}
actions: [{name: like, column: liked, weight: 1, is_positive: true}]
"""

# So few rows of users that none is known by heart: probabilities are to be those of any day.
_TRAINING = """
hashing: {user_rows: 10, post_rows: 500, author_rows: 50}
train_ranker:
  model: {emb_size: 8, num_layers: 1, num_heads: 1, key_size: 8}
  min_windows: 10
  batch_size: 32
  epochs: 8
  learning_rate: 0.01
evaluate_models: {ranking_k: 4}
"""
_KEPT = 0.2  # of what was not liked


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """Two days; of what was not liked, one row in ten is kept."""
    (tmp_path / "log").mkdir()
    for day in DAYS:
        start = int(np.datetime64(day, "ms").astype(int))
        lines = ["user,post,author,time,liked,rate"]
        for user in range(1, 11):
            for post in range(1, 5):
                liked = int((user + post) % 4 == 0)
                time = start + user * 1000 + post * 60_000
                lines.append(f"{user},{post},1,{time},{liked},{1 if liked else 0.1}")
        (tmp_path / "log" / f"{day}.csv").write_text("\n".join(lines) + "\n")
    return Deployment(tmp_path)


def configure(deployment: Deployment, *, with_rate: bool) -> None:
    """Writes the configuration, with the rate of a row or without it."""
    mapping = ", sampling_rate: rate" if with_rate else ""
    (deployment.root / "phoenix.yaml").write_text(_CONFIG % mapping)


def run(deployment: Deployment, day: str) -> None:
    """Runs the data steps of a day."""
    for step in ("ingest_events", "validate_events", "build_features"):
        assert deployment.run(step, day) == ExitCode.DONE


def context_of(deployment: Deployment) -> Context:
    """A training of the day after both."""
    config = load(deployment.root / "phoenix.yaml")
    store = Store(str(deployment.root / "store"))
    return Context(contract.TRAIN_RANKER, config, day_of(NEXT), store)


def test_windows_and_most_popular_count_what_a_row_stands_for(deployment) -> None:
    configure(deployment, with_rate=True)
    for day in DAYS:
        run(deployment, day)
    refs = [deployment.artifact("build_features", day).ref for day in DAYS]
    source = feature_windows(context_of(deployment), refs)
    windows = source.read(0)
    assert windows.label_weights is not None
    is_real = windows.candidate_mask
    expected = np.where(windows.labels[is_real] > 0, 1, 10)
    np.testing.assert_allclose(windows.label_weights[is_real], expected)
    context = context_of(deployment)
    popular = most_popular(context, refs[-1])
    num_liked = 2 * sum((user + post) % 4 == 0 for user in range(1, 11) for post in range(1, 5))
    shown = num_liked + 10 * (80 - num_liked)
    table = popular.rates.tables["all"]
    assert (table.shown.item(), table.followed.item()) == (shown, num_liked)


def test_a_day_without_rates_counts_once_beside_one_with_them(deployment) -> None:
    configure(deployment, with_rate=False)
    run(deployment, DAYS[0])
    configure(deployment, with_rate=True)
    run(deployment, DAYS[1])
    refs = [deployment.artifact("build_features", day).ref for day in DAYS]
    source = feature_windows(context_of(deployment), refs)
    first, second = source.read(0), source.read(1)
    assert first.label_weights is not None
    assert (first.label_weights[first.candidate_mask] == 1).all()
    assert second.label_weights is not None
    assert set(np.unique(second.label_weights[second.candidate_mask])) == {1, 10}
    # The histories of the second day are of the first, whose rows stood for themselves.
    assert second.history_weights is not None
    assert (second.history_weights[second.history_post_ids != 0] == 1).all()


def test_a_log_without_rates_has_no_weights_anywhere(deployment) -> None:
    configure(deployment, with_rate=False)
    for day in DAYS:
        run(deployment, day)
    refs = [deployment.artifact("build_features", day).ref for day in DAYS]
    windows = feature_windows(context_of(deployment), refs).read(0)
    assert windows.label_weights is None
    assert windows.history_weights is None


def write_days(root: Path, *, share: float, rate: str = "") -> None:
    """Three days of 100 users, who like some posts a little and some much.

    Args:
      root: Of a deployment.
      share: Of the rows without a like that are kept; all days have the same users and posts.
      rate: A rate that every row names, in place of its own.
    """
    draw = np.random.default_rng(11)
    (root / "log").mkdir(parents=True)
    for day in (*DAYS, NEXT):
        start = int(np.datetime64(day, "ms").astype(int))
        lines = ["user,post,author,time,liked,rate"]
        for user in range(1, 101):
            for place, post in enumerate(draw.permutation(np.arange(1, 31))[:20].tolist()):
                liked, kept = draw.random() < 0.02 + post / 100, draw.random() < share
                if liked or kept:
                    time = start + user * 1000 + place * 60_000
                    own = rate or (1 if liked else share)
                    lines.append(f"{user},{post},{post % 7 + 1},{time},{int(liked)},{own}")
        (root / "log" / f"{day}.csv").write_text("\n".join(lines) + "\n")


def trained(root: Path, days: Sequence[str], *, with_rate: bool) -> Deployment:
    """A deployment whose ranker has learned from all days but the last, and was measured on it."""
    deployment = Deployment(root)
    configure(deployment, with_rate=with_rate)
    path = root / "phoenix.yaml"
    path.write_text(path.read_text() + _TRAINING)
    for day in days:
        run(deployment, day)
    for step in ("train_retrieval", "train_ranker", "evaluate_models"):
        assert deployment.run(step, days[-1]) == ExitCode.DONE, step
    return deployment


def windows_of(deployment: Deployment, day: str) -> Windows:
    """The windows of a day, as a training of the next reads them."""
    artifact = deployment.artifact("build_features", day)
    return feature_windows(context_of(deployment), [artifact.ref]).read(0)


def digests(artifact: Artifact, folder: str = "") -> dict[str, str]:
    """The content of the files of an artifact."""
    names = [name for name in artifact.manifest["files"] if name.startswith(folder)]
    return {
        name: hashlib.sha256((artifact.folder / name).read_bytes()).hexdigest() for name in names
    }


def test_probabilities_of_a_down_sampled_log_are_those_of_the_whole_log(tmp_path: Path) -> None:
    write_days(tmp_path / "whole", share=1)
    write_days(tmp_path / "kept", share=_KEPT)
    whole = Deployment(tmp_path / "whole")
    configure(whole, with_rate=False)
    for day in DAYS:
        run(whole, day)
    deployment = trained(tmp_path / "kept", (*DAYS, NEXT), with_rate=True)
    ranker = models.load_ranker(deployment.artifact("train_ranker", NEXT).path("model"))
    windows = windows_of(whole, DAYS[1])
    is_real = windows.candidate_mask
    predicted, labels = ranker.predict(windows)[is_real][:, 0], windows.labels[is_real] > 0
    assert predicted.mean() == pytest.approx(labels.mean(), rel=0.15)
    # The kept rows alone would say otherwise, and are measured as the whole log would be.
    kept = windows_of(deployment, DAYS[1])
    assert (kept.labels[kept.candidate_mask] > 0).mean() > 2 * labels.mean()
    report = json.loads(
        deployment.artifact("evaluate_models", NEXT).path("metrics.json").read_text()
    )
    measured = report["ranker"]["candidate"]["actions"]["like"]
    assert measured["calibration"] == pytest.approx(1, abs=0.25)


def test_a_log_of_weights_1_gives_the_bytes_of_a_log_without(tmp_path: Path) -> None:
    for name in ("with", "without"):
        write_days(tmp_path / name, share=1, rate="1.0")
        trained(tmp_path / name, DAYS, with_rate=name == "with")
    ours, theirs = (Deployment(tmp_path / name) for name in ("with", "without"))
    for day in DAYS:
        features = [each.artifact("build_features", day) for each in (ours, theirs)]
        assert digests(features[0]) == digests(features[1])
    for kind, folder in (("train_ranker", "model/"), ("evaluate_models", "metrics.json")):
        found = [digests(each.artifact(kind, DAYS[-1]), folder) for each in (ours, theirs)]
        assert found[0] == found[1] != {}
