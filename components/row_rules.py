"""The rules that every event must keep, and what becomes of rows that come more than once.

Every row of a day ends in exactly one place: accepted, duplicate or quarantined by the first rule
that it breaks.
"""

import datetime
from dataclasses import dataclass

import numpy as np

from components.config import Config
from components.known_posts import DAY_MS, EPOCH, Columns

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

    events: Columns  # canonical columns
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


def merged(events: Columns) -> Merged:
    """Makes one row of those that share user, post and time.

    A row that says the same as another is removed. Rows that differ are merged into the first of
    them: the union of the actions, the longest dwell, and the latest arrival, because only then was
    all of it known. The result is sorted by user, time and event.

    Args:
      events: Canonical columns, `[L]` each, in the order of the source.
    """
    keys = [events[name] for name in ("user_id", "post_id", "shown_at")]
    order = np.lexsort(keys[::-1])  # stable: the order of the source within equal keys
    is_first = _changes([key[order] for key in keys])
    if is_first.all():
        return Merged(_sorted(events), 0, 0, 0)
    group = np.cumsum(is_first) - 1
    says = [events[name][order] for name in _SIGNALS]
    # Within a group, rows that say the same stand side by side after this second sort.
    inner = np.lexsort([*says[::-1], group])
    is_other = _changes([group[inner], *(values[inner] for values in says)])
    versions = np.bincount(group[inner][is_other])  # how many different rows each group has
    starts = np.flatnonzero(is_first)
    kept = {name: values[order][starts] for name, values in events.items()}
    # In a group of equal rows the first arrival counts, otherwise the last one.
    arrived = events["ingested_at"][order]
    earliest, latest = np.minimum.reduceat(arrived, starts), np.maximum.reduceat(arrived, starts)
    kept["ingested_at"] = np.where(versions > 1, latest, earliest)
    kept["actions"] = np.bitwise_or.reduceat(events["actions"][order], starts)
    kept["dwell_seconds"] = np.maximum.reduceat(events["dwell_seconds"][order], starts)
    num_conflicting = int((versions - 1).sum())
    return Merged(
        _sorted(kept),
        num_exact=len(order) - len(starts) - num_conflicting,
        num_conflicting=num_conflicting,
        num_conflicts=int((versions > 1).sum()),
    )


def _changes(columns: list[np.ndarray]) -> np.ndarray:
    """Returns a mask of the rows that differ from the row before in any column."""
    if not len(columns[0]):
        return np.empty(0, bool)
    differs = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return np.append(True, differs)


def _sorted(events: Columns) -> Columns:
    order = np.lexsort([events[name] for name in ("event_id", "shown_at", "user_id")])
    return {name: values[order] for name, values in events.items()}
