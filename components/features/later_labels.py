"""Labels that arrived after the day of their impressions, for who reads the features of that day.

Features of a day hold what arrived on it, and stay as they are. Who reads them later, a training,
joins the labels of the days since, up to the last one that it may know, and names these days in its
recipe.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components import contract
from components.features.event_log import NO_LABELS
from components.features.windows_files import ATTRIBUTION, Known
from components.run.context import Context
from components.settings.steps import FeaturesConfig
from components.store import artifacts
from components.store.artifacts import Artifact, Ref
from components.tables import action_lists, bucket_files, data_files
from components.tables.action_lists import ActionList
from components.tables.data_files import LABELS_FILE
from phoenix.data.days import DAY_MS, day_number, midnight_ms
from phoenix.data.states import LabelRows
from schemas.events import LABELS


@dataclass(frozen=True)
class LaterLabels:
    """Labels of the impressions of some days, by the day on which they were shown."""

    known_by: int  # ms: the last moment of which a reader knows
    refs: tuple[Ref, ...] = ()  # of the validate_events that hold them
    by_day: Mapping[int, LabelRows] | None = None  # by the number of the day, sorted by user

    def known(self, features: Ref, facts: Mapping[str, Any]) -> Known:
        """Returns what a reader of the features of one of the days may take for their labels.

        Args:
          features: Of the day.
          facts: Of their manifest.
        """
        day = contract.parse_day(features.partition)
        return Known(
            self.known_by,
            (self.by_day or {}).get(day_number(day), NO_LABELS),
            drops_late_impressions=facts.get("has_late_rows", False),
        )


def files_of(validated: Artifact) -> list[Path]:
    """Returns the files of the labels that arrived on a day; none if nobody looked for them yet."""
    # Before format 3 a late label was a reason to run its day again, and not written down.
    has_labels = artifacts.table_files(validated.manifest, LABELS_FILE)
    return validated.paths(LABELS_FILE) if has_labels else []


def metadata(config: FeaturesConfig) -> dict[str, str]:
    """Returns what the files of features say of labels: how late one may be."""
    minutes = config.attribution_minutes
    return {} if minutes is None else {ATTRIBUTION: str(minutes)}


def later_labels(
    context: Context, days: Sequence[datetime.date], *, through: datetime.date
) -> LaterLabels:
    """Reads the labels that arrived for impressions of some days on later ones.

    Args:
      context: The run, whose store is read.
      days: Of the impressions.
      through: The last day whose arrivals count.

    Raises:
      BadDataError: If a file is missing or damaged, or an action had another meaning.
    """
    known_by = midnight_ms(through) + DAY_MS - 1
    if not days:
        return LaterLabels(known_by)
    refs, parts, lists = [], [], {}
    number = min(days) + datetime.timedelta(days=1)
    while number <= through:
        ref = context.head(contract.VALIDATE_EVENTS.name, number)
        counts = (
            {} if ref is None else context.store.manifest(ref)["facts"].get("labels_by_day", {})
        )
        if ref is not None and any(day < number and str(day) in counts for day in days):
            refs.append(ref)
            rows = bucket_files.read(context.store.read_files(ref, LABELS_FILE), LABELS)
            labels = LabelRows(*data_files.columns(rows).values())
            lists[ref.partition] = ActionList.of_manifest(context.store.manifest(ref))
            bit_map = lists[ref.partition].bit_map(context.config)
            parts.append(labels._replace(actions=bit_map.bits(labels.actions)))
        number += datetime.timedelta(days=1)
    if not refs:
        return LaterLabels(known_by)
    reader = f"{context.step.name} of {context.day}"
    action_lists.refuse_changes(lists, context.config, reader=reader)
    labels = LabelRows(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    # By user, so that a block of users is a slice.
    labels = labels.rows(np.argsort(labels.user_ids, kind="stable"))
    numbers = labels.shown_at // DAY_MS
    by_day = {each: labels.rows(np.flatnonzero(numbers == each)) for each in map(day_number, days)}
    return LaterLabels(known_by, tuple(refs), by_day)
