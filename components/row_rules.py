"""The rules that every event must keep, and what becomes of rows that come more than once.

Every row of a day ends in exactly one place: accepted, duplicate or quarantined by the first rule
that it breaks.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.config import Config
from components.known_posts import Columns
from components.layouts import DAY_MS, EPOCH

_IDS = ("user_id", "post_id", "author_id")
_SIGNALS = ("author_id", "surface", "actions", "dwell_seconds")


@dataclass(frozen=True)
class Broken:
    """A rule and the rows that break it."""

    rule: str
    is_broken: np.ndarray  # [L] bool
    column: str  # where to look
    expected: str


@dataclass(frozen=True)
class Merged:
    """The rows that remain when repeated ones are one."""

    events: Columns  # the columns that came in
    num_exact: int  # rows removed because another says the same
    num_conflicting: int  # rows merged into another that says something else
    num_conflicts: int  # rows that others were merged into


def rules(events: Columns, config: Config, day: datetime.date) -> list[Broken]:
    """Holds every event against every rule.

    Args:
      events: Canonical columns, `[L]` each, times in ms.
      config: Limits of validate_events and the actions.
      day: The UTC day to which the rows should belong.

    Returns:
      The rules in the order in which they are applied.
    """
    limits = config.validate_events
    broken = [
        Broken("zero_id", events[name] == 0, name, "an id other than 0, which is padding")
        for name in _IDS
    ]
    broken += [Broken("negative_id", events[name] < 0, name, "an id above 0") for name in _IDS]
    shown_at, start = events["shown_at"], (day - EPOCH).days * DAY_MS
    latest = events["ingested_at"] + round(limits.max_future_minutes * 60_000)
    what = f"a time at most {limits.max_future_minutes:g} minutes after its arrival"
    broken.append(Broken("future_timestamp", shown_at > latest, "shown_at", what))
    is_wrong = (shown_at < start) | (shown_at >= start + DAY_MS)
    broken.append(Broken("wrong_day", is_wrong, "shown_at", f"a time within {day} UTC"))
    is_bad = (events["surface"] < 0) | (events["surface"] >= limits.num_surfaces)
    what = f"0 to {limits.num_surfaces - 1}"
    broken.append(Broken("bad_surface", is_bad, "surface", what))
    dwell = events["dwell_seconds"]
    is_good = (dwell >= 0) & (dwell <= limits.max_dwell_seconds)  # NaN is neither
    what = f"0 to {limits.max_dwell_seconds:g} seconds"
    broken.append(Broken("bad_dwell", ~is_good, "dwell_seconds", what))
    if len(config.actions) < 64:
        is_unknown = (events["actions"] >> np.uint64(len(config.actions))) != 0
        what = f"the bits of {len(config.actions)} actions"
        broken.append(Broken("unknown_action", is_unknown, "actions", what))
    return broken


def judged(broken: Sequence[Broken]) -> np.ndarray:
    """Returns for each row the number of the first rule that it breaks, from 1, or 0: `[L]` uint8.

    Args:
      broken: The rules in the order in which they are applied.
    """
    verdict = np.zeros(len(broken[0].is_broken), np.uint8)
    for number in range(len(broken), 0, -1):
        verdict[broken[number - 1].is_broken] = number
    return verdict


def merged(events: Columns, rows: np.ndarray) -> Merged:
    """Makes one row of those that share user, post and time.

    A row that says the same as another is removed. Rows that differ are merged into the first of
    them: the union of the actions, the longest dwell, and the latest arrival, because only then was
    all of it known. The result is sorted by user, time and event.

    Args:
      events: Canonical columns and maybe more, `[L]` each, in the order of the source.
      rows: Which of them to take, ascending.
    """
    order, is_first = _grouped(events, rows)
    if is_first.all():
        return Merged(_taken(events, _settled(events, order)), 0, 0, 0)
    starts = np.flatnonzero(is_first)
    sizes = np.diff(np.append(starts, len(order)))
    firsts = order[starts]
    changed = ("ingested_at", "actions", "dwell_seconds")
    kept = dict(events) | {name: events[name].copy() for name in changed}
    # Few rows are repeated, so only their groups are looked into.
    repeated = order[np.repeat(sizes > 1, sizes)]
    sizes = sizes[sizes > 1]
    num_versions = _merge_groups(events, repeated, sizes, into=kept)
    num_conflicting = int((num_versions - 1).sum())
    return Merged(
        _taken(kept, _settled(events, firsts)),
        num_exact=len(repeated) - len(sizes) - num_conflicting,
        num_conflicting=num_conflicting,
        num_conflicts=int((num_versions > 1).sum()),
    )


def _grouped(events: Columns, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorts rows by user, time and post, and equal ones in the order of the source.

    Returns:
      The rows in that order, and a mask of the first of each group.
    """
    order = rows[_by_user_and_time(events["user_id"][rows], events["shown_at"][rows])]
    users, times = events["user_id"][order], events["shown_at"][order]
    is_first = _changes([users, times])
    places = _tied(is_first)
    if len(places):
        tied = order[places]
        keys = (events["post_id"][tied], times[places], users[places])
        order[places] = tied[np.lexsort(keys)]
        # Runs of equal users and times stay where they were; their posts begin groups of their own.
        posts = events["post_id"][order[places]]
        is_first[places[1:]] |= posts[1:] != posts[:-1]
    return order, is_first


def _by_user_and_time(users: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Returns the stable order of rows by user and time: one sort where both fit a number."""
    if not len(users):
        return np.empty(0, np.int64)
    first_user, first_time = int(users.min()), int(times.min())
    span = int(times.max()) - first_time + 1
    if (int(users.max()) - first_user + 1) * span >= 2**63:
        return np.lexsort((times, users))
    return np.argsort((users - first_user) * span + (times - first_time), kind="stable")


def _tied(is_first: np.ndarray) -> np.ndarray:
    """Returns the places of the rows that share their key with a neighbour."""
    is_same = ~is_first
    return np.flatnonzero(is_same | np.append(is_same[1:], False))


def _merge_groups(
    events: Columns, rows: np.ndarray, sizes: np.ndarray, *, into: Columns
) -> np.ndarray:
    """Writes what a group of rows says together to the place of its first row.

    Args:
      events: The columns.
      rows: Rows that share user, post and time, group after group, in the order of the source.
      sizes: `[G]` rows per group, above 1.
      into: Copies of the columns, to change.

    Returns:
      `[G]` how many different rows each group has.
    """
    starts = np.append(0, np.cumsum(sizes)[:-1])
    group = np.repeat(np.arange(len(sizes)), sizes)
    says = [events[name][rows] for name in _SIGNALS]
    # Within a group, rows that say the same stand side by side after this sort.
    inner = np.lexsort([*says[::-1], group])
    is_other = _changes([group[inner], *(values[inner] for values in says)])
    num_versions = np.bincount(group[inner][is_other], minlength=len(sizes))
    firsts = rows[starts]
    # In a group of equal rows the first arrival counts, otherwise the last one.
    arrived = events["ingested_at"][rows]
    earliest, latest = np.minimum.reduceat(arrived, starts), np.maximum.reduceat(arrived, starts)
    into["ingested_at"][firsts] = np.where(num_versions > 1, latest, earliest)
    into["actions"][firsts] = np.bitwise_or.reduceat(events["actions"][rows], starts)
    into["dwell_seconds"][firsts] = np.maximum.reduceat(events["dwell_seconds"][rows], starts)
    return num_versions


def _changes(columns: list[np.ndarray]) -> np.ndarray:
    """Returns a mask of the rows that differ from the row before in any column."""
    if not len(columns[0]):
        return np.empty(0, bool)
    differs = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return np.append(True, differs)


def _settled(events: Columns, rows: np.ndarray) -> np.ndarray:
    """Sorts rows that are sorted by user and time by event as well, where these are equal."""
    users, times = events["user_id"][rows], events["shown_at"][rows]
    places = _tied(_changes([users, times]))
    if not len(places):
        return rows
    settled, tied = rows.copy(), rows[places]
    keys = (events["event_id"][tied], times[places], users[places])
    settled[places] = tied[np.lexsort(keys)]
    return settled


def _taken(events: Columns, rows: np.ndarray) -> Columns:
    return {name: values[rows] for name, values in events.items()}
