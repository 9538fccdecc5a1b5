"""The lists that a deployment keeps: who blocks and follows whom, posts to withdraw and to show."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from components.errors import BadConfigurationError
from components.settings.config import Config
from components.tables import cells

PAIR = ["user_id", "author_id"]
_IDS = [*PAIR, "post_id"]
# Paths, whose files count in a recipe.
SETTINGS = ("blocked_authors", "withdrawn_posts", "followed_authors", "listed_posts")


def blocked_authors(config: Config) -> pa.Table:
    """Returns the pairs of a user and an author whom this user is not shown; none without a list.

    Raises:
      BadConfigurationError: If the file cannot be read, has other columns, or a cell is no id.
    """
    return _pairs("blocked_authors", config)


def followed_authors(config: Config) -> pa.Table:
    """Returns the pairs of a user and an author whom this user follows; none without a list.

    Raises:
      BadConfigurationError: If the file cannot be read, has other columns, or a cell is no id.
    """
    return _pairs("followed_authors", config)


def listed_posts(config: Config) -> pa.Table:
    """Returns the posts of a list, best first, and for whom each is; none without a list.

    Returns:
      Columns user_id, 0 where a post is for everybody, and post_id.

    Raises:
      BadConfigurationError: If the file cannot be read, has other columns, or a cell is no id.
    """
    name = "listed_posts"
    table = _read(name, ["post_id"], config)
    users = np.zeros(len(table), np.int64)
    if "user_id" in table.column_names:
        is_own = table["user_id"].fill_null("").to_numpy() != ""
        own, where = table["user_id"].filter(is_own), _where(name, config)
        users[is_own] = _ids(own, "user_id", config, where, np.flatnonzero(is_own) + 2)
    return pa.table({"user_id": users, "post_id": _ids_of(table, "post_id", name, config)})


def withdrawn_posts(config: Config) -> np.ndarray:
    """`[n]` int64: the ids on the list of withdrawn posts; none without one.

    Raises:
      BadConfigurationError: If the file cannot be read, or a line is no id.
    """
    path = config.materialize_feeds.withdrawn_posts
    if path is None:
        return np.empty(0, np.int64)
    where = _where("withdrawn_posts", config)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfigurationError(f"{where} it cannot be read: {error}") from error
    texts = pa.chunked_array([pa.array(lines, pa.string())])
    return _ids(texts, "post_id", config, where, np.arange(len(lines)) + 1)


def recipe(config: Config) -> dict[str, str]:
    """Returns the part of a recipe that names the lists: the digests of their files.

    Raises:
      BadConfigurationError: If one cannot be read.
    """
    paths = {name: getattr(config.materialize_feeds, name) for name in SETTINGS}
    return {name: _digest(path, name) for name, path in paths.items() if path is not None}


def _digest(path: Path, name: str) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BadConfigurationError(
            f"materialize_feeds.{name}: {path}: it cannot be read: {error}"
        ) from error


def _pairs(setting: str, config: Config) -> pa.Table:
    """Returns the pairs of a user and an author of a list; none without one."""
    table = _read(setting, PAIR, config)
    return pa.table({name: _ids_of(table, name, setting, config) for name in PAIR})


def _read(setting: str, columns: Sequence[str], config: Config) -> pa.Table:
    """Reads a CSV file as text; without one, a table of no rows.

    Raises:
      BadConfigurationError: If the file cannot be read, or lacks a column.
    """
    path = getattr(config.materialize_feeds, setting)
    if path is None:
        return pa.table({name: pa.array([], pa.string()) for name in columns})
    where = _where(setting, config)
    as_text = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(_IDS, pa.string()))
    try:
        table = pyarrow.csv.read_csv(path, convert_options=as_text)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadConfigurationError(f"{where} it cannot be read: {error}") from error
    if not {*columns} <= {*table.column_names}:
        raise BadConfigurationError(
            f"{where} expected the column{'s' * (len(columns) > 1)} {' and '.join(columns)}, got "
            f"{', '.join(table.column_names)}: write {'them' if len(columns) > 1 else 'it'} into "
            "the first line."
        )
    return table


def _ids_of(table: pa.Table, name: str, setting: str, config: Config) -> np.ndarray:
    """`[n]` int64: the ids in a column of a CSV file, whose first line names it."""
    return _ids(table[name], name, config, _where(setting, config), np.arange(len(table)) + 2)


def _where(setting: str, config: Config) -> str:
    return f"materialize_feeds.{setting}: {getattr(config.materialize_feeds, setting)}:"


def _ids(
    column: pa.ChunkedArray, id_name: str, config: Config, where: str, lines: np.ndarray
) -> np.ndarray:
    """`[n]` int64: ids as the source writes them.

    Args:
      column: Text.
      id_name: Of which kind.
      config: Says which ids are text.
      where: The setting and its file, for the message.
      lines: `[n]`, of each.

    Raises:
      BadConfigurationError: If a cell is no id, by its line.
    """
    ends: Mapping[str, str] = dict(config.ingest_events.source.text_ids.items())
    end, texts = ends.get(id_name), column.combine_chunks()
    values, is_good = cells.parse_whole(texts) if end is None else cells.parse_text_id(texts, end)
    bad = np.flatnonzero(~is_good | (values <= 0))
    if len(bad):
        expected = "a whole number above 0" if end is None else f"text before {end!r}"
        got = texts[int(bad[0])].as_py()
        raise BadConfigurationError(
            f"{where}{lines[bad[0]]}: expected a {id_name}, {expected}, got {got!r}."
        )
    return values
