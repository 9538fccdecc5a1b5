"""Users who are to be forgotten: their rows leave every new artifact, and a search proves it.

A row of such a user is counted as quarantined by the rule `erased`; of it nothing is kept but file
and line. The ids are in a file that the configuration names, one a line, as the source writes them;
their digest is part of the recipe of the steps, so that every day that is run again is made anew
without them.
"""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import hashlib
import json
import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.errors import BadConfigurationError
from components.settings.config import Config
from components.tables import cells
from schemas.events import REJECTED
from schemas.rules import ERASED

_NUMBER = re.compile(r"-?\d+")


class ForgottenUsers(NamedTuple):
    """Users who are to be forgotten."""

    ids: frozenset[int]
    texts: frozenset[str] = frozenset()  # ids as the source writes them, where they are text


def erased_ids(config: Config) -> np.ndarray:
    """Returns the ids of the users who are to be forgotten, `[N]` int64, sorted and distinct.

    Raises:
      BadConfigurationError: If the file cannot be read or a line is no id.
    """
    return np.array(sorted(forgotten_users(config).ids), np.int64)


def forgotten_users(config: Config) -> ForgottenUsers:
    """Returns the users who are to be forgotten.

    Where ids are text, a number is both a text and the id that stands for one, which is what feeds
    show: that the hash of somebody else's text is a number on the list has no chance worth telling.
    """
    path, end = config.ingest_events.erased_users, _text_end(config)
    if path is None:
        return ForgottenUsers(frozenset())
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfigurationError(
            f"ingest_events.erased_users: {path} cannot be read: {error}"
        ) from error
    ids, texts = set(), set()
    for number, line in enumerate(lines, start=1):
        # Of ids that are text, `#` may be a part; after a number a remark begins.
        text = (line.partition("#")[0] if end is None else line).strip()
        if not text:
            continue
        found = [user for user in (_number(text), _hash(text, end)) if user > 0]
        if not found:
            expected = "a whole number above 0" if end is None else f"text before {end!r}"
            raise BadConfigurationError(
                f"ingest_events.erased_users: {path}:{number}: expected one user id, {expected}, "
                f"got {len(text)} other characters."
            )
        ids.update(found)
        if end is not None:
            texts.add(text.partition(end)[0] if end else text)
    return ForgottenUsers(frozenset(ids), frozenset(texts))


def _number(text: str) -> int:
    """Returns the number that a text is, or 0."""
    values, _ = cells.parse_whole(pa.array([text]))
    return int(values[0])


def _hash(text: str, end: str | None) -> int:
    """Returns the id that stands for a text, or 0 where ids are no text."""
    return 0 if end is None else int(cells.parse_text_id(pa.array([text]), end)[0][0])


def recipe(config: Config) -> dict[str, str]:
    """Returns what a recipe holds of the list: its digest, or nothing where nobody is on it."""
    ids = erased_ids(config)
    return {"erased_users": hashlib.sha256(ids.tobytes()).hexdigest()} if len(ids) else {}


def remaining(user_ids: np.ndarray, config: Config) -> np.ndarray:
    """Returns the users who are not to be forgotten, `[N]` int64, in their order."""
    return user_ids[~np.isin(user_ids, erased_ids(config))]


def forget_events(events: pa.Table, ids: np.ndarray) -> tuple[pa.Table, pa.Table]:
    """Returns the rows of other users, and the places of those of forgotten ones.

    Args:
      events: With the columns of `INGESTED`.
      ids: Of the users to be forgotten.

    Returns:
      A table as it came in, and one in the schema `REJECTED`.
    """
    if not len(ids):
        return events, REJECTED.schema().empty_table()
    is_erased = np.isin(events["user_id"].to_numpy(), ids)
    return events.filter(pa.array(~is_erased)), _places(events.filter(pa.array(is_erased)))


def forget_rejected(rejected: pa.Table, config: Config) -> pa.Table:
    """Returns rejected rows with nothing but the place where they are of a forgotten user.

    A row that could not be read may hide whose it is: where its content names no user, every number
    in it counts as one, and so does every text that is the id of one.
    """
    listed = forgotten_users(config)
    if not listed.ids:
        return rejected
    rows = zip(rejected["table"].to_pylist(), rejected["raw"].to_pylist(), strict=True)
    is_erased = np.array(
        [
            table == "events" and bool(forgotten_users_in(raw, listed, config))
            for table, raw in rows
        ],
        bool,
    )
    kept, gone = rejected.filter(pa.array(~is_erased)), rejected.filter(pa.array(is_erased))
    return pa.concat_tables([kept, _places(gone)])


def _places(rows: pa.Table) -> pa.Table:
    count = len(rows)
    return pa.table(
        {
            "table": pa.array(["events"] * count, pa.string()),
            "file": rows["file"],
            "line": rows["line"],
            "rule": pa.array([ERASED] * count, pa.string()),
            "detail": pa.array(["a row of a user who is to be forgotten"] * count, pa.string()),
            "raw": pa.array([""] * count, pa.string()),
        }
    ).cast(REJECTED.schema())


def _text_end(config: Config) -> str | None:
    """Returns what ends the text of a user id, or None where user ids are numbers."""
    return getattr(config.ingest_events.source, "text_ids", {}).get("user_id")


def forgotten_users_in(raw: str | None, listed: ForgottenUsers, config: Config) -> list[int]:
    """Returns the listed users whom the content of a row names."""
    columns = getattr(config.ingest_events.source, "event_columns", {})
    column, end = columns.get("user_id", "user_id"), _text_end(config)
    text, is_known = raw or "", False
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        content = None
    if isinstance(content, dict) and column in content:
        text, is_known = str(content[column]).strip(), True
    if end is None:
        ids = [int(number) for number in _NUMBER.findall(text)]
    else:
        pieces = [text] if is_known else [*_pieces(text, config), *listed.texts]
        ids = [_hash(each, end) for each in pieces if each in text]
    return [user for user in ids if user in listed.ids]


def _pieces(text: str, config: Config) -> list[str]:
    """Returns what may be an id in a row that is no row."""
    delimiter = getattr(config.ingest_events.source, "delimiter", None)
    divider = re.escape(delimiter) if delimiter else "[,\\t]"
    _, _, row = text.partition(": ")  # after how many columns were expected, and came
    return [piece.strip() for piece in re.split(f'{divider}|"', row or text)]
