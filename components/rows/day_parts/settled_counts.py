"""What there is to know of the settled rows of some users, which adds up to that of a day."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.rows import account, merging, quarantine
from components.rows.merging import RepetitionCounts
from components.rows.quarantine import RuleReport
from components.rows.settlement import Settlement


@dataclass(frozen=True, kw_only=True)
class SettledCounts:
    """The account of some rows, and the numbers of what was made of them."""

    files: Sequence[Mapping[str, Any]]  # file, rows_in and the fates, in order of the names
    repetitions: RepetitionCounts
    rules: Sequence[RuleReport]  # of the rows in quarantine
    late_by_day: Mapping[str, int]  # rows that arrived on this day, by the day they belong to
    labels_by_day: Mapping[str, int]
    users: np.ndarray  # [N] int64: who has accepted rows, each once

    @property
    def account(self) -> dict[str, int]:
        """`rows_in` and the fates, of all files."""
        return account.total(self.files)

    @classmethod
    def of(cls, settlement: Settlement) -> "SettledCounts":
        """Counts settled rows."""
        return cls(
            files=settlement.files,
            repetitions=settlement.repetitions,
            rules=quarantine.summary(settlement.quarantined),
            late_by_day=settlement.late_by_day,
            labels_by_day=account.by_day(settlement.labels),
            users=settlement.accepted["user_id"].unique().to_numpy(),
        )

    @classmethod
    def merge(cls, parts: Sequence["SettledCounts"]) -> "SettledCounts":
        """Adds up the counts of different users, in order of their slots."""
        return cls(
            files=account.merge([part.files for part in parts]),
            repetitions=merging.add_up([part.repetitions for part in parts]),
            rules=quarantine.merge([part.rules for part in parts]),
            late_by_day=_add_up([part.late_by_day for part in parts]),
            labels_by_day=_add_up([part.labels_by_day for part in parts]),
            users=np.concatenate([part.users for part in parts]),
        )


def _add_up(parts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total = sum((Counter(part) for part in parts), Counter())
    return dict(sorted(total.items()))
