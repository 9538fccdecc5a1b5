"""The feeds of one publication in memory, for the answer to one user in microseconds.

Only the columns of an answer are read, from verified files. What was read never changes: another
publication is another object, so an answer is of one publication as a whole.

Glossary of shapes:
  U: users with a feed, R: places of all feeds.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components import contract
from components.release.releases import Live
from components.serving import feed_files
from components.serving.feed_files import DEFAULT_FILE, FEEDS_FILE, NOBODY
from components.serving.published import DEFAULT
from components.store.artifacts import Store
from schemas.feeds import TEXT_COLUMNS

_NUMBERS = ("user_id", "post_id", "author_id", "score")
_CODES = ("source", "kind", "release")  # few texts in many rows
_TEXTS = (TEXT_COLUMNS["post_id"], TEXT_COLUMNS["author_id"], "title")


@dataclass(frozen=True)
class _Rows:
    """Rows of feeds, those of a user together and by rank, as they are written."""

    user_ids: np.ndarray  # [U] int64, rising
    starts: np.ndarray  # [U] int64 the first row of each
    stops: np.ndarray  # [U] int64 the row after the last
    post_ids: np.ndarray  # [R] int64
    author_ids: np.ndarray  # [R] int64
    scores: np.ndarray  # [R] float32
    source_codes: np.ndarray  # [R] places among the names
    source_names: Sequence[str]
    columns: dict[str, pa.Array]  # [R] each: codes, texts, and the day of the ranking

    @classmethod
    def of(cls, paths: Sequence[Path], day: str) -> "_Rows":
        """Reads the files of a table of feeds of the publication of `day`."""
        names = pq.read_schema(paths[0]).names
        wanted = [name for name in (*_NUMBERS, *_CODES, *_TEXTS, "made_on") if name in names]
        codes = [name for name in _CODES if name in names]
        tables = [pq.read_table(path, columns=wanted, read_dictionary=codes) for path in paths]
        table = feed_files.with_origin(pa.concat_tables(tables).unify_dictionaries(), day)
        users = table["user_id"].to_numpy()
        is_first = np.append(True, users[1:] != users[:-1])[: len(users)]
        starts = np.flatnonzero(is_first)
        stops = np.append(starts[1:], len(users))
        order = np.argsort(users[starts])  # of users alone: rows are twenty times as many
        kept = {"kind", "release", "made_on", *_TEXTS} & {*table.column_names}
        source = _whole(table["source"])
        return cls(
            users[starts[order]],
            starts[order],
            stops[order],
            post_ids=table["post_id"].to_numpy(),
            author_ids=table["author_id"].to_numpy(),
            scores=table["score"].to_numpy(),
            # Codes of the names: to ask Arrow for twenty texts takes longer than all the rest.
            source_codes=source.indices.to_numpy(),
            source_names=source.dictionary.to_pylist(),
            columns={name: _whole(table[name]) for name in kept},
        )

    def of_user(self, user_id: int) -> slice | None:
        """Returns the rows of a user, or None."""
        place = int(np.searchsorted(self.user_ids, user_id))
        if place == len(self.user_ids) or self.user_ids[place] != user_id:
            return None
        return slice(int(self.starts[place]), int(self.stops[place]))

    def text(self, name: str, row: int) -> str:
        """Returns the text in one cell of a column."""
        return str(self.columns[name][row])


@dataclass(frozen=True)
class Unwanted:
    """What may not stand in one answer."""

    posts: Sequence[AbstractSet[int]] = ()
    authors: AbstractSet[int] = frozenset()

    def others(self, post_ids: Sequence[int], author_ids: Sequence[int]) -> Sequence[int]:
        """Returns the places of posts that it does not name, nor their authors."""
        places = range(len(post_ids))
        if self.authors.isdisjoint(author_ids) and all(
            each.isdisjoint(post_ids) for each in self.posts
        ):
            return places
        return [
            place
            for place in places
            if author_ids[place] not in self.authors
            and not any(post_ids[place] in each for each in self.posts)
        ]


class LiveFeeds:
    """The feeds of one publication."""

    def __init__(self, store: Store, live: Live) -> None:
        """Reads and verifies them.

        Raises:
          BadDataError: If they are missing or damaged, or of a later format.
        """
        self.live, self.day = live, live.feeds.partition
        self._own = _Rows.of(store.read_files(live.feeds, FEEDS_FILE), self.day)
        # Feeds of an earlier format have no default feed.
        has_default = DEFAULT_FILE in store.manifest(live.feeds)["files"]
        paths = [store.read_file(live.feeds, DEFAULT_FILE)] if has_default else []
        self._default = _Rows.of(paths, self.day) if paths else None

    @property
    def num_users(self) -> int:
        """Users with a feed of their own."""
        return len(self._own.user_ids)

    def feed(self, user_id: int, unwanted: Unwanted, length: int | None) -> dict[str, Any]:
        """Returns the feed of a user as JSON-able values, without what is unwanted.

        Who has none, or of whose feed nothing is left, has the default one.

        Args:
          user_id: Known or not.
          unwanted: For this user and this answer.
          length: Places at most; None for all.
        """
        places = self._own.of_user(user_id)
        if places is not None:
            answer = self._answer(self._own, places, unwanted, length)
            if answer["items"]:
                return answer
        rows = self._default
        places = rows.of_user(NOBODY) if rows is not None else None
        if rows is None or places is None:  # a corpus of which nobody may be shown anything
            return self._described(DEFAULT, self.day, self.live.release.digest, [])
        return {**self._answer(rows, places, unwanted, length), "kind": DEFAULT}

    def _answer(
        self, rows: _Rows, places: slice, unwanted: Unwanted, length: int | None
    ) -> dict[str, Any]:
        posts, authors = rows.post_ids[places].tolist(), rows.author_ids[places].tolist()
        kept = unwanted.others(posts, authors)[:length]
        texts = {
            name: rows.columns[name][places].to_pylist() for name in _TEXTS if name in rows.columns
        }
        # Ids are text, whole numbers of 64 bits too: JavaScript would round them.
        names = texts.get("post") or list(map(str, posts))
        whose = texts.get("author") or list(map(str, authors))
        titles, sources = texts.get("title"), rows.source_codes[places].tolist()
        scores = rows.scores[places].tolist()
        items = [
            {
                "rank": rank,
                "post_id": names[place],
                "author_id": whose[place],
                "title": titles[place] if titles else None,
                "score": scores[place],
                "source": rows.source_names[sources[place]],
            }
            for rank, place in enumerate(kept, 1)
        ]
        kind, made_on, release = (
            rows.text(name, places.start) for name in ("kind", "made_on", "release")
        )
        return self._described(kind, made_on, release, items)

    def _described(
        self, kind: str, made_on: str, release: str, items: list[dict[str, Any]]
    ) -> dict[str, Any]:
        age = contract.parse_day(self.day) - contract.parse_day(made_on)
        return {
            "day": self.day,
            "live_release": self.live.release.digest,
            "release": release,
            "kind": kind,
            "made_on": made_on,
            "age_days": age.days,
            "items": items,
        }


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """Returns a column in one piece; an empty one may have none."""
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
