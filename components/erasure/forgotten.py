"""Users who are to be forgotten: their rows leave every new artifact, and a search proves it.

A row of such a user is counted as quarantined by the rule `erased`; of it nothing is kept but file
and line. The ids are in a file that the configuration names, one a line, as the source writes them;
their digest is part of the recipe of the steps, so that every day that is run again is made anew
without them.
"""

import hashlib
import json
import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.errors import BadConfigurationError
from components.settings.config import Config
from components.settings.source import UserIdForm
from components.tables import cells, data_files
from schemas.events import REJECTED
from schemas.rules import ERASED

_NUMBER = re.compile(r"-?\d+")  # anywhere in a text


class ForgottenUsers(NamedTuple):
    """Users who are to be forgotten."""

    ids: frozenset[int]
    texts: frozenset[str] = frozenset()  # ids as the source writes them, where they are text
    entries: tuple[tuple[int, frozenset[int]], ...] = ()  # lines of the list with their ids


def erased_ids(config: Config) -> np.ndarray:
    """Returns the ids of the users who are to be forgotten, `[N]` int64, sorted and distinct.

    Raises:
      BadConfigurationError: If the file cannot be read or a line is no id.
    """
    return np.array(sorted(forgotten_users(config).ids), np.int64)


def forgotten_users(config: Config) -> ForgottenUsers:
    """Reads the list of the users who are to be forgotten.

    Where ids are text, a number is both a text and the id that stands for one, which is what feeds
    show: that the hash of somebody else's text is a number on the list has no chance worth telling.

    Raises:
      BadConfigurationError: If the file cannot be read or a line is no id.
    """
    path, end = config.ingest_events.erased_users, config.ingest_events.source.user_ids.text_end
    if path is None:
        return ForgottenUsers(frozenset())
    try:
        # Editors of Windows begin a file with a mark, which would belong to the first id.
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfigurationError(
            f"ingest_events.erased_users: {path} cannot be read: {error}"
        ) from error
    texts, entries = set(), list[tuple[int, frozenset[int]]]()
    for number, line in enumerate(lines, start=1):
        # Of ids that are text, `#` may be a part; after a number a remark begins.
        text = (line.partition("#")[0] if end is None else line).strip()
        if not text:
            continue
        user_ids = [user for user in (_parse_number(text), _text_id(text, end)) if user > 0]
        if not user_ids:
            # The line itself is not repeated: it may be a name, and messages are kept in logs.
            expected = "a whole number above 0" if end is None else f"text before {end!r}"
            raise BadConfigurationError(
                f"ingest_events.erased_users: {path}:{number}: expected one user id, {expected}, "
                f"got {len(text)} other characters."
            )
        entries.append((number, frozenset(user_ids)))
        if end is not None:
            texts.add(text.partition(end)[0] if end else text)
    ids = frozenset[int]().union(*(each for _, each in entries))
    return ForgottenUsers(ids, frozenset(texts), tuple(entries))


def _parse_number(text: str) -> int:
    """Returns the number that a text is, or 0."""
    values, _ = cells.parse_whole(pa.array([text]))
    return int(values[0])


def _text_id(text: str, end: str | None) -> int:
    """Returns the id that stands for a text, or 0 where ids are no text."""
    return 0 if end is None else int(cells.parse_text_id(pa.array([text]), end)[0][0])


def recipe(config: Config) -> dict[str, str]:
    """Returns the part of a recipe that names the list: its digest, or nothing without a user."""
    ids = erased_ids(config)
    return {"erased_users": hashlib.sha256(ids.tobytes()).hexdigest()} if len(ids) else {}


def remaining(user_ids: np.ndarray, config: Config) -> np.ndarray:
    """Returns the users who are not to be forgotten, `[N]` int64, in their order."""
    return user_ids[~np.isin(user_ids, erased_ids(config))]


def forget_events(events: pa.Table, ids: np.ndarray) -> tuple[pa.Table, pa.Table]:
    """Divides rows into those of other users and the places of those of forgotten ones.

    Args:
      events: With the columns of `INGESTED`.
      ids: Of the users to be forgotten.

    Returns:
      A table as it came in, and one in the schema `REJECTED`.
    """
    if not len(ids):
        return events, REJECTED.schema().empty_table()
    is_erased = np.isin(events["user_id"].to_numpy(), ids)
    return events.filter(pa.array(~is_erased)), _place_rows(events.filter(pa.array(is_erased)))


def forget_rejected(rejected: pa.Table, config: Config) -> pa.Table:
    """Returns rejected rows with nothing but the place where they are of a forgotten user.

    A row that could not be read may hide whose it is: where its content names no user, every number
    in it counts as one, and so does every text that is the id of one.

    Args:
      rejected: In the schema `REJECTED`.
      config: Who is to be forgotten, and the source.
    """
    users, form = forgotten_users(config), config.ingest_events.source.user_ids
    if not users.ids:
        return rejected
    # Rows of post files name no user, whatever numbers are in them.
    is_erased = np.array(
        [
            table == "events" and bool(forgotten_users_in(raw, users, form))
            for table, raw in zip(
                rejected["table"].to_pylist(), rejected["raw"].to_pylist(), strict=True
            )
        ],
        bool,
    )
    other_rows = rejected.filter(pa.array(~is_erased))
    erased_rows = _place_rows(rejected.filter(pa.array(is_erased)))
    return data_files.concatenate(REJECTED, [other_rows, erased_rows])


def _place_rows(rows: pa.Table) -> pa.Table:
    """Returns rows in the schema `REJECTED` of which nothing is kept but their place."""
    count = len(rows)
    table = REJECTED.with_optional(rows.column_names)
    return pa.table(
        {
            "table": pa.array(["events"] * count, pa.string()),
            "file": rows["file"],
            "line": rows["line"],
            "rule": pa.array([ERASED] * count, pa.string()),
            "detail": pa.array(["a row of a user who is to be forgotten"] * count, pa.string()),
            "raw": pa.array([""] * count, pa.string()),
            **({"entry": rows["entry"]} if "entry" in rows.column_names else {}),
        }
    ).cast(table.schema())


def forgotten_users_in(raw: str | None, users: ForgottenUsers, form: UserIdForm) -> list[int]:
    """Returns the forgotten users whom the content of a rejected row names, maybe repeatedly.

    Args:
      raw: JSON of the source columns, or the text of a row that does not have them.
      users: Who is to be forgotten.
      form: How the source writes user ids.

    >>> users, form = ForgottenUsers(frozenset({7})), UserIdForm(column="user")
    >>> forgotten_users_in('{"user": "7", "post": "1"}', users, form)
    [7]
    >>> forgotten_users_in('{"user": "1", "post": "7"}', users, form)
    []
    >>> forgotten_users_in("a row that is cut off after 7", users, form)
    [7]
    """
    text, is_user_cell = raw or "", False
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        content = None
    if isinstance(content, dict) and form.column in content:
        text, is_user_cell = str(content[form.column]).strip(), True
    if form.text_end is None:
        ids = [int(number) for number in _NUMBER.findall(text)]
    else:
        # Elsewhere than in the cell of the user an id may stand beside other text, so the list is
        # looked for in the row, too.
        texts = [text] if is_user_cell else [*_split_row(text, form.delimiter), *users.texts]
        ids = [_text_id(each, form.text_end) for each in texts if each in text]
    return [user for user in ids if user in users.ids]


def _split_row(text: str, delimiter: str | None) -> list[str]:
    """Returns the texts between the delimiters and quotes of a row with other columns."""
    divider = re.escape(delimiter) if delimiter else "[,\\t]"
    _, _, row = text.partition(": ")  # after how many columns were expected, and came
    return [part.strip() for part in re.split(f'{divider}|"', row or text)]
