"""Published feeds as sinks get them, and what a sink is."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from components.erasure import forgotten
from components.errors import BadConfigurationError
from components.serving import feed_files
from components.serving.feed_files import DEFAULT_FILE, FEEDS_FILE
from components.settings.config import Config
from components.store.artifacts import Artifact
from schemas.feeds import TEXT_COLUMNS

_COLUMNS = ("user_id", "rank", "post_id", "author_id", "score", "source", "kind", "made_on")
_TITLE = "title"  # a column more, where posts have titles
BATCH = 10_000  # rows or keys at a time: one trip to the server for many, and little memory


@dataclass(frozen=True)
class SinkFeeds:
    """Published feeds, but for users who are to be forgotten.

    A rollback serves feeds that may be older than the list of these users.
    """

    artifact: Artifact
    erased_ids: frozenset[int]

    @classmethod
    def of(cls, config: Config, artifact: Artifact) -> "SinkFeeds":
        """Returns the feeds of an artifact as they may be served now."""
        return cls(artifact, frozenset(forgotten.erased_ids(config).tolist()))

    @property
    def version(self) -> str:
        """The name of what is served: the same rows have the same."""
        digest = self.artifact.ref.digest
        if self.erased_ids:
            text = f"{digest} {sorted(self.erased_ids)}"
            digest = hashlib.sha256(text.encode()).hexdigest()
        return digest[:16]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a sink gets; the user first."""
        return (*_COLUMNS, _TITLE) if _TITLE in self._file_columns else _COLUMNS

    @property
    def text_columns(self) -> dict[str, str]:
        """The columns with texts by the id that they are texts of; {} where ids are numbers."""
        names = self._file_columns
        return {name: text for name, text in TEXT_COLUMNS.items() if text in names}

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yields the rows of users, those of a user together; texts of ids as in the source."""
        return self._rows_of(self.artifact.paths(FEEDS_FILE), self.columns)

    def default_rows(self) -> Iterator[tuple[Any, ...]]:
        """Yields the default feed, without a user; nothing of feeds before there was one."""
        is_there = DEFAULT_FILE in self.artifact.manifest["files"]
        paths = [self.artifact.path(DEFAULT_FILE)] if is_there else []
        return self._rows_of(paths, self.columns[1:])

    def _rows_of(self, paths: Sequence[Path], columns: Iterable[str]) -> Iterator[tuple[Any, ...]]:
        texts = self.text_columns
        names = [texts.get(name, name) for name in columns]
        for path in paths:
            file = pq.ParquetFile(path)
            all_names = file.schema_arrow.names
            known = [name for name in dict.fromkeys(("user_id", *names)) if name in all_names]
            for batch in file.iter_batches(batch_size=BATCH, columns=known):
                table = pa.Table.from_batches([batch])
                table = feed_files.with_origin(table, self.artifact.ref.partition)
                users = table["user_id"].to_pylist()
                rows = zip(*(_values(table[name]) for name in names), strict=True)
                for user, row in zip(users, rows, strict=True):
                    if user not in self.erased_ids:
                        yield row

    @property
    def _file_columns(self) -> list[str]:
        return pq.read_schema(self.artifact.paths(FEEDS_FILE)[0]).names


class Sink(Protocol):
    """A place that serves one whole version of the feeds."""

    @property
    def name(self) -> str:
        """The sink, for people."""
        ...

    def serves(self, feeds: SinkFeeds) -> bool:
        """Returns whether the sink serves these feeds, and nothing of them is lost.

        Raises:
          BadConfigurationError: If address, password, rights or driver are wrong.
          TryAgainError: If the sink cannot be reached.
        """
        ...

    def write(self, feeds: SinkFeeds, may_switch: Callable[[], None]) -> None:
        """Fills the sink beside what it serves, then switches; a failure before changes nothing.

        Args:
          feeds: The feeds to serve.
          may_switch: Called just before the switch; raises where somebody else publishes now.

        Raises:
          BadConfigurationError: If address, password, rights, names or driver are wrong.
          TryAgainError: If the sink cannot be reached, is full, locked or read-only, or another
            writer was faster.
        """
        ...


def address(variable: str) -> str:
    """Returns the address of a sink.

    Raises:
      BadConfigurationError: If its environment variable is not set.
    """
    value = os.environ.get(variable)
    if not value:
        raise BadConfigurationError(f"The environment variable {variable} of a sink is not set.")
    return value


def not_installed(package: str) -> BadConfigurationError:
    """Returns the error of a driver that is missing."""
    return BadConfigurationError(
        f"A sink needs the package {package}: install this project with the extra `sinks`."
    )


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Returns values that PostgreSQL and JSON know; days as text."""
    return (column.cast(pa.string()) if pa.types.is_date(column.type) else column).to_pylist()
