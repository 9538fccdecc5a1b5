"""Popularity is that of the end of the day before, of every post, on every day of a training."""

import numpy as np

from phoenix.data.days import DAY_MS
from phoenix.data.engagement.popularity import PopularityByDay
from phoenix.data.engagement.rates import POPULARITY, Rates
from tests.phoenix.data.engagement.test_rates import NUM_ACTIONS, rates_of

POSITIVE = np.array([False, True])


def test_a_window_reads_the_counts_of_its_own_day_and_of_no_other() -> None:
    days = {day: rates_of(seed=day)[0] for day in (3, 4)}
    popularity = PopularityByDay(days, POSITIVE)
    posts, authors = (np.random.default_rng(0).integers(1, 9, (4, 5)) for _ in range(2))
    starts = np.array([4 * DAY_MS, 3 * DAY_MS + 7, 5 * DAY_MS - 1, 3 * DAY_MS])
    known = popularity.at(starts, posts, authors)
    for row, day in enumerate((4, 3, 4, 3)):
        expected = days[day].popularity(posts[row], authors[row], POSITIVE)
        np.testing.assert_array_equal(known[row], expected)
    assert not np.array_equal(known[0], days[3].popularity(posts[0], authors[0], POSITIVE))


def test_of_a_day_without_counts_all_posts_are_equally_popular() -> None:
    known = PopularityByDay({}, POSITIVE).at(
        np.array([DAY_MS]), np.array([[1, 2]]), np.ones((1, 2))
    )
    assert known.shape == (1, 2, len(POPULARITY))
    np.testing.assert_array_equal(known[0, 0], known[0, 1])
    nothing = Rates.none(NUM_ACTIONS).popularity(np.array([1]), np.array([1]), POSITIVE)
    np.testing.assert_array_equal(known[0, 0], nothing[0])
