"""The benchmark of a day, small: it runs the real steps and says what it measured."""

import pytest

from benchmarks import day


@pytest.mark.slow
def test_a_small_day_and_a_short_log_are_measured() -> None:
    sizes = day.Sizes(users=200, feed_users=200, log_users=50, log_days=6)
    found = {result.name: result for result in day.results(sizes)}
    assert list(found) == [
        "day",
        "day_memory",
        "day_twice_the_size",
        "day_in_buckets_memory",
        "feeds_in_buckets_memory",
        "day_late_in_a_log",
    ]
    assert all(result.ours > 0 for result in found.values())
    assert 0.1 < 3 / found["day_memory"].ratio < 3, "GB of a small day, most of them libraries"
    assert "day 6" in found["day_late_in_a_log"].note
