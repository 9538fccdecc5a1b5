"""Every impression is traced to its feed as by looking through moves and feeds one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.earnings import attribution
from components.earnings.attribution import NONE, FeedRows, LiveTimes, Shown

FEEDS = st.integers(0, 3)
SMALL = st.integers(1, 4)
NAMES = st.sampled_from(["", "feed", "release", "stranger"])
IMPRESSIONS = st.lists(st.tuples(SMALL, SMALL, st.integers(0, 9), NAMES, FEEDS), max_size=30)
MOVES = st.lists(st.tuples(st.integers(0, 9), FEEDS), max_size=6)
PAIRS = st.lists(st.tuples(SMALL, SMALL), unique=True, max_size=8)
RELEASE_OF = [0, 0, 1, 2]  # the first two feeds are of one release


def _by_hand(impression, moves, feeds) -> tuple[int, int]:
    """The feed and its row by the definition, for one impression."""
    user, post, time, kind, number = impression
    at_time = NONE
    for since, feed in moves:  # of several moves at one time the last one counts
        if since <= time:
            at_time = feed
    if kind == "stranger":
        return NONE, NONE
    if kind == "feed":
        feed = number
    elif kind == "release":
        is_live = at_time != NONE and RELEASE_OF[at_time] == RELEASE_OF[number]
        feed = at_time if is_live else number
    else:
        feed = at_time
    listed = feeds[feed] if feed != NONE else []
    return feed, (listed.index((user, post)) if (user, post) in listed else NONE)


@given(IMPRESSIONS, MOVES, st.tuples(PAIRS, PAIRS, PAIRS, PAIRS))
def test_attribution_is_that_of_its_definition(impressions, moves, feeds) -> None:
    moves = sorted(moves, key=lambda move: move[0])
    array = np.array([each[:3] for each in impressions], np.int64).reshape(-1, 3)

    def named(kind: str) -> np.ndarray:
        return np.array([each[4] if each[3] == kind else NONE for each in impressions], np.int64)

    shown = Shown(
        *array.T,
        feeds=named("feed"),
        releases=named("release"),
        is_named=np.array([bool(each[3]) for each in impressions], bool),
    )
    live = LiveTimes(*np.array(moves, np.int64).reshape(-1, 2).T)
    found = attribution.feeds_of(shown, live, np.array(RELEASE_OF))
    tables = [FeedRows(*np.array(each, np.int64).reshape(-1, 2).T) for each in feeds]
    rows = attribution.rows_of(shown, found, tables)
    by_hand = [_by_hand(each, moves, feeds) for each in impressions]
    assert list(zip(found.tolist(), rows.tolist(), strict=True)) == by_hand


def test_the_moment_of_a_move_belongs_to_what_goes_live() -> None:
    times = np.array([9, 10, 11])
    ones, nothing = np.ones(3, np.int64), np.full(3, NONE)
    shown = Shown(ones, ones, times, nothing, nothing, np.zeros(3, bool))
    live = LiveTimes(np.array([5, 10]), np.array([0, 1]))
    assert attribution.feeds_of(shown, live, np.array([0, 1])).tolist() == [0, 1, 1]
