"""The posts that files describe."""

import numpy as np
import pyarrow as pa

from components.source import own_authors
from components.source.layouts import Layout
from components.source.raw_rows import RawRows
from components.source.row_checks import Rejections, RowCheck
from components.tables import cells
from components.tables.text_collector import TextCollector
from phoenix.data import sorted_ids
from schemas.posts import DESCRIBED_POSTS

Columns = dict[str, np.ndarray]
_ABOVE_ZERO = "an id above 0; of ids from 0 on, name the column in `ingest_events.source.text_ids`"

_NAMES = (*DESCRIBED_POSTS.names, "title")


class DescribedPosts:
    """What the files of posts say of each post, and which of their rows cannot be read."""

    def __init__(self, texts: TextCollector) -> None:
        """Begins without posts; `texts` takes the texts of their ids."""
        self._texts = texts
        self._has_titles = False
        self._parts: list[Columns] = []
        self._rejections: dict[int, str] = {}  # post -> place and reason of its last rejected row
        self._authors: tuple[np.ndarray, np.ndarray] | None = None

    def add(self, layout: Layout, rows: RawRows, rejections: Rejections) -> None:
        """Takes rows of a post file; later rows of a post replace earlier ones."""
        columns = layout.post_columns
        count = len(rows.lines)
        check = RowCheck(count, layout.null_words)
        post_ids = self._read_ids("post_id", layout, rows, check)
        check.mark(post_ids <= 0, "zero_id", rows, columns["post_id"], _ABOVE_ZERO)
        author_ids = np.zeros(count, np.int64)
        if "author_id" in columns:
            # What nobody made is its own author.
            author_ids = self._read_ids("author_id", layout, rows, check, otherwise=post_ids)
            own_authors.keep_texts(layout, columns, rows, post_ids, self._texts)
            check.mark(author_ids <= 0, "zero_id", rows, columns["author_id"], _ABOVE_ZERO)
        created_at = np.zeros(count, np.int64)
        if "created_at" in columns:
            # 0 where nobody says it: the first impression counts then.
            form = layout.time_form("created_at")
            created_at = check.time(rows, columns["created_at"], *form, is_optional=True)
        eligible = np.ones(count, bool)
        if "eligible" in columns:
            eligible = check.flag(rows, columns["eligible"])
        duration = np.full(count, np.nan, np.float32)
        if "duration_seconds" in columns:
            values, is_good = cells.parse_number(rows.cells[columns["duration_seconds"]])
            scale = 1_000 if layout.dwell_unit == "ms" else 1
            duration = np.where(is_good & (values >= 0), values / scale, np.nan).astype(np.float32)
        tag = title = np.full(count, None, object)
        if "tag" in columns:
            texts = rows.cells[columns["tag"]].cast(pa.string()).to_pylist()
            tag = np.array([text or None for text in texts], object)
        if "title" in columns:
            title, self._has_titles = cells.parse_text(rows.cells[columns["title"]]), True
        part = {
            "post_id": post_ids,
            "author_id": author_ids,
            "created_at": created_at,
            "eligible": eligible,
            "duration_seconds": duration,
            "tag": tag,
            "title": title,
        }
        self._parts.append({name: values[check.is_good] for name, values in part.items()})
        rejections.add("posts", rows, check)
        for row, detail in check.details.items():
            if post_ids[row] > 0:
                place = f"{rows.file}:{rows.lines[row]}"
                # Without the value that came: only what the messages of events say is of events.
                self._rejections[int(post_ids[row])] = f"{place}, {detail.split(', got ')[0]}"
        for line, text in rows.malformed:
            rejections.add_malformed("posts", rows.file, line, text)

    def _read_ids(
        self,
        name: str,
        layout: Layout,
        rows: RawRows,
        check: RowCheck,
        otherwise: np.ndarray | None = None,
    ) -> np.ndarray:
        end, read = layout.text_ids.get(name), self._texts.reader_that_takes(name)
        column = layout.post_columns[name]
        return check.identifier(rows, column, end, read, otherwise=otherwise)

    @property
    def lacks_times(self) -> bool:
        """Whether a post file leaves out when some post was written."""
        return any((part["created_at"] == 0).any() for part in self._parts)

    def authors_of(self, post_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the authors of posts by the post files, and a mask of those that are known.

        A post whose own id is no id is left to the row rules, which name it better.
        """
        if self._authors is None:
            posts = self._columns()
            self._authors = posts["post_id"], posts["author_id"]
        known_ids, author_ids = self._authors
        is_known = sorted_ids.find(known_ids, post_ids).is_there
        authors = sorted_ids.values_at(known_ids, author_ids, post_ids, missing=0)
        return authors, is_known | (post_ids <= 0)

    def rejection(self, post_id: int) -> str:
        """Returns what to add to a message about an unknown post: its row is there but rejected."""
        reason = self._rejections.get(int(post_id))
        return f"; its row is rejected ({reason})" if reason else ""

    def columns(self) -> Columns:
        """Returns the columns of `DESCRIBED_POSTS`, sorted by id; `title` if a file has one."""
        columns = self._columns()
        return {n: v for n, v in columns.items() if n != "title" or self._has_titles}

    def _columns(self) -> Columns:
        if not self._parts:
            return _no_posts()
        whole = {name: np.concatenate([part[name] for part in self._parts]) for name in _NAMES}
        order = np.argsort(whole["post_id"], kind="stable")  # the last row of a post stays last
        ids = whole["post_id"][order]
        order = order[np.append(ids[1:] != ids[:-1], True)] if len(ids) else order
        return {name: values[order] for name, values in whole.items()}


def _no_posts() -> Columns:
    """Returns the columns of posts without a row."""
    return {
        "post_id": np.empty(0, np.int64),
        "author_id": np.empty(0, np.int64),
        "created_at": np.empty(0, np.int64),
        "eligible": np.empty(0, bool),
        "duration_seconds": np.empty(0, np.float32),
        "tag": np.empty(0, object),
        "title": np.empty(0, object),
    }
