"""The world's book says what feeds were worth, and `measure_feeds` finds it to the last row."""

import datetime

import pytest

from benchmarks import pipeline
from components import contract, ingest_events
from components.cli.loop import book
from components.cli.plan import prepare_loop

BEFORE_MODELS = ("train_retrieval", "train_ranker", "evaluate_models", "export_corpus")
FEEDS = ("publish_release", "measure_feeds", "materialize_feeds", "publish_feeds")


def test_earnings_are_those_of_the_worlds_own_book_to_the_last_impression(tmp_path) -> None:
    plan, log = prepare_loop(tmp_path)
    first, second, third = plan.days(3)
    path = plan.deployment.config
    log.write(first)
    for name in (*pipeline.DATA_STEPS, *BEFORE_MODELS, *FEEDS):
        pipeline.run_step(path, name, first)
    log.write(second)
    for name in pipeline.DATA_STEPS[:2]:
        pipeline.run_step(path, name, second)
    assert book.entry(log, plan.config, second).measured is None, "the next day measures it"
    pipeline.run_step(path, "measure_feeds", third)
    nothing, entry = (book.entry(log, plan.config, day) for day in (first, second))
    assert (nothing.served, nothing.feeds, nothing.most_popular) == (0, None, None)
    ref = log.store.head(contract.MEASURE_FEEDS.name, str(third))
    assert ref is not None
    facts = log.store.manifest(ref)["facts"]
    (release,) = facts["releases"]
    assert release["measures"]["engagement"]["impressions"] == entry.served
    assert entry.measured == pytest.approx(entry.feeds, abs=1e-12)
    elsewhere = facts["none"]["measures"]["engagement"]["mean"]
    assert elsewhere == pytest.approx(entry.elsewhere, abs=1e-12)
    assert entry.most_popular is not None
    # Of such a day the release is the most popular recommender, in another order.
    assert entry.feeds == pytest.approx(entry.most_popular, rel=0.5)
    assert book.entry(log, plan.config, second) == entry
    assert entry.day == first + datetime.timedelta(days=1)
    # Run again from the first day on, a day finds what it found, or its feeds were never live.
    log.write(first)
    argv = ["--config", str(path), "--day", str(first)]
    assert ingest_events.main(argv) == contract.ExitCode.NOTHING_TO_DO
