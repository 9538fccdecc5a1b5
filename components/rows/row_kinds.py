"""Signs that a log whose rows are read as impressions has one row per action.

In such a log nearly every row has exactly one action - none is without - and a post comes again
within minutes, as a view that is followed by a sale does. A log of positives alone has the first
sign, and a feed that shows a post again the second; only both together are told.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from components.settings.config import Config
from components.settings.source import FoldableSource
from components.tables import data_files

_SAMPLED_ROWS = 1 << 18  # of more rows a share of the users is measured
_HOUR_MS = 3_600_000  # not a setting: what a day measured must not depend on one
_MIN_ROWS, _ONE_ACTION, _REPEATED = 5, 0.95, 0.1


class Signs(NamedTuple):
    """Numbers of the rows of some users that were looked at."""

    num_rows: int = 0
    num_one_action: int = 0  # of them with exactly one action
    num_repeated: int = 0  # of them whose user had a row of the same post within an hour before


def count(events: pa.Table, num_rows: int) -> Signs:
    """Counts the signs in rows of a day.

    Args:
      events: With the columns of `EVENTS`, all that the day has of their users.
      num_rows: Of the whole day.
    """
    names = ["user_id", "post_id", "shown_at", "actions"]
    users, posts, times, actions = data_files.columns(events.select(names)).values()
    # By users, since what is asked is asked within a user.
    rows = np.flatnonzero(users % max(1, -(-num_rows // _SAMPLED_ROWS)) == 0)
    rows = rows[np.lexsort((times[rows], posts[rows], users[rows]))]
    is_same = (np.diff(users[rows]) == 0) & (np.diff(posts[rows]) == 0)
    is_repeated = is_same & (np.diff(times[rows]) <= _HOUR_MS)
    bits = actions[rows]
    # A set of bits without its lowest one is empty where there is one alone.
    is_one = (bits != 0) & ((bits & (bits - np.uint64(1))) == 0)
    return Signs(len(rows), int(is_one.sum()), int(is_repeated.sum()))


def measure(parts: Sequence[Signs], num_rows: int) -> dict[str, float]:
    """Measures the signs in all rows of a day.

    Args:
      parts: What `count` returned for the rows of some users each.
      num_rows: Of the whole day.

    Returns:
      `one_action`, the share of rows with exactly one action, and `repeated_post`, the share of
      rows whose user had a row of the same post within an hour before; nothing for a few rows.
    """
    total, one_action, repeated = (sum(numbers) for numbers in zip(Signs(), *parts, strict=True))
    if num_rows < _MIN_ROWS or not total:
        return {}
    return {
        "one_action": round(one_action / total, 4),
        "repeated_post": round(repeated / total, 4),
    }


def advice(shares: Mapping[str, Any], config: Config) -> str | None:
    """Returns what to do about rows that look like actions; None if they do not.

    Args:
      shares: What `measure` returned for a day.
      config: Says what the rows are declared to be.
    """
    source = config.ingest_events.source
    is_declared = not isinstance(source, FoldableSource) or source.rows != "impressions"
    one, repeated = shares.get("one_action", 0.0), shares.get("repeated_post", 0.0)
    if is_declared or one < _ONE_ACTION or repeated < _REPEATED:
        return None
    return (
        f"The rows look like actions, not impressions: {one:.0%} have exactly one action, and for "
        f"{repeated:.0%} the user had a row of the same post within an hour before. A window would "
        "hold a post as a positive and as its own negative; set `ingest_events.source.rows: "
        "actions`."
    )
