"""Labels that arrived after the day of their impressions, for who reads the features of that day.

Features of a day hold what arrived on it, and stay as they are. Who reads them later, a training,
joins the labels of the days since, up to the last one that it may know, and names these days in its
recipe.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from components import contract
from components.features import event_log
from components.features.event_log import NO_LABELS, NO_LATER_LABELS, DayLabels
from components.features.windows_files import ATTRIBUTION, Known
from components.run.context import Context
from components.settings.steps import FeaturesConfig
from components.store import artifacts
from components.store.artifacts import Artifact, Ref
from components.tables import action_lists, bucket_files, data_files
from components.tables.action_lists import ActionList
from components.tables.bucket_files import BucketFiles
from components.tables.data_files import LABELS_FILE
from phoenix.data.days import DAY_MS, day_number, midnight_ms
from phoenix.data.states import LabelRows
from schemas.buckets import NUM_SLOTS
from schemas.events import LABELS


@dataclass(frozen=True)
class LaterLabels:
    """Labels of the impressions of some days, by the day on which they were shown."""

    known_by: int  # ms: the last moment of which a reader knows
    refs: tuple[Ref, ...] = ()  # of the validate_events that hold them
    by_day: Mapping[int, DayLabels] = field(default_factory=dict)  # by the number of the day

    def of_day(self, day: datetime.date) -> DayLabels:
        """Returns the labels of the impressions of a day."""
        return self.by_day.get(day_number(day), NO_LATER_LABELS)

    def known(self, features: Ref, facts: Mapping[str, Any]) -> Known:
        """Returns what a reader of the features of one of the days may take for their labels.

        Args:
          features: Of the day.
          facts: Of their manifest.
        """
        return Known(
            self.known_by,
            self.of_day(contract.parse_day(features.partition)),
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
    refs, lists = list[Ref](), dict[str, ActionList]()
    number = min(days) + datetime.timedelta(days=1)
    while number <= through:
        ref = context.head(contract.VALIDATE_EVENTS.name, number)
        counts = (
            {} if ref is None else context.store.manifest(ref)["facts"].get("labels_by_day", {})
        )
        if ref is not None and any(day < number and str(day) in counts for day in days):
            refs.append(ref)
            lists[ref.partition] = ActionList.of_manifest(context.store.manifest(ref))
        number += datetime.timedelta(days=1)
    if not refs:
        return LaterLabels(known_by)
    reader = f"{context.step.name} of {context.day}"
    action_lists.refuse_changes(lists, context.config, reader=reader)
    files = {
        ref.partition: BucketFiles.of_contract(context.store.read_files(ref, LABELS_FILE), LABELS)
        for ref in refs
    }
    maps = {day: each.bit_map(context.config) for day, each in lists.items()}

    def labels_of(slots: range) -> LabelRows:
        """Returns all labels of users in some slots, in the bits of the configuration."""
        parts = [NO_LABELS]
        for day, table in files.items():
            labels = LabelRows(*data_files.columns(table.of_slots(slots)).values())
            parts.append(labels._replace(actions=maps[day].bits(labels.actions)))
        return LabelRows(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    sizes = sum((each.slot_sizes() for each in files.values()), np.zeros(NUM_SLOTS, np.int64))
    runs = bucket_files.runs(sizes, bucket_files.GROUP_ROWS)
    parts = ((range(run.start, run.stop), labels_of(run)) for run in runs if sizes[run].any())
    return LaterLabels(known_by, tuple(refs), event_log.labels_by_day(parts, map(day_number, days)))
