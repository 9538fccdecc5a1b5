"""The feeds of a day are those that were live on it, and those that its log names."""

import datetime

import pytest

from components.earnings import live_feeds
from tests.components.earnings.served_days import ServedDays, ms

DAY = datetime.date(2026, 1, 2)


@pytest.fixture
def days(tmp_path) -> ServedDays:
    return ServedDays.new(tmp_path)


def test_what_was_live_at_midnight_and_what_moved_since_can_have_been_shown(days) -> None:
    published = [
        days.release(f"2026-01-0{number}", {1: [number]}, model=str(number))
        for number in range(1, 5)
    ]
    moments = (ms("2026-01-01", 3), ms("2026-01-02", 0), ms("2026-01-02", 9), ms("2026-01-03", 0))
    for each, at in zip(published, moments, strict=True):
        days.go_live(*each, at)
    found = live_feeds.of_day(days.store, DAY, [], by_time=True)
    assert [each.partition for each in found.releases] == ["2026-01-02", "2026-01-03"]
    assert found.live.since.tolist() == list(moments[1:3])
    named = [published[0][1].digest, published[3][0].key, "home"]
    found = live_feeds.of_day(days.store, DAY, named, by_time=False)
    assert [each.partition for each in found.releases] == ["2026-01-01", "2026-01-04"]
    assert found.moves == ()


def test_releases_that_keep_their_models_count_as_one(days) -> None:
    names = ["a", "b", "b", "b"]
    published = [
        days.release(f"2026-01-0{number}", {1: [number]}, model=name)
        for number, name in enumerate(names, 1)
    ]
    for number, each in enumerate(published, 1):
        days.go_live(*each, ms(f"2026-01-0{number}", 5))
    first, last = published[0][0], published[-1][0]
    assert live_feeds.release_before(days.store, last) == first
    assert live_feeds.release_before(days.store, first) is None
    assert live_feeds.models_of(days.store, last) == live_feeds.models_of(
        days.store, published[1][0]
    )
