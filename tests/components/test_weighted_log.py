"""A log that keeps a share of its impressions: each row counts as many as it stands for."""

from pathlib import Path

import numpy as np
import pytest

from components import contract
from components.contract import ExitCode
from components.evaluation.entrants import most_popular
from components.features.later_labels import later_labels
from components.features.training_source import feature_windows
from components.run.context import Context
from components.settings.loading import load
from components.store.artifacts import Store
from tests.components.conftest import day_of
from tests.components.test_changing_actions import Deployment

DAYS = ("2026-03-01", "2026-03-02")
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
    return Context(contract.TRAIN_RANKER, config, day_of("2026-03-03"), store)


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
    days = [day_of(day) for day in DAYS]
    popular = most_popular(context, refs, later_labels(context, days, through=days[-1]))
    num_liked = 2 * sum((user + post) % 4 == 0 for user in range(1, 11) for post in range(1, 5))
    shown = num_liked + 10 * (80 - num_liked)
    np.testing.assert_allclose(popular.global_rates, [(num_liked + 1) / (shown + 2)], rtol=1e-5)


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
