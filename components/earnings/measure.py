"""The impressions of a day by where they came from, and what each part of them earned.

Every mean is per impression and has an interval by user, as the gate's evidence has.

Glossary of shapes:
  N: impressions, A: actions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from components.tables import data_files
from phoenix.metrics.evidence import Evidence
from schemas.earnings import ALL, EARNED, ENGAGEMENT, USER_EARNINGS

NO_RANK = -1
PREDICTED, PROPENSITY = "predicted", "propensity"


class Impressions(NamedTuple):
    """Impressions of a day, with where they came from and what followed."""

    user_ids: np.ndarray  # [N] int64
    releases: np.ndarray  # [N] int64, a code
    sources: np.ndarray  # [N] int64, a code
    ranks: np.ndarray  # [N] int64, NO_RANK where it is not known
    weights: np.ndarray  # [N] float64, how many impressions each stands for
    actions: np.ndarray  # [N] uint64, by the bits of the configuration
    predicted: np.ndarray  # [N] float64, NaN where nothing was foretold
    propensities: np.ndarray  # [N] float64, NaN where the log says none

    def where(self, is_meant: np.ndarray) -> "Impressions":
        """Returns those of which `[N]` bool says that they are meant."""
        return Impressions(*(each[is_meant] for each in self))


@dataclass(frozen=True)
class Measure:
    """The measures of a day."""

    releases: Sequence[str]  # names of the codes
    sources: Sequence[str]
    action_weights: Mapping[str, float]  # by action, in the order of the bits

    def engagement(self, shown: Impressions) -> np.ndarray:
        """`[N]` the sum of the weights of the actions that followed each impression."""
        total = np.zeros(len(shown.actions))
        for bit, weight in enumerate(self.action_weights.values()):
            if weight:
                total += weight * _has_bit(shown.actions, bit)
        return total

    def table(self, shown: Impressions) -> pa.Table:
        """Returns the whole table, in the schema `EARNED`: all, by source, by source and rank."""
        rows = [
            {"release": self.releases[release], "source": source, "rank": rank, **measured}
            for release in np.unique(shown.releases).tolist()
            for own in [shown.where(shown.releases == release)]
            for source, rank, part in self._parts(own)
            for measured in self.measures(part)
        ]
        columns: dict[str, Any] = {
            name: [row[name] for row in rows] for name in EARNED.names if rows
        }
        schema = EARNED.schema()
        return pa.Table.from_pydict(columns, schema=schema) if rows else schema.empty_table()

    def _parts(self, shown: Impressions) -> Iterator[tuple[str, int | None, Impressions]]:
        """Yields the impressions of a release: all, by source, and by source and rank."""
        yield ALL, None, shown
        for code in map(int, np.unique(shown.sources)):
            source, own = self.sources[code], shown.where(shown.sources == code)
            yield source, None, own
            for rank in np.unique(own.ranks[own.ranks != NO_RANK]).tolist():
                yield source, rank, own.where(own.ranks == rank)

    def measures(self, shown: Impressions) -> Iterator[dict[str, Any]]:
        """Yields the measures of some impressions: measure, users, impressions, mean, low, high."""
        values = {
            ENGAGEMENT: self.engagement(shown),
            PREDICTED: shown.predicted,
            PROPENSITY: shown.propensities,
        }
        values |= {
            name: _has_bit(shown.actions, bit) for bit, name in enumerate(self.action_weights)
        }
        users, rows = np.unique(shown.user_ids, return_inverse=True)  # sorting is what takes long
        for name, each in values.items():
            is_known = np.isfinite(each)
            if is_known.any():
                weights = np.where(is_known, shown.weights, 0.0)
                totals = np.bincount(rows, weights, len(users))
                sums = np.bincount(rows, np.where(is_known, each, 0.0) * weights, len(users))
                has_some = totals > 0
                own = Evidence(users[has_some], sums[has_some], totals[has_some], num_days=1)
                yield {"measure": name, **told(own)}

    def user_earnings(self, shown: Impressions) -> pa.Table:
        """Returns the sums by release and user, in the schema `USER_EARNINGS`, sorted."""
        engagement, parts = self.engagement(shown), []
        for release in np.unique(shown.releases).tolist():
            own = shown.releases == release
            sums = by_user(shown.user_ids[own], engagement[own], shown.weights[own])
            parts.append(
                data_files.arrow_table(
                    USER_EARNINGS,
                    {
                        "release": np.full(len(sums.user_ids), self.releases[release], object),
                        "user_id": sums.user_ids,
                        "engagement": sums.sums,
                        "impressions": sums.weights,
                    },
                )
            )
        return pa.concat_tables(parts) if parts else USER_EARNINGS.schema().empty_table()


def by_user(user_ids: np.ndarray, values: np.ndarray, weights: np.ndarray) -> Evidence:
    """Returns the weighted sums of the values of impressions, by user, of one day.

    Args:
      user_ids: `[N]` int64.
      values: `[N]`, finite.
      weights: `[N]`, above 0.

    >>> day = by_user(np.array([3, 8, 3]), np.array([1.0, 0.0, 0.0]), np.ones(3))
    >>> day.sums.tolist(), day.weights.tolist(), round(day.mean, 3)
    ([1.0, 0.0], [2.0, 1.0], 0.333)
    """
    users, rows = np.unique(user_ids, return_inverse=True)
    sums = np.bincount(rows, values * weights, len(users))
    return Evidence(users, sums, np.bincount(rows, weights, len(users)), num_days=1)


def told(evidence: Evidence, confidence: float = 0.95) -> dict[str, Any]:
    """Returns what is told of sums by user: users, impressions, mean, low and high; None if none.

    >>> told(by_user(np.array([3]), np.array([0.5]), np.array([2.0])))
    {'users': 1, 'impressions': 2.0, 'mean': 0.5, 'low': None, 'high': None}
    """
    interval = evidence.interval(confidence) or (None, None)
    return {
        "users": len(evidence.user_ids),
        "impressions": float(evidence.weights.sum()),
        "mean": evidence.mean if len(evidence.user_ids) else None,
        "low": interval[0],
        "high": interval[1],
    }


def _has_bit(actions: np.ndarray, bit: int) -> np.ndarray:
    """`[N]` float64: 1 where an action followed."""
    return ((actions >> np.uint64(bit)) & np.uint64(1)).astype(np.float64)
