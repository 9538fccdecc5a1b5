"""The actions of a log of impressions: their bits by name, and what nobody could know on its days.

A log holds impressions of many days, and each day knew the actions of its own configuration. An
action that came later is unknown of all impressions of the days before: it was neither done nor not
done.
"""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from components.features import event_log
from components.run.context import Context
from components.settings.config import Config
from components.tables import action_lists
from components.tables.action_lists import UNKNOWN, ActionList
from components.tables.bucket_files import BucketFiles
from phoenix.data.actions import BitMap, UnknownActions, bit_set
from phoenix.data.days import DAY_MS, day_number
from phoenix.data.histories import Log
from phoenix.data.states import LabelRows


@dataclass(frozen=True)
class LogActions:
    """The way from the bits of a log to those of the configuration, and what is unknown in it."""

    unknown: UnknownActions  # as bits of the configuration
    bit_map: BitMap | None = None  # of all rows; None: they are the configuration's already
    of_days: Mapping[int, BitMap] = field(default_factory=dict)  # of rows of days since 1970

    @classmethod
    def of_features(cls, manifest: Mapping[str, Any], config: Config) -> "LogActions":
        """Returns those of the log of a day's features.

        Args:
          manifest: Of build_features.
          config: The actions.
        """
        recorded = ActionList.of_manifest(manifest)
        bit_map = recorded.bit_map(config)
        bits = {
            _number(day): bits_of(recorded.renamed(names, config), config)
            for day, names in manifest["facts"].get(UNKNOWN, {}).items()
        }
        return cls(UnknownActions.of(bits, bit_map.unknown), bit_map)

    def log(self, log: Log) -> Log:
        """Returns the log with its actions as the bits of the configuration."""
        return log._replace(actions=self.bits(log.actions, log.shown_at))

    def bits(self, bits: np.ndarray, shown_at: np.ndarray) -> np.ndarray:
        """Returns sets of actions `[L]` uint64 as those of the configuration.

        Args:
          bits: `[L]` uint64 of the log.
          shown_at: `[L]` int64 ms.
        """
        if self.bit_map is not None:
            bits = self.bit_map.bits(bits)
        if self.of_days:  # rarely: the list has changed since some of them
            bits, days = bits.copy(), shown_at // DAY_MS
            for day, bit_map in self.of_days.items():
                rows = np.flatnonzero(days == day)
                bits[rows] = bit_map.bits(bits[rows])
        return bits

    def of_day(self, bits: np.ndarray, day: datetime.date | int) -> np.ndarray:
        """Returns sets of actions of the artifact of one day as those of the configuration."""
        number = day if isinstance(day, int) else day_number(day)
        return self.of_days[number].bits(bits) if number in self.of_days else bits

    def unknown_by_day(self, days: Iterable[datetime.date], config: Config) -> dict[str, list[str]]:
        """Returns the names of the actions that are unknown on some days, for the days with any."""
        names = {str(day): names_of(self.unknown.at_day(day_number(day)), config) for day in days}
        return {day: each for day, each in names.items() if each}


def of_partitions(
    manifests: Mapping[str, Mapping[str, Any]], context: Context
) -> dict[str, LogActions]:
    """Returns the actions of the features of some days, by day.

    Args:
      manifests: Of build_features, by day.
      context: The run that reads them.

    Raises:
      BadDataError: If an action had another meaning on some of the days.
    """
    lists: dict[str, ActionList] = {}
    for day, manifest in manifests.items():
        recorded = ActionList.of_manifest(manifest)
        # The impressions of the histories come from other days, and mean what they meant here.
        lists |= dict.fromkeys([*manifest["facts"].get("accepted", ()), day], recorded)
    reader = f"{context.step.name} of {context.day}"
    action_lists.refuse_changes(lists, context.config, reader=reader)
    return {
        day: LogActions.of_features(manifest, context.config) for day, manifest in manifests.items()
    }


def of_events(manifests: Mapping[str, Mapping[str, Any]], context: Context) -> LogActions:
    """Returns the actions of the accepted events of some days together.

    Args:
      manifests: Of validate_events, by day.
      context: The run that reads them.

    Raises:
      BadDataError: If an action had another meaning on some of the days.
    """
    config = context.config
    lists = {day: ActionList.of_manifest(manifest) for day, manifest in manifests.items()}
    action_lists.refuse_changes(lists, config, reader=f"{context.step.name} of {context.day}")
    of_days, unknown = {}, {}
    for day, recorded in lists.items():
        bit_map = recorded.bit_map(config)
        then = recorded.renamed(manifests[day]["facts"].get(UNKNOWN, ()), config)
        unknown[_number(day)] = bit_map.unknown | bits_of(then, config)
        if not bit_map.is_identity:
            of_days[_number(day)] = bit_map
    return LogActions(UnknownActions.of(unknown), of_days=of_days)


def labels_in_order(
    tables: Mapping[int, BucketFiles], slots: range, actions: LogActions
) -> LabelRows:
    """Returns the labels of some days sorted by user, time, post and arrival, with their actions.

    Args:
      tables: Of labels, by the day since 1970 on which they arrived.
      slots: Of the users.
      actions: Of the artifacts of these days.
    """
    parts = [LabelRows(*event_log.NO_LABELS)]
    # A row does not say which day holds it, so each table is read by its own list.
    for day, table in tables.items():
        rows = LabelRows(*event_log.labels_in_order([table], slots))
        parts.append(rows._replace(actions=actions.of_day(rows.actions, day)))
    rows = tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return LabelRows(*event_log.sorted_labels(rows))


def bits_of(names: Iterable[str], config: Config) -> np.uint64:
    """Returns the set of bits of those names that are configured."""
    places = {name: bit for bit, name in enumerate(config.action_names)}
    return bit_set([places[name] for name in names if name in places])


def names_of(bits: np.uint64, config: Config) -> list[str]:
    """Returns the configured names of a set of bits, in their order."""
    return [name for bit, name in enumerate(config.action_names) if int(bits) >> bit & 1]


def _number(day: str) -> int:
    return day_number(datetime.date.fromisoformat(day))
