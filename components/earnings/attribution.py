"""The published feed from which each impression came.

A log may name the feed, or its release, that showed a post; then that is where it came from, and a
name that is none of ours is another system's. Else an impression came from the feed that was live
at its time, if that feed lists the post for the user.

Glossary of shapes:
  N: impressions, F: published feeds, M: moves of what is live, R: rows of a feed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from phoenix.data import sorted_ids

NONE = -1  # of feeds and rows: there is none


class Shown(NamedTuple):
    """Impressions, with what the log says of where they came from."""

    user_ids: np.ndarray  # [N] int64
    post_ids: np.ndarray  # [N] int64
    shown_at: np.ndarray  # [N] int64, ms UTC
    feeds: np.ndarray  # [N] int64: the feed that the log names; NONE
    releases: np.ndarray  # [N] int64: a feed of the release that the log names; NONE
    is_named: np.ndarray  # [N] bool: the log names something, known here or not


class LiveTimes(NamedTuple):
    """Moves of what is live, in their order: each is live until the next one."""

    since: np.ndarray  # [M] int64, ms UTC, ascending
    feeds: np.ndarray  # [M] int64


class FeedRows(NamedTuple):
    """Rows of one published feed, no pair of user and post twice."""

    user_ids: np.ndarray  # [R] int64
    post_ids: np.ndarray  # [R] int64


def feeds_of(shown: Shown, live: LiveTimes, release_of: np.ndarray) -> np.ndarray:
    """Returns the feed that each impression can have come from.

    A log that names a release means the feed of it that was live at the time, or, if none of it
    was, the one that it is named by.

    Args:
      shown: N impressions.
      live: M moves.
      release_of: `[F]` int64: the release of each feed.

    Returns:
      `[N]` int64 feeds; `NONE` where nothing was live, or the log names what is no feed of ours.

    >>> shown = Shown(*(np.array(each) for each in ([3, 3, 3], [7, 7, 7], [5, 10, 15])),
    ...               feeds=np.array([-1, -1, 0]), releases=np.full(3, -1),
    ...               is_named=np.array([False, False, True]))
    >>> feeds_of(shown, LiveTimes(np.array([10, 12]), np.array([0, 1])), np.array([0, 1])).tolist()
    [-1, 0, 0]
    """
    moves = np.searchsorted(live.since, shown.shown_at, "right") - 1
    at_time = np.append(live.feeds, NONE)[moves]  # the last place, which is -1, is nothing live
    releases = np.append(release_of, NONE)
    is_release_live = (at_time != NONE) & (releases[at_time] == releases[shown.releases])
    named = np.where(is_release_live, at_time, shown.releases)
    named = np.where(shown.feeds == NONE, named, shown.feeds)
    return np.where(shown.is_named, named, at_time)


def rows_of(shown: Shown, feeds: np.ndarray, rows: Sequence[FeedRows]) -> np.ndarray:
    """Returns the row of its feed that lists each impression's post for its user.

    Args:
      shown: N impressions.
      feeds: `[N]` from `feeds_of`.
      rows: Of each of the F feeds.

    Returns:
      `[N]` int64 rows of that feed; `NONE` where it does not list the post for the user.
    """
    places = np.full(len(feeds), NONE, np.int64)
    for number, own in enumerate(rows):
        index = np.flatnonzero(feeds == number)
        if len(index) and len(own.user_ids):
            pairs = shown.user_ids[index], shown.post_ids[index]
            found = sorted_ids.find_keys(pairs, own)
            places[index] = np.where(found.is_there, found.rows, NONE)
    return places
