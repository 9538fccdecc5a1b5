"""The posts of a day are known as its windows know them, and as the day before left them."""

import datetime

import numpy as np
import pytest

from components import contract
from components.errors import BadDataError
from components.features import day_counts, partitions, shapes, windows_files
from components.features.negatives import day_posts
from components.run.context import Context
from phoenix.data.days import day_number
from phoenix.data.engagement.counts import Ids

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


def context_of(world) -> Context:
    return Context(contract.TRAIN_RANKER, world.config, datetime.date(2026, 1, 3), world.store)


@pytest.mark.parametrize("day", DAYS)
def test_what_is_known_of_a_post_is_what_a_window_that_shows_it_says(three_days, day: str) -> None:
    context, artifact = context_of(three_days), three_days.artifact("build_features", day)
    windows = windows_files.read_windows(
        artifact.folder,
        spec=shapes.hash_spec(context.config.hashing),
        rates=day_counts.rates_before(artifact.folder, artifact.manifest, context.config),
    )
    number = day_number(datetime.date.fromisoformat(day))
    posts = day_posts.of_days(context, [artifact.ref])[number]
    order = np.argsort(posts.post_ids)
    is_real = windows.candidate_mask
    ids = windows.candidate_post_ids[is_real]
    at = order[np.searchsorted(posts.post_ids[order], ids)]
    np.testing.assert_array_equal(posts.post_ids[at], ids)
    np.testing.assert_array_equal(posts.author_ids[at], windows.candidate_author_ids[is_real])
    np.testing.assert_array_equal(posts.created_at[at], windows.candidate_created_at[is_real])
    users = np.repeat(windows.user_ids, is_real.sum(axis=1))
    assert posts.rates is not None
    evidence = posts.rates.evidence(
        Ids(users, ids, posts.author_ids[at], windows.candidate_surfaces[is_real])
    )
    np.testing.assert_array_equal(evidence.log_odds, windows.candidate_log_odds[is_real])
    np.testing.assert_array_equal(evidence.log_counts, windows.candidate_log_counts[is_real])


def test_posts_that_the_day_does_not_show_were_counted_before_it(three_days) -> None:
    context, artifact = context_of(three_days), three_days.artifact("build_features", DAYS[2])
    posts = day_posts.of_days(context, [artifact.ref])[day_number(context.day)]
    earlier = three_days.artifact("build_features", DAYS[1])
    after = day_counts.rates_after(earlier.folder, earlier.manifest, context.config)
    assert posts.rates is not None
    shown = posts.rates.impressions(posts.post_ids)
    np.testing.assert_array_equal(shown, after.impressions(posts.post_ids))
    own = day_counts.rates_before(artifact.folder, artifact.manifest, context.config)
    # Without the counts of the day before, what was not shown today would be known by its zeros.
    assert (shown > own.impressions(posts.post_ids)).any()


def test_a_power_weighs_posts_by_their_impressions_before_the_day(three_days) -> None:
    context, ref = context_of(three_days), three_days.artifact("build_features", DAYS[1]).ref
    (posts,) = day_posts.of_days(context, [ref], power=1).values()
    assert posts.rates is not None
    expected = 1 + posts.rates.impressions(posts.post_ids)
    np.testing.assert_allclose(posts.weights, expected)
    assert np.ptp(posts.weights) > 0


def test_features_of_unknown_events_are_refused(three_days, monkeypatch) -> None:
    monkeypatch.setattr(partitions, "input_of", lambda manifest, kind, day: None)
    with pytest.raises(BadDataError, match="expected the events of the day among its inputs"):
        day_posts.of_days(
            context_of(three_days), [three_days.artifact("build_features", DAYS[0]).ref]
        )
