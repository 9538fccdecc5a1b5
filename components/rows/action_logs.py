"""The actions of a day as rows of impressions, of the day and of those before it.

See `folding` for the rule.
"""

import datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components import contract
from components.errors import TryAgainError
from components.rows import folding, late_rows, source_ids
from components.rows.rules import KEY
from components.run.context import Context
from components.store import leases
from components.store.artifacts import Artifact, Ref, table_files
from components.tables import data_files
from components.tables.bucket_files import BucketFiles
from phoenix.data.days import midnight_ms
from schemas.events import EVENTS


def no_impressions() -> pa.Table:
    """Returns the keys of no impressions."""
    return EVENTS.schema().empty_table().select(KEY)


def earlier_refs(context: Context, ingested: Artifact) -> list[Ref]:
    """Returns the validated days whose impressions actions of a day may belong to.

    Those are the day before, across midnight, and the days of late rows; none unless the log is one
    of actions.

    Raises:
      TryAgainError: If the day before is missing, or being made, as in a backfill of several days
        at once.
    """
    if context.config.fold_ms is None:
        return []
    yesterday, kind = context.day - datetime.timedelta(days=1), contract.VALIDATE_EVENTS.name
    oldest = str(late_rows.oldest_day(context.config, context.day))
    late_days = [day for day in ingested.facts.get("late_by_day", {}) if day >= oldest]
    _refuse_unfinished(context, yesterday)
    refs = {day: context.store.head(kind, day) for day in (*late_days, str(yesterday))}
    if yesterday >= context.config.first_day and refs[str(yesterday)] is None:
        # Not bad data: days of a backfill may begin beside each other, and this one before it.
        raise TryAgainError(
            f"{context.step.name} of {context.day} needs {kind} of {yesterday}, which is not there "
            "yet: with `rows: actions` an action after midnight may belong to an impression before "
            "it. Run the data steps of the days in order; where that day was refused, mend it."
        )
    return [ref for _, ref in sorted(refs.items()) if ref is not None]


def _refuse_unfinished(context: Context, day: datetime.date) -> None:
    """Refuses to read the day before while somebody makes it: it would be its old version, or none.

    Raises:
      TryAgainError: Naming who.
    """
    for kind in (contract.INGEST_EVENTS.name, contract.VALIDATE_EVENTS.name):
        holding = leases.holder(context.store.storage, f"{kind}/{day}")
        if holding is not None and holding.is_alive:
            raise TryAgainError(
                f"{context.step.name} of {context.day} reads {contract.VALIDATE_EVENTS.name} of "
                f"{day}, but {holding.name} is being written since {holding.entry.moved_at}. Run "
                "days in order: a backfill needs Max Active Runs 1."
            )


def labels_refs(context: Context, ingested: Artifact) -> list[Ref]:
    """Returns the validated days whose labels say what late rows before a day will be.

    A late row that belongs to no impression makes one when its own day runs again. What arrives
    after it may belong to that one, whether or not the day has run by then.
    """
    late_days = sorted(ingested.facts.get("late_by_day", {}))
    if context.config.fold_ms is None or not late_days:
        return []
    first = max(contract.parse_day(late_days[0]), late_rows.oldest_day(context.config, context.day))
    days = (first + datetime.timedelta(days=n) for n in range(1, (context.day - first).days))
    heads = (context.head(contract.VALIDATE_EVENTS.name, day) for day in days)
    return [
        ref
        for ref in heads
        if ref is not None and table_files(context.store.manifest(ref), data_files.LABELS_FILE)
    ]


def earlier_files(context: Context, ingested: Artifact) -> list[BucketFiles]:
    """Opens the accepted rows of `earlier_refs`, and the labels of `labels_refs`.

    Raises:
      BadDataError: If a file is missing or damaged.
    """
    files = [(ref, data_files.ACCEPTED_FILE) for ref in earlier_refs(context, ingested)]
    files += [(ref, data_files.LABELS_FILE) for ref in labels_refs(context, ingested)]
    return [BucketFiles(context.store.read_files(*each)) for each in files]


class Folded(NamedTuple):
    """The actions of a day with the times of their impressions."""

    rows: pa.Table  # as they came in, but for the times
    places: np.ndarray  # `[k]` int64, rising: those of impressions of the day
    carried: pa.Table  # those of impressions of earlier days, sorted as labels are made of them


class Fold(NamedTuple):
    """The way to fold the actions of a day."""

    earlier: pa.Table
    day: datetime.date
    fold_ms: int

    def impressions(self, rows: pa.Table, places: np.ndarray) -> Folded:
        """Folds actions; leaves out those that only repeat another.

        Args:
          rows: With the columns of an engine, in the order of the source.
          places: `[k]` int64, rising: the rows that break no rule.
        """
        if source_ids.COLUMN not in rows.column_names:  # their ids have said what is a repeat
            places = folding.without_copies(rows, places)
        start = midnight_ms(self.day)
        earlier = folding.actions_of(self.earlier)
        is_open = (earlier.times < start) & (earlier.times >= start - self.fold_ms)
        actions = folding.actions_of(rows)
        times = folding.impression_times(
            folding.Actions(*(array[places] for array in actions)),
            folding.turns_of(rows["ingested_at"].to_numpy()[places], start),
            folding.Actions(*(array[is_open] for array in earlier)),
            fold_ms=self.fold_ms,
        )
        shown_at = actions.times.copy()
        shown_at[places] = times
        rows = folding.with_times(rows, shown_at)
        carried = rows.take(pa.array(places[times < start]))
        order = [(name, "ascending") for name in (*KEY, "ingested_at", "place")]
        return Folded(rows, places[times >= start], carried.sort_by(order))
