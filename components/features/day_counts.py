"""Counts of what was shown and what followed: of a day, as the state that the next day starts from.

A day counts its impressions as a training of the next day would read them: the labels known by its
end. The counts as of its end are those of the day before plus these, and stay beside the windows;
so do the counts with which the day began, of the keys that its windows need. Whoever reads the
windows reads these, so that no label of the day is among them; feeds of the day read those as of
its end.
"""

import datetime
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow.parquet as pq

from components import contract
from components.features import partitions
from components.features.event_log import NO_LABELS
from components.features.log_actions import LogActions
from components.features.windows_files import Block, Known, labelled
from components.run.context import Context
from components.settings.config import Config
from components.settings.steps import FeaturesConfig
from components.store.artifacts import Ref
from components.tables import data_files
from components.tables.action_lists import ActionList
from components.tables.data_files import (
    COUNTS_BEFORE_FILE,
    COUNTS_FILE,
    USER_COUNTS_BEFORE_FILE,
    USER_COUNTS_FILE,
)
from phoenix.data.days import DAY_MS, midnight_ms
from phoenix.data.engagement import counts as engagement_counts
from phoenix.data.engagement.counts import KINDS, Counts, Ids, Outcomes, Tally
from phoenix.data.engagement.popularity import PopularityByDay
from phoenix.data.engagement.rates import POST_KINDS, Rates
from phoenix.data.histories import Log, is_later_state
from schemas.counts import COUNTED, counts_table, user_counts_table

SINCE = "counts_since"  # in the facts of a day: the first day that is counted
_PRIORS = b"priors"  # in the metadata of a file, by kind
_USER = "user"


@dataclass(frozen=True)
class EarlierCounts:
    """The counts as of the end of the day before, for the actions of the configuration."""

    tables: Mapping[str, Counts]
    since: str  # the first day in them, or the day itself where there are none
    refs: tuple[Ref, ...] = ()

    @classmethod
    def of(cls, context: Context, erased: Collection[int] = ()) -> Self:
        """Reads the counts of the day before; none where it has none.

        Of an action that is new or means something else, nothing was known.

        Args:
          context: The run of the day.
          erased: Users who are to be forgotten.
        """
        config, day = context.config, context.day
        empty = {kind: Counts.none(len(config.actions)) for kind in KINDS}
        yesterday = day - datetime.timedelta(days=1)
        ref = context.head(contract.BUILD_FEATURES.name, yesterday)
        if day <= config.first_day or ref is None:
            return cls(empty, str(day))
        manifest = context.store.manifest(ref)
        if SINCE not in manifest["facts"]:  # before format 6
            return cls(empty, str(day))
        files = [context.store.read_file(ref, name) for name in (COUNTS_FILE, USER_COUNTS_FILE)]
        places = _places(manifest, config)
        tables = {kind: each.with_actions(places) for kind, each in _read(*files).items()}
        tables[_USER] = _without(tables[_USER], erased)
        return cls(tables, manifest["facts"][SINCE], (ref,))


class DayCounts:
    """The counts of a day, block by block of users."""

    def __init__(self, context: Context, actions: LogActions, *, has_late_rows: bool) -> None:
        """Starts at nothing.

        Args:
          context: The run.
          actions: Of the events of the day.
          has_late_rows: Whether some of its impressions arrived after it: they are not counted.
        """
        self._config: FeaturesConfig = context.config.build_features
        self._start = midnight_ms(context.day)
        self._unknown = actions.unknown
        self._known = Known(self._start + DAY_MS - 1, drops_late_impressions=has_late_rows)
        self._tally = Tally(len(context.config.actions))

    def add(self, block: Block) -> None:
        """Counts the impressions of a block, and what became known of earlier ones in it."""
        limit = self._config.attribution_minutes
        minutes = None if limit is None else str(limit).encode()
        log, windows, labels = labelled(
            block.log, block.window_of_row, NO_LABELS, self._known, minutes
        )
        rows = np.flatnonzero(windows >= 0)
        bits, unknown = log.actions[labels[rows]], self._unknown.at(log.shown_at[rows])
        self._tally.add(_ids(log, rows), Outcomes(bits & ~unknown, unknown, log.weights[rows]))
        self._add_late(log)

    def close(self, earlier: EarlierCounts, folder: Path) -> None:
        """Writes the counts as of the end of the day, and those with which it began."""
        own, tables = self._tally.counts(), earlier.tables
        fading = 0.5 ** (1 / self._config.counts_half_life_days)
        before = {kind: table.only(own[kind].keys) for kind, table in tables.items()}
        names = COUNTS_BEFORE_FILE, USER_COUNTS_BEFORE_FILE
        _write(folder, names, before, Rates.of(tables).priors)
        after = {
            kind: engagement_counts.add([table.faded(fading), own[kind]])
            .limited(self._config.counted_keys)
            .float32()
            for kind, table in tables.items()
        }
        _write(folder, (COUNTS_FILE, USER_COUNTS_FILE), after, Rates.of(after).priors)

    def _add_late(self, log: Log) -> None:
        """Counts the actions that became known on the day of impressions of earlier days."""
        is_new = is_later_state(log) & (log.shown_at < self._start)
        is_new &= (log.ingested_at >= self._start) & (log.ingested_at <= self._known.until)
        if self._config.attribution_minutes is not None:
            latest = log.shown_at + self._config.attribution_minutes * 60_000
            is_new &= log.ingested_at <= latest
        rows = np.flatnonzero(is_new)
        if not len(rows):
            return
        unknown = self._unknown.at(log.shown_at[rows])
        bits = log.actions[rows] & ~log.actions[rows - 1] & ~unknown
        days = self._start // DAY_MS - log.shown_at[rows] // DAY_MS
        fading = 0.5 ** (days / self._config.counts_half_life_days)
        outcomes = Outcomes(bits, unknown, log.weights[rows])
        self._tally.add_late(_ids(log, rows), outcomes, fading)


def rates_before(folder: Path, manifest: Mapping[str, Any], config: Config) -> Rates:
    """Returns the rates with which a day of features began, for the actions of the configuration.

    Args:
      folder: Of the features.
      manifest: Theirs.
      config: The actions.
    """
    return _rates(folder, (COUNTS_BEFORE_FILE, USER_COUNTS_BEFORE_FILE), manifest, config)


def popularity_before(context: Context, days: Sequence[datetime.date]) -> PopularityByDay:
    """Returns how popular posts were before each of some days; nothing is known of the first day.

    Args:
      context: The run.
      days: Of a training.
    """
    rates = {}
    for day in days:
        ref = counted_before(context, day)
        if ref is not None:
            rates[midnight_ms(day) // DAY_MS] = post_rates_after(context, ref)
    return PopularityByDay(rates, positive_actions(context.config))


def counted_before(context: Context, day: datetime.date) -> Ref | None:
    """Returns the features as of whose end popularity is known on a day; None on the first one."""
    if day <= context.config.first_day:
        return None
    return context.head(contract.BUILD_FEATURES.name, day - datetime.timedelta(days=1))


def popularity_of_posts(
    context: Context, ref: Ref | None, post_ids: np.ndarray, author_ids: np.ndarray
) -> np.ndarray:
    """Returns how popular posts are as of the end of a day.

    Args:
      context: The run.
      ref: Of the features of the day; None: nothing was counted.
      post_ids: `[M]` int64.
      author_ids: `[M]` int64.

    Returns:
      `[M, F]` float32, see `phoenix.data.engagement.rates.POPULARITY`.
    """
    num_actions = len(context.config.actions)
    rates = Rates.none(num_actions) if ref is None else post_rates_after(context, ref)
    return rates.popularity(post_ids, author_ids, positive_actions(context.config))


def positive_actions(config: Config) -> np.ndarray:
    """`[A]` bool: the actions that speak for a post."""
    return np.array([action.is_positive for action in config.actions], bool)


def all_rates_before(context: Context, features: Ref) -> Rates:
    """Returns the rates with which a day of features began, also of what the day does not show.

    The day keeps those of its own impressions; where the day before left them are all others.

    Args:
      context: The run.
      features: Of the day.

    Raises:
      BadDataError: If the features of the day before, of which these were made, are gone.
    """
    manifest, config = context.store.manifest(features), context.config
    if SINCE not in manifest["facts"]:  # before format 6
        return Rates.none(len(config.actions))
    folder = context.store.read_file(features, COUNTS_BEFORE_FILE).parent
    context.store.read_file(features, USER_COUNTS_BEFORE_FILE)
    own = rates_before(folder, manifest, config)
    before = datetime.date.fromisoformat(features.partition) - datetime.timedelta(days=1)
    earlier = partitions.input_of(manifest, contract.BUILD_FEATURES.name, before)
    if earlier is None or SINCE not in context.store.manifest(earlier)["facts"]:
        return own
    files = [context.store.read_file(earlier, name) for name in (COUNTS_FILE, USER_COUNTS_FILE)]
    places = _places(context.store.manifest(earlier), config)
    tables = {kind: each.with_actions(places) for kind, each in _read(*files).items()}
    # Nobody asks for other users than those of the day.
    return replace(own, tables={**tables, _USER: own.tables[_USER]})


def rates_after(folder: Path, manifest: Mapping[str, Any], config: Config) -> Rates:
    """Returns the rates as of the end of a day of features; see `rates_before`."""
    return _rates(folder, (COUNTS_FILE, USER_COUNTS_FILE), manifest, config)


def post_rates_after(context: Context, ref: Ref) -> Rates:
    """Returns the rates by post as of the end of a day of features, without those of its users.

    Args:
      context: The run; its configuration says the actions.
      ref: Of the features.
    """
    manifest = context.store.manifest(ref)
    if SINCE not in manifest["facts"]:  # before format 6
        return Rates.none(len(context.config.actions)).only(POST_KINDS)
    path = context.store.read_file(ref, COUNTS_FILE)
    return _of_tables(_read_all_but_users(path), path, manifest, context.config).only(POST_KINDS)


def _rates(
    folder: Path, names: tuple[str, str], manifest: Mapping[str, Any], config: Config
) -> Rates:
    if SINCE not in manifest["facts"]:
        # Before format 6 nothing was counted.
        return Rates.none(len(config.actions))
    path, user_path = (folder / name for name in names)
    return _of_tables(_read(path, user_path), path, manifest, config)


def _of_tables(
    tables: Mapping[str, Counts], path: Path, manifest: Mapping[str, Any], config: Config
) -> Rates:
    """Returns rates of what was read, with the priors that the file at `path` holds."""
    places = _places(manifest, config)
    priors = {
        kind: np.array([1.0 if place is None else values[place] for place in places])
        for kind, values in json.loads(pq.read_schema(path).metadata[_PRIORS]).items()
    }
    return Rates({kind: each.with_actions(places) for kind, each in tables.items()}, priors)


def _places(manifest: Mapping[str, Any], config: Config) -> list[int | None]:
    """Returns the place of each action of the configuration in the counts of an artifact."""
    recorded = ActionList.of_manifest(manifest)
    changed = set(recorded.changed(config))
    places = recorded.bit_map(config).places
    names = config.action_names
    return [None if name in changed else at for name, at in zip(names, places, strict=True)]


def _ids(log: Log, rows: np.ndarray) -> Ids:
    return Ids(log.user_ids[rows], log.post_ids[rows], log.author_ids[rows], log.surfaces[rows])


def _without(table: Counts, user_ids: Collection[int]) -> Counts:
    rows = np.flatnonzero(~np.isin(table.keys, np.asarray(list(user_ids), np.int64)))
    return Counts(*(array[rows] for array in table))


def _write(
    folder: Path,
    names: tuple[str, str],
    tables: Mapping[str, Counts],
    priors: Mapping[str, np.ndarray],
) -> None:
    text = json.dumps({kind: values.tolist() for kind, values in priors.items()}, sort_keys=True)
    num_actions = tables[_USER].shown.shape[1]
    others = [kind for kind in KINDS if kind != _USER]
    sizes = [len(tables[kind].keys) for kind in others]
    joined = Counts(
        *(np.concatenate(arrays) for arrays in zip(*(tables[each] for each in others), strict=True))
    )
    own = tables[_USER]
    contents = (
        (counts_table(num_actions), {"kind": np.repeat(others, sizes), "key": joined.keys}, joined),
        (user_counts_table(num_actions), {"user_id": own.keys}, own),
    )
    for name, (table, keys, content) in zip(names, contents, strict=True):
        columns = keys | dict(zip(COUNTED, content[1:], strict=True))
        arrow = data_files.arrow_table(table, columns, **{_PRIORS.decode(): text})
        data_files.write(folder / name, arrow)


def _read(path: Path, user_path: Path) -> dict[str, Counts]:
    users = Counts(*data_files.columns(pq.read_table(user_path)).values())
    return _read_all_but_users(path) | {_USER: users}


def _read_all_but_users(path: Path) -> dict[str, Counts]:
    content = pq.read_table(path)
    kinds = content.column("kind").to_numpy(zero_copy_only=False)
    columns = data_files.columns(content.drop_columns(["kind"]))
    tables = {}
    for kind in KINDS:
        if kind != _USER:
            rows = np.flatnonzero(kinds == kind)
            rows = slice(rows[0], rows[-1] + 1) if len(rows) else slice(0, 0)
            tables[kind] = Counts(*(array[rows] for array in columns.values()))
    return tables
