"""The accepted impressions of a day, joined with the feeds that they came from.

They are read part by part of their users, as feeds are, so that memory follows
`user_buckets`: what stays of a row is a few numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.earnings import attribution, live_feeds
from components.earnings.attribution import NONE, FeedRows, Shown
from components.earnings.live_feeds import DayFeeds
from components.earnings.measure import NO_RANK, Impressions
from components.erasure import forgotten
from components.run.context import Context
from components.serving.feed_files import FEEDS_FILE, KEPT
from components.store.artifacts import Artifact
from components.tables import bucket_files, data_files
from components.tables.action_lists import ActionList
from components.tables.bucket_files import BucketFiles
from components.tables.data_files import ACCEPTED_FILE
from phoenix.data import sorted_ids
from phoenix.data.states import LabelRows
from schemas.earnings import NO_FEED, UNLISTED
from schemas.events import EVENTS

_COLUMNS = ("user_id", "post_id", "shown_at", "actions")
_SERVED = ("position", "feed", "propensity", "weight")
_FEED_COLUMNS = ("user_id", "post_id", "rank", "source", "probabilities")
_KIND = "kind"  # of feeds, since format 4


@dataclass(frozen=True)
class Joined:
    """Impressions of a day, with the names of the codes of their releases and sources."""

    impressions: Impressions
    releases: tuple[str, ...]  # digests
    sources: tuple[str, ...]
    num_strange: int  # rows that name a feed which was never live


def names_in(validated: Artifact) -> tuple[list[str], bool]:
    """Returns the feeds that the log of a day names, and whether some rows name none."""
    paths = validated.paths(ACCEPTED_FILE)
    if "feed" not in pq.read_schema(paths[0]).names:
        return [], True
    column = pq.read_table(paths, columns=["feed"])["feed"]
    names = sorted(name for name in column.unique().to_pylist() if name is not None)
    return names, column.null_count > 0


def read(context: Context, validated: Artifact, labels: LabelRows, day_feeds: DayFeeds) -> Joined:
    """Reads the impressions of a day and joins them with their feeds and labels.

    Args:
      context: The run.
      validated: The accepted events of the day.
      labels: That arrived for them since, by the bits of the configuration.
      day_feeds: The publications that they can have come from.

    Raises:
      BadDataError: If a file is missing or damaged.
    """
    accepted = BucketFiles.of_contract(validated.paths(ACCEPTED_FILE), EVENTS)
    feeds = [
        BucketFiles(context.store.read_files(each.feeds, FEEDS_FILE)) for each in day_feeds.feeds
    ]
    reader = _Reader(context, ActionList.of_manifest(validated.manifest), day_feeds, feeds)
    parts = [
        reader.part(accepted, bucket_files.slots_of_bucket(number, context.config.user_buckets))
        for number in range(context.config.user_buckets)
    ]
    impressions = Impressions(*map(np.concatenate, zip(*(part[0] for part in parts), strict=True)))
    keys = tuple(np.concatenate([part[1][place] for part in parts]) for place in range(3))
    actions = with_labels(keys, impressions.actions, labels)
    return Joined(
        impressions._replace(actions=actions),
        reader.releases,
        tuple(reader.sources),
        sum(part[2] for part in parts),
    )


def with_labels(keys: Sequence[np.ndarray], actions: np.ndarray, labels: LabelRows) -> np.ndarray:
    """`[N]` uint64: actions of impressions, with those that arrived later.

    Args:
      keys: Users, posts and times of the impressions, `[N]` int64 each.
      actions: `[N]` uint64.
      labels: Of these impressions and of others.
    """
    keys_of_labels = labels.user_ids, labels.post_ids, labels.shown_at
    rows, is_of_one = sorted_ids.find_keys(keys_of_labels, keys)
    actions = actions.copy()
    np.bitwise_or.at(actions, rows[is_of_one], labels.actions[is_of_one])
    return actions


def foretold_engagement(listed: pa.Table, weights: Mapping[str, float]) -> np.ndarray:
    """`[n]` float64: the engagement that was foretold of rows of a feed, by the weights of today.

    The score of a feed says something else: it goes by the weights of its own day, and is moved
    above 0. Of a feed that knows nothing of an action that counts today, nothing was foretold.

    Args:
      listed: n rows of one feed.
      weights: Of the configured actions, by name.

    Returns:
      The sum of weight * probability; NaN where nothing was foretold.
    """
    names = listed.schema.metadata[b"actions"].decode().split(",")
    counted = {name: weight for name, weight in weights.items() if weight}
    if not counted.keys() <= set(names):
        return np.full(len(listed), np.nan)
    shape = len(listed), len(names)
    probabilities = listed["probabilities"].combine_chunks().flatten().to_numpy().reshape(shape)
    return probabilities @ np.array([counted.get(name, 0.0) for name in names])


class _Reader:
    """Reader of the parts of a day; sources get codes as they come."""

    def __init__(
        self,
        context: Context,
        actions: ActionList,
        day_feeds: DayFeeds,
        feeds: Sequence[BucketFiles],
    ) -> None:
        self._bit_map = actions.bit_map(context.config)
        self._weights = {each.name: each.score_weight for each in context.config.actions}
        self._erased = forgotten.erased_ids(context.config)
        self._day_feeds, self._feeds = day_feeds, feeds
        self.releases = (*(each.release.digest for each in day_feeds.feeds), NO_FEED)
        self.sources = [NO_FEED, UNLISTED]

    def part(
        self, accepted: BucketFiles, slots: range
    ) -> tuple[Impressions, tuple[np.ndarray, ...], int]:
        """Returns the impressions of some slots, their keys, and how many name a strange feed."""
        columns = [*_COLUMNS, *(name for name in _SERVED if name in accepted.schema.names)]
        rows = accepted.of_slots(slots, columns)
        rows = rows.filter(pa.array(~np.isin(rows["user_id"].to_numpy(), self._erased)))
        shown, num_strange = self._shown(rows)
        feeds = attribution.feeds_of(shown, self._day_feeds.live, self._day_feeds.release_of)
        tables = [each.of_slots(slots, _feed_columns(each)) for each in self._feeds]
        pairs = [
            FeedRows(*(each[name].to_numpy() for name in _FEED_COLUMNS[:2])) for each in tables
        ]
        places = attribution.rows_of(shown, feeds, pairs)
        # Without a name, a feed that does not list the post did not show it.
        feeds = np.where((places == NONE) & ~shown.is_named, NONE, feeds)
        sources = np.where(feeds == NONE, 0, 1)
        ranks = np.full(len(feeds), NO_RANK, np.int64)
        predicted = np.full(len(feeds), np.nan)
        for number, table in enumerate(tables):
            index = np.flatnonzero((feeds == number) & (places != NONE))
            listed = table.take(pa.array(places[index]))
            sources[index] = self._codes(_sources(listed))
            ranks[index] = listed["rank"].to_numpy()
            predicted[index] = foretold_engagement(listed, self._weights)
        impressions = Impressions(
            user_ids=shown.user_ids,
            releases=self._release_codes(feeds),
            sources=sources,
            ranks=_position(rows, feeds, ranks),
            weights=_optional(rows, "weight", 1.0),
            actions=self._bit_map.bits(rows["actions"].to_numpy()),
            predicted=predicted,
            propensities=_optional(rows, "propensity", np.nan),
        )
        return impressions, (shown.user_ids, shown.post_ids, shown.shown_at), num_strange

    def _shown(self, rows: pa.Table) -> tuple[Shown, int]:
        keys = data_files.columns(rows.select(["user_id", "post_id", "shown_at"]))
        count, names = len(rows), self._day_feeds
        if "feed" in rows.column_names:
            column = rows["feed"].combine_chunks().dictionary_encode()
            texts = [*column.dictionary.to_pylist(), None]
            codes = column.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)
            named = live_feeds.places_of(texts, names.names)[codes]
            released = live_feeds.places_of(texts, names.release_names)[codes]
            is_named = codes != len(texts) - 1
        else:
            named, released = np.full(count, NONE), np.full(count, NONE)
            is_named = np.zeros(count, bool)
        num_strange = int((is_named & (named == NONE) & (released == NONE)).sum())
        shown = Shown(*keys.values(), feeds=named, releases=released, is_named=is_named)
        return shown, num_strange

    def _codes(self, names: pa.ChunkedArray) -> np.ndarray:
        """`[n]` int64: the codes of sources, of which new ones are added."""
        column = names.combine_chunks().dictionary_encode()
        for name in column.dictionary.to_pylist():
            if name not in self.sources:
                self.sources.append(name)
        codes = np.array([self.sources.index(name) for name in column.dictionary.to_pylist()])
        return codes[column.indices.to_numpy()] if len(column) else np.empty(0, np.int64)

    def _release_codes(self, feeds: np.ndarray) -> np.ndarray:
        """`[n]` int64: one code per release, that of its first feeds; the last is no feed."""
        first = np.append(self._day_feeds.release_of, len(self.releases) - 1)
        return first[feeds]


def _feed_columns(feeds: BucketFiles) -> list[str]:
    return [*_FEED_COLUMNS, *([_KIND] if _KIND in feeds.schema.names else [])]


def _sources(listed: pa.Table) -> pa.ChunkedArray:
    """Returns the sources of places; of a kept feed it is `kept`, since other models made it."""
    if _KIND not in listed.column_names:
        return listed["source"]
    is_kept = listed[_KIND].to_numpy() == KEPT
    return pa.chunked_array([np.where(is_kept, KEPT, listed["source"].to_numpy())], pa.string())


def _position(rows: pa.Table, feeds: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """`[n]` the positions that the log says, and else the ranks; none where no feed was shown."""
    if "position" not in rows.column_names:
        return ranks
    positions = rows["position"].cast(pa.int64()).fill_null(NO_RANK).to_numpy()
    return np.where((feeds != NONE) & (positions != NO_RANK), positions, ranks)


def _optional(rows: pa.Table, name: str, default: float) -> np.ndarray:
    if name not in rows.column_names:
        return np.full(len(rows), default)
    return rows[name].cast(pa.float64()).fill_null(default).to_numpy()
