"""The lists of rules about people and posts: blocked authors, and posts that were withdrawn."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from components.errors import BadConfigurationError
from components.settings.config import Config
from components.tables import cells

PAIR = ["user_id", "author_id"]
SETTINGS = ("blocked_authors", "withdrawn_posts")  # paths, whose files count in a recipe


def blocked_authors(config: Config) -> pa.Table:
    """Returns the pairs of a user and an author whom this user is not shown; none without a list.

    Raises:
      BadConfigurationError: If the file cannot be read, has other columns, or a cell is no id.
    """
    path = config.materialize_feeds.blocked_authors
    if path is None:
        return pa.table({name: pa.array([], pa.int64()) for name in PAIR})
    where = f"materialize_feeds.blocked_authors: {path}"
    as_text = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(PAIR, pa.string()))
    try:
        table = pyarrow.csv.read_csv(path, convert_options=as_text)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadConfigurationError(f"{where} cannot be read: {error}") from error
    if not {*PAIR} <= {*table.column_names}:
        raise BadConfigurationError(
            f"{where}: expected the columns {' and '.join(PAIR)}, got "
            f"{', '.join(table.column_names)}: write them into the first line."
        )
    return pa.table({name: _ids(table[name], name, config, f"{where}:", first=2) for name in PAIR})


def withdrawn_posts(config: Config) -> np.ndarray:
    """`[n]` int64: the ids on the list of withdrawn posts; none without one.

    Raises:
      BadConfigurationError: If the file cannot be read, or a line is no id.
    """
    path = config.materialize_feeds.withdrawn_posts
    if path is None:
        return np.empty(0, np.int64)
    where = f"materialize_feeds.withdrawn_posts: {path}"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfigurationError(f"{where} cannot be read: {error}") from error
    texts = pa.chunked_array([pa.array(lines, pa.string())])
    return _ids(texts, "post_id", config, f"{where}:", first=1)


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
            f"materialize_feeds.{name}: {path} cannot be read: {error}"
        ) from error


def _ids(
    column: pa.ChunkedArray, id_name: str, config: Config, where: str, *, first: int
) -> np.ndarray:
    """`[n]` int64: ids as the source writes them.

    Args:
      column: Text.
      id_name: Of which kind.
      config: Says which ids are text.
      where: The setting and its file, for the message.
      first: The line of the first one.

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
            f"{where}{bad[0] + first}: expected a {id_name}, {expected}, got {got!r}."
        )
    return values
