"""A training starts where it should, on the days that it should."""

import html
from pathlib import Path

import pytest

from components.contract import ExitCode

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
DATA_STEPS = ("ingest_events", "validate_events", "build_features")


def _force_promotion(world, day: str) -> None:
    assert world.run("evaluate_models", day, force="promote", reason="a test") == 0
    assert world.run_day(day, ("export_corpus", "publish_release")) == [0, 0]


def test_a_promoted_champion_is_the_start_of_the_next_training(world) -> None:
    _force_promotion(world, DAYS[1])
    assert world.run("train_ranker", DAYS[2]) == ExitCode.DONE
    facts = world.artifact("train_ranker", DAYS[2]).facts
    assert (facts["started_from"], facts["partitions"]) == (DAYS[1], [DAYS[1]])
    assert (facts["new_actions"], facts["scratch_reason"]) == ([], None)
    # Its optimizer goes on, too: moments and learning rate do not begin anew every day.
    steps = world.artifact("train_ranker", DAYS[1]).facts["steps"]
    assert facts["optimizer"] == {"steps_before": steps, "new_because": None}
    page = Path(world.config.store) / "pages" / DAYS[2] / "index.html"
    assert f"with its optimizer, after {steps} steps" in page.read_text()


@pytest.mark.parametrize(
    ("window_days", "started_from", "partitions"),
    [(7, DAYS[2], list(DAYS[1:])), (1, None, [DAYS[2]])],
)
def test_a_warm_start_leaves_out_no_day_that_the_champion_has_not_seen(
    window_days: int, started_from: str | None, partitions: list[str], world
) -> None:
    _force_promotion(world, DAYS[1])  # a model that has seen the first day alone,
    assert world.run("evaluate_models", DAYS[2], force="keep", reason="a test") == 0
    assert world.run_day(DAYS[2], ("export_corpus", "publish_release")) == [0, 0]  # kept,
    world.edit("epochs: 2", f"epochs: 2\n  window_days: {window_days}")
    assert set(world.run_day("2026-01-04", DATA_STEPS)) == {0}
    assert world.run("train_ranker", "2026-01-04") == ExitCode.DONE
    facts = world.artifact("train_ranker", "2026-01-04").facts
    assert (facts["started_from"], facts["partitions"]) == (started_from, partitions)
    if started_from is None:
        assert facts["scratch_reason"] == (
            f"the champion ends on {DAYS[0]}, and `window_days` begins later"
        )


def test_a_champion_of_another_shape_is_not_a_start(world) -> None:
    _force_promotion(world, DAYS[1])
    world.edit("num_layers: 1", "num_layers: 2")
    assert world.run("train_ranker", DAYS[2]) == ExitCode.DONE
    facts = world.artifact("train_ranker", DAYS[2]).facts
    assert (facts["started_from"], facts["partitions"]) == (None, list(DAYS[:2]))
    assert facts["scratch_reason"] == (
        f"the champion, the release of {DAYS[1]}, was made with another `train_ranker.model`"
    )


@pytest.mark.parametrize(
    ("old", "new", "day", "reason"),
    [
        ("epochs: 2", "epochs: 2", DAYS[1], "is the most popular recommender"),
        ("epochs: 2", "epochs: 2\n  warm_start: false", DAYS[2], "`warm_start` is false"),
        ("post_rows: 500", "post_rows: 501", DAYS[2], "was made with another `hashing`"),
    ],
)
def test_a_training_from_scratch_says_why(old: str, new: str, day: str, reason: str, world) -> None:
    _force_promotion(world, DAYS[1])
    world.edit(old, new)
    assert world.run("train_ranker", day, retrain="always") in (0, ExitCode.NOTHING_TO_DO)
    facts = world.artifact("train_ranker", day).facts
    assert facts["started_from"] is None
    assert facts["scratch_reason"].endswith(reason)
    page = Path(world.config.store) / "pages" / day / "index.html"
    assert f"scratch: {facts['scratch_reason']}" in html.unescape(page.read_text())


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        (("epochs: 2", "epochs: 2\n  every_days: 2"), {}, None),
        (("epochs: 2", "epochs: 2\n  every_days: 3"), {}, "every 3th day"),
        (("min_windows: 10", "min_windows: 100000"), {}, ".min_windows` asks for 100000"),
        (("epochs: 2", "epochs: 2"), {"retrain": "never"}, "--retrain never"),
        (("epochs: 2", "epochs: 2\n  every_days: 3"), {"retrain": "always"}, None),
    ],
)
def test_training_happens_when_it_was_asked_for(
    change: tuple[str, str], options: dict, reason: str | None, world
) -> None:
    world.edit(*change)
    assert world.run("train_ranker", DAYS[2], **options) in (0, ExitCode.NOTHING_TO_DO)
    facts = world.artifact("train_ranker", DAYS[2]).facts
    assert facts["trained"] == (reason is None)
    assert reason is None or reason in facts["reason"]
