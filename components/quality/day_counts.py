"""Counts of the accepted rows of a day that add up: of some of its users, of all of them.

Sums are of whole numbers, so that the counts of a day do not depend on how its rows were divided.
"""

import datetime
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from phoenix.data import histograms
from phoenix.data.days import DAY_MS, midnight_ms
from phoenix.data.histograms import Histogram

NO_ACTION = "(none)"
_HOUR_MS = 3_600_000
_FRACTION_BITS = 23  # of a float32
_UNIT = 149  # 2^-149 is the smallest float32 above 0, of which each is a whole multiple
_POST_COLUMNS = ["post_id", "rows", "lowest_author", "highest_author"]


@dataclass(frozen=True, kw_only=True)
class DayCounts:
    """The counts of the rows of some users."""

    rows: int
    users: int
    # `post_id`, `rows`, `lowest_author` and `highest_author` of each post, in any order.
    posts: pa.Table
    hours: Sequence[int]  # rows by the hour in which they were shown
    surfaces: Mapping[str, int]  # rows by surface, in the order of the numbers
    actions: Mapping[str, int]  # rows by action known, and `NO_ACTION`
    dwell: int  # sum of the dwell times, in units of 2^-149 s
    delay_ms: int  # sum of the times from impression to arrival
    last_shown_ms: int  # of the latest impression, since 1970; 0 without one
    numbers: Mapping[str, Histogram]  # by variable
    late_actions: int  # later labels with an action, of impressions of earlier days

    @property
    def mean_dwell_seconds(self) -> float:
        """The mean dwell time; there must be a row."""
        return self.dwell / (self.rows << _UNIT)


def count(
    accepted: pa.Table,
    labels: pa.Table,
    actions: Sequence[str],
    day: datetime.date,
    unknown: Collection[str] = (),
) -> DayCounts:
    """Counts rows, in one pass over each column.

    Args:
      accepted: Rows in the schema `EVENTS`, all that the day has of their users.
      labels: Rows in the schema `LABELS`: what became known of impressions later.
      actions: The names of the bits.
      day: The UTC day.
      unknown: The actions that the day could not know; they are not counted.
    """
    shown_at = accepted["shown_at"].cast(pa.int64()).to_numpy()
    delays = accepted["ingested_at"].cast(pa.int64()).to_numpy() - shown_at  # [L] ms
    dwell = accepted["dwell_seconds"].to_numpy()
    rows_per_user = accepted.group_by("user_id").aggregate([([], "count_all")])["count_all"]
    posts = accepted.group_by("post_id").aggregate(
        [([], "count_all"), ("author_id", "min"), ("author_id", "max")]
    )
    hours = np.bincount((shown_at - midnight_ms(day)) // _HOUR_MS, minlength=DAY_MS // _HOUR_MS)
    return DayCounts(
        rows=len(accepted),
        users=len(rows_per_user),
        posts=posts.rename_columns(_POST_COLUMNS),
        hours=hours.tolist(),
        surfaces=_count_values(accepted["surface"]),
        actions=_count_actions(accepted["actions"].to_numpy(), actions, unknown),
        dwell=_exact_sum(dwell),
        delay_ms=int(delays.sum()),
        last_shown_ms=int(shown_at.max(initial=0)),
        numbers={
            "dwell_seconds": histograms.of_numbers(dwell),
            "delay_seconds": histograms.of_numbers(delays / 1_000),
            "rows_per_user": histograms.of_numbers(rows_per_user.to_numpy()),
        },
        late_actions=_count_late_actions(labels, midnight_ms(day)),
    )


def merge(parts: Sequence[DayCounts]) -> DayCounts:
    """Adds up counts of different users; there must be at least one part."""
    if len(parts) == 1:
        return parts[0]
    posts = pa.concat_tables([part.posts for part in parts]).group_by("post_id")
    sums = [("rows", "sum"), ("lowest_author", "min"), ("highest_author", "max")]
    surfaces = sum((Counter(part.surfaces) for part in parts), Counter())
    actions = {name: sum(part.actions[name] for part in parts) for name in parts[0].actions}
    return DayCounts(
        rows=sum(part.rows for part in parts),
        users=sum(part.users for part in parts),
        posts=posts.aggregate(sums).rename_columns(_POST_COLUMNS),
        hours=np.sum([part.hours for part in parts], axis=0).tolist(),
        surfaces=_by_number(surfaces),
        actions=actions,
        dwell=sum(part.dwell for part in parts),
        delay_ms=sum(part.delay_ms for part in parts),
        last_shown_ms=max(part.last_shown_ms for part in parts),
        numbers={
            name: histograms.merge(part.numbers[name] for part in parts)
            for name in parts[0].numbers
        },
        late_actions=sum(part.late_actions for part in parts),
    )


def _exact_sum(values: np.ndarray) -> int:
    """Returns the sum of float32 of at least 0, in units of 2^-149.

    Sums of floats depend on the order of the rows, and the order on the files that they are in.

    >>> _exact_sum(np.array([0.5, 1.0, 1e-45], np.float32)) - (3 << 148)
    1
    """
    bits = np.where(values > 0, values, 0).astype(np.float32).view(np.int32)
    exponents = bits >> _FRACTION_BITS
    # Numbers with one exponent are whole multiples of one unit; below 2^30 rows their sum is exact.
    leading_bits = np.where(exponents > 0, 1 << _FRACTION_BITS, 0)
    fractions = (bits & ((1 << _FRACTION_BITS) - 1)) | leading_bits
    sums = np.bincount(exponents, fractions)
    # Numbers without a leading bit have the unit of the exponent above theirs.
    return sum(int(each) << max(exponent - 1, 0) for exponent, each in enumerate(sums))


def _count_actions(
    bits: np.ndarray, names: Sequence[str], unknown: Collection[str]
) -> dict[str, int]:
    """Returns how many rows have each action, and how many have none."""
    counts = {
        name: int(np.count_nonzero(bits & np.uint64(1 << number)))
        for number, name in enumerate(names)
        if name not in unknown
    }
    return counts | {NO_ACTION: int(len(bits) - np.count_nonzero(bits))}


def _count_late_actions(labels: pa.Table, start: int) -> int:
    """Returns how many rows with an action are of impressions before `start`, in ms."""
    is_earlier = labels["shown_at"].cast(pa.int64()).to_numpy() < start
    return int(np.count_nonzero(labels["actions"].to_numpy()[is_earlier]))


def _count_values(column: pa.ChunkedArray) -> dict[str, int]:
    """Returns how many rows have each number, in the order of the numbers."""
    counts = column.value_counts().to_pylist()
    return _by_number({str(each["values"]): each["counts"] for each in counts})


def _by_number(counts: Mapping[str, int]) -> dict[str, int]:
    # As numbers, so that 10 comes after 9.
    return dict(sorted(counts.items(), key=lambda pair: int(pair[0])))
