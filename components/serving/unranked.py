"""Feeds of users who are not ranked anew: kept from an earlier day, or the most popular posts.

A user who was not active keeps the feed of the newest earlier day, which says when it was made and
loses what may not be shown any more. Who has none left gets the most popular posts, less those that
this user may not be shown; everybody else is nobody of whom anything is known, and has the default
feed. An earlier feed is one input, read slots by slots, and its kept feeds are kept on until they
are too old: no day needs more than one before it.

Glossary of shapes:
  R: rows of earlier feeds, N: users.
"""

import datetime
import functools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from components.erasure import forgotten
from components.serving import feed_files, limits
from components.serving.audience import EarlierFeeds
from components.serving.feed_files import KEPT, NOBODY, POPULAR, Origin
from components.serving.seen import SeenPosts
from components.serving.server import Server
from components.serving.shards import Shard
from components.serving.withheld import Withheld, together
from components.tables import bucket_files
from components.tables.bucket_files import BucketFiles
from components.tables.id_texts import IdTexts
from phoenix.data import sorted_ids
from phoenix.data.windows import Windows

NOT_ELIGIBLE = "not_eligible"  # the rule about posts for nobody: too old, held back, withdrawn


@dataclass(frozen=True, kw_only=True)
class UnrankedFeeds:
    """The feeds of the users of a shard who are not ranked anew."""

    day: datetime.date
    part: Shard
    server: Server
    log: BucketFiles  # of the features: its users are all with a history
    earlier: EarlierFeeds | None
    withheld: Withheld
    ranked: np.ndarray  # [N] int64 sorted: who is ranked anew
    blank: Windows  # one request of `NOBODY`
    no_feeds: pa.Table
    texts: Mapping[str, IdTexts]
    counts: Counter[str] = field(default_factory=lambda: Counter(kept_users=0, popular_users=0))
    # By rule: pairs of user and post that are withheld, and places taken out of kept feeds.
    pairs: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)

    def default(self) -> pa.Table:
        """Returns the feed of everybody without one of their own: rows of `NOBODY`."""
        return self._popular(np.array([NOBODY]), SeenPosts.none())

    def tables(self) -> Iterator[pa.Table]:
        """Yields the feeds of users in some slots at a time, in order of slots, user and rank."""
        sizes = self.log.slot_sizes()
        if self.earlier is not None:
            sizes = sizes + self.earlier.files.slot_sizes()
        for slots in bucket_files.runs(sizes, bucket_files.GROUP_ROWS):
            yield self._of_slots(slots)

    def _of_slots(self, slots: range) -> pa.Table:
        by_rule = self.withheld.by_rule(slots)
        for rule, pairs in by_rule.items():
            self.pairs[rule] += int(self.part.holds(pairs.user_ids).sum())
        seen_posts, kept = together(by_rule), self._kept(slots, by_rule)
        kept_users = np.unique(kept["user_id"].to_numpy())
        with_history = self.log.of_slots(slots, ["user_id"])["user_id"].to_numpy()
        users = np.union1d(with_history, seen_posts.user_ids)
        users = users[self._is_own(users) & ~np.isin(users, kept_users)]
        self.counts.update(kept_users=len(kept_users), popular_users=len(users))
        plain = bucket_files.plain_schema(kept.schema)
        parts = [table.cast(plain) for table in (kept, self._popular(users, seen_posts))]
        return pa.concat_tables(parts).sort_by([("user_id", "ascending"), ("rank", "ascending")])

    def _is_own(self, user_ids: np.ndarray) -> np.ndarray:
        """`[n]` bool: of the shard, not ranked anew, and not to be forgotten."""
        is_other = ~np.isin(user_ids, self.ranked) & ~np.isin(user_ids, self._erased)
        return self.part.holds(user_ids) & is_other

    @functools.cached_property
    def _erased(self) -> np.ndarray:
        return forgotten.erased_ids(self.server.config)

    def _kept(self, slots: range, by_rule: Mapping[str, SeenPosts]) -> pa.Table:
        """Returns what is left of the earlier feeds of users in some slots."""
        if self.earlier is None:
            return feed_files.with_texts(self.no_feeds, self.texts)
        rows = self.earlier.of_slots(slots)
        rows = rows.filter(pa.array(self._may_be_shown(rows, by_rule)))
        ranks = ranks_of(rows["user_id"].to_numpy())
        rows = rows.filter(pa.array(self._is_long_enough(rows, ranks)))
        columns = {
            **{name: rows[name] for name in rows.column_names},
            "rank": ranks_of(rows["user_id"].to_numpy()).astype(np.int32),
            "probabilities": _probabilities(rows, self.no_feeds.schema),
            "kind": pa.repeat(KEPT, len(rows)),
        }
        schema = self.no_feeds.schema
        table = pa.table([columns[name] for name in schema.names], schema=schema)
        table = feed_files.with_texts(table, self.texts)
        if "user" in table.column_names and "user" in rows.column_names:
            # Who has left the state is in no list of texts any more.
            place = table.column_names.index("user")
            table = table.set_column(place, "user", rows["user"])
        return table

    def _may_be_shown(self, rows: pa.Table, by_rule: Mapping[str, SeenPosts]) -> np.ndarray:
        """`[R]` bool: whether a user keeps each place."""
        users, posts = rows["user_id"].to_numpy(), rows["post_id"].to_numpy()
        config, corpus = self.server.config.materialize_feeds, self.server.corpus
        oldest = np.datetime64(self.day - datetime.timedelta(days=config.keep_feed_days))
        is_kept = self._is_own(users) & (rows["made_on"].to_numpy() >= oldest)
        is_kept &= rows["kind"].to_numpy() != POPULAR  # those are made anew: they cost nothing
        is_removed = {NOT_ELIGIBLE: ~np.append(corpus.is_eligible, False)[corpus.rows_of(posts)]}
        for rule, pairs in by_rule.items():
            columns = [pairs.user_ids, pairs.post_ids]
            is_removed[rule] = sorted_ids.find_keys([users, posts], columns).is_there
        for rule, each in is_removed.items():  # by the first rule that says so
            self.removed[rule] += int((is_kept & each).sum())
            is_kept &= ~each
        authors = rows["author_id"].to_numpy()
        for limit in limits.of_posts(corpus, self.server.config, posts, authors):
            above = _of_group_above(users, limit.groups, is_kept)
            is_beyond = is_kept & (above >= limit.most)
            self.removed[limit.rule] += int(is_beyond.sum())
            is_kept &= ~is_beyond
        return is_kept

    def _is_long_enough(self, rows: pa.Table, ranks: np.ndarray) -> np.ndarray:
        """`[R]` bool: whether the feed of each place is long enough, and holds the place."""
        config = self.server.config.materialize_feeds
        _, row, lengths = np.unique(
            rows["user_id"].to_numpy(), return_inverse=True, return_counts=True
        )
        shortest = math.ceil(config.keep_feed_share * config.feed_length)
        return (lengths[row] >= shortest) & (ranks <= config.feed_length)

    def _popular(self, user_ids: np.ndarray, seen_posts: SeenPosts) -> pa.Table:
        """Returns feeds of the most popular posts for some users, `[N]` int64 sorted."""
        origin, schema = Origin(self.day, POPULAR), self.no_feeds.schema
        windows = self.blank.rows(np.zeros(len(user_ids), np.int64))._replace(user_ids=user_ids)
        tables = [
            feed_files.to_table(feeds, origin, schema=schema)
            for feeds in self.server.serve_popular(windows, seen_posts.of_users(user_ids))
        ]
        table = pa.concat_tables([self.no_feeds, *tables]).combine_chunks()
        return feed_files.with_texts(table, self.texts)


def ranks_of(user_ids: np.ndarray) -> np.ndarray:
    """`[R]` int64 places from 1 within each user, whose rows stand together in order.

    >>> ranks_of(np.array([7, 7, 3])).tolist()
    [1, 2, 1]
    """
    place = np.arange(len(user_ids))
    is_first = np.append(True, user_ids[1:] != user_ids[:-1])[: len(user_ids)]
    return place - np.maximum.accumulate(np.where(is_first, place, 0)) + 1


def _of_group_above(users: np.ndarray, groups: np.ndarray, is_kept: np.ndarray) -> np.ndarray:
    """`[R]` int64: kept places of the same group above each place; 0 of no group."""
    order = np.lexsort((groups, users))  # stable: by rank within both
    is_first = np.ones(len(order), bool)
    is_first[1:] = (np.diff(users[order]) != 0) | (np.diff(groups[order]) != 0)
    before = np.cumsum(is_kept[order]) - is_kept[order]
    above = np.empty(len(order), np.int64)
    above[order] = before - np.maximum.accumulate(np.where(is_first, before, 0))
    return np.where(groups == 0, 0, above)


def _probabilities(rows: pa.Table, schema: pa.Schema) -> pa.Array:
    """Returns the probabilities of earlier feeds for the actions of today, 0 for new ones."""
    before, today = (_actions(each) for each in (rows.schema, schema))
    values = rows["probabilities"].combine_chunks().flatten().to_numpy()
    values = np.pad(values.reshape(len(rows), len(before)), ((0, 0), (0, 1)))
    columns = [before.index(name) if name in before else len(before) for name in today]
    kind = schema.field("probabilities").type
    return pa.FixedSizeListArray.from_arrays(pa.array(values[:, columns].reshape(-1)), type=kind)


def _actions(schema: pa.Schema) -> Sequence[str]:
    return schema.metadata[b"actions"].decode().split(",")
