"""The posts known by the end of a day: those that files describe, and those that rows show.

A post was shown where an accepted row says so, or a late one that breaks no rule: of a row in
quarantine neither its time nor its post is believed. A day takes the posts that were shown before
it from the validated day before it, and from those that were run again since. Where files say all
there is to know of posts, a row tells of a post alone that they leave out: that is one which
somebody mended.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components import contract
from components.rows.row_texts import RowTexts
from components.rows.shown_posts import ShownPosts
from components.run.context import Context
from components.store.artifacts import Artifact, Ref
from components.tables import data_files
from components.tables.id_texts import IdTexts
from phoenix.data import sorted_ids
from phoenix.data.days import DAY_MS, midnight_ms
from schemas.columns import TIMESTAMP
from schemas.posts import DESCRIBED_POSTS, POSTS

_KIND = contract.VALIDATE_EVENTS.name
_VERSIONS = "shown_posts"  # fact: the newest days of which the rows are known, day -> digest
# Fact of ingest_events: whether files say who wrote which post, and when, so that rows need not.
ARE_DESCRIBED = "posts_are_described"


@dataclass(frozen=True)
class EarlierPosts:
    """The validated days that tell which posts were shown before a day."""

    context: Context
    are_described: bool  # see `ARE_DESCRIBED`
    # Of which each knows the posts that were shown through its own day; of several, all must be
    # read, because one does not know what another came to know since.
    refs: Sequence[Ref] = ()
    inputs: Sequence[Ref] = ()  # the newest days, of which nothing is unknown then

    @classmethod
    def of(cls, context: Context, ingested: Artifact) -> "EarlierPosts":
        """Finds the days: the newest one before the day, and those that it knows otherwise."""
        # Of a day that was ingested before this was told, nobody knows.
        are_described = ingested.facts.get(ARE_DESCRIBED, False)
        newest = _newest_before(context)
        if newest is None:
            return cls(context, are_described)
        versions = context.store.manifest(newest)["facts"].get(_VERSIONS)
        back = range(context.config.baseline.days, 0, -1)
        days = [str(context.day - datetime.timedelta(days=number)) for number in back]
        heads = [context.store.head(_KIND, day) for day in days if day < newest.partition]
        refs = [ref for ref in heads if ref is not None]
        # Run since, with rows that came late or were mended, or for the first time.
        changed = [ref for ref in refs if (versions or {}).get(ref.partition) != ref.digest]
        read = [newest] if versions is None else [*changed, newest]
        return cls(context, are_described, read, [*refs, newest])

    def facts(self) -> dict[str, Any]:
        """Returns what the manifest of the day says of them."""
        return {_VERSIONS: {ref.partition: ref.digest for ref in self.inputs}}

    def read(self) -> ShownPosts:
        """Reads the posts that were shown before the day.

        Raises:
          BadDataError: If a file is missing or damaged.
        """
        return ShownPosts.merge([ShownPosts.none(), *map(self._read, self.refs)])

    def _read(self, ref: Ref) -> ShownPosts:
        store, name = self.context.store, data_files.SHOWN_POSTS_FILE
        if name in store.manifest(ref)["files"]:
            return ShownPosts.read(store.read_file(ref, name))
        if self.are_described:
            return ShownPosts.none()
        # Before format 7 nobody wrote down what was shown, only what was known by it.
        return ShownPosts.read_known(store.read_file(ref, data_files.POSTS_FILE))

    def texts(self, id_name: str, ids: np.ndarray, day_texts: RowTexts) -> IdTexts:
        """Returns the texts of posts or of authors.

        Args:
          id_name: Of which of them.
          ids: `[n]` int64.
          day_texts: Of the ids in the rows of the day, and in what files describe.

        Raises:
          BadDataError: If a file is damaged, or two texts have one number.
        """
        texts = day_texts.read(id_name)
        if not self.are_described or not np.isin(ids, texts.ids).all():
            before = RowTexts.of(self.context.store, self.refs)
            texts = IdTexts.merge(id_name, [before.read(id_name), texts])
        return texts.only(ids)


def _newest_before(context: Context) -> Ref | None:
    yesterday = context.day - datetime.timedelta(days=1)
    ref, first_day = context.head(_KIND, yesterday), str(context.config.first_day)
    if ref is None:  # the names of all days are asked for only if days are missing
        days = [day for day in context.store.partitions(_KIND) if first_day <= day]
        newest = max((day for day in days if day < str(context.day)), default=None)
        return None if newest is None else context.store.head(_KIND, newest)
    return ref if ref.partition >= first_day else None


def write(
    folder: Path,
    ingested: Artifact,
    texts: RowTexts,
    earlier: EarlierPosts,
    day_posts: ShownPosts,
) -> dict[str, Any]:
    """Writes the posts that are known by the end of a day and, where ids are text, their texts.

    Args:
      folder: Of the artifact of the day.
      ingested: What files describe.
      texts: Of the ids in the rows of the day and in what files describe.
      earlier: The days before.
      day_posts: The posts in the rows of the day.

    Returns:
      Facts of the manifest.

    Raises:
      BadDataError: If a file is missing or damaged, or two texts have one number.
    """
    descriptions = data_files.read(ingested.path(data_files.POSTS_FILE), DESCRIBED_POSTS)
    if earlier.are_described:
        # What leaves the files leaves the posts: it was known by its description alone.
        day_posts = day_posts.without(descriptions["post_id"].to_numpy())
    shown_posts = ShownPosts.merge([earlier.read(), day_posts])
    shown_posts.write(folder / data_files.SHOWN_POSTS_FILE)
    posts = known_posts(descriptions, shown_posts, earlier.context.day)
    data_files.write(folder / data_files.POSTS_FILE, posts)
    for name in ("post_id", "author_id"):
        post_texts = earlier.texts(name, posts[name].to_numpy(), texts)
        if len(post_texts.ids):
            post_texts.write(folder)
    return {"posts": len(posts), **earlier.facts()}


def known_posts(descriptions: pa.Table, shown_posts: ShownPosts, day: datetime.date) -> pa.Table:
    """Returns the posts that exist by the end of a day, in the schema `POSTS`, sorted by id.

    Args:
      descriptions: In the schema `DESCRIBED_POSTS`, sorted by id.
      shown_posts: Completes what is described, and is all that is known of other posts.
      day: The UTC day.
    """
    ids = descriptions["post_id"].to_numpy()
    authors = descriptions["author_id"].to_numpy().copy()
    created_at = descriptions["created_at"].cast(pa.int64()).to_numpy().copy()
    # The first impression completes a description, and no post is younger than it.
    rows, is_shown = sorted_ids.find(shown_posts.post_ids, ids)
    rows = rows[is_shown]
    author, created, first = authors[is_shown], created_at[is_shown], shown_posts.shown_at[rows]
    authors[is_shown] = np.where(author == 0, shown_posts.author_ids[rows], author)
    created_at[is_shown] = np.where((created == 0) | (created > first), first, created)
    new_rows = np.flatnonzero(~sorted_ids.find(ids, shown_posts.post_ids).is_there)
    posts = pa.concat_tables(
        [
            _with(descriptions, authors, created_at),
            _undescribed(shown_posts, new_rows, descriptions.column_names),
        ]
    )
    authors, created_at = posts["author_id"].to_numpy(), posts["created_at"].cast(pa.int64())
    exists = (created_at.to_numpy() < midnight_ms(day) + DAY_MS) & (authors > 0)
    order = np.argsort(posts["post_id"].to_numpy(), kind="stable")
    return posts.take(pa.array(order[exists[order]])).combine_chunks()


def _with(descriptions: pa.Table, authors: np.ndarray, created_at: np.ndarray) -> pa.Table:
    columns = {"author_id": pa.array(authors), "created_at": pa.array(created_at).view(TIMESTAMP)}
    schema = POSTS.with_optional(descriptions.column_names).schema()
    arrays = [columns.get(name, descriptions[name]) for name in schema.names]
    return pa.Table.from_arrays(arrays, schema=schema)


def _undescribed(shown_posts: ShownPosts, rows: np.ndarray, names: Sequence[str]) -> pa.Table:
    """Returns posts of which nothing but their impressions is known."""
    columns = {
        "post_id": shown_posts.post_ids[rows],
        "author_id": shown_posts.author_ids[rows],
        "created_at": shown_posts.shown_at[rows],  # an upper limit, and all that is known
        "eligible": np.ones(len(rows), bool),
        "duration_seconds": np.full(len(rows), np.nan, np.float32),
        **{name: np.full(len(rows), None, object) for name in ("tag", "title")},
    }
    return data_files.arrow_table(POSTS, {n: c for n, c in columns.items() if n in names})
