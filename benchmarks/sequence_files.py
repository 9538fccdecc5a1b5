"""Files of what users did, in order: MovieLens ratings, or posts of users, by line or by pair."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from phoenix.recommend.leave_one_out import MIN_EVENTS, Events

FORMATS = ("movielens", "sequences")
_PAIR = 2  # Values on a line.
_HEADERS = {"userid", "user_id", "user", "user_id:token"}


class DataError(Exception):
    """A file that is not what it should be: says which line, what was expected, what came."""


class Log(NamedTuple):
    """The sequences of all users over a catalogue 1 .. M."""

    users: list[Events]
    num_posts: int  # M
    num_events: int
    actions: tuple[str, ...]


def read(path: Path, form: str) -> Log:
    """Reads a file; posts are numbered in the order in which they first appear.

    Args:
      path: UTF-8 text, or Latin-1 where it is no UTF-8.
      form: "movielens", lines of `user::post::rating::time` or CSV with these columns, or
        "sequences", lines of `user post post ...` in order of time, or lines of `user post`, one
        for every event, in order of time.

    Raises:
      DataError: If it cannot be read, a line is damaged, or no user has enough events for
        leave-one-out.
    """
    lines = list(_lines(path))
    events = _ratings(path, lines) if form == "movielens" else _sequences(path, lines)
    numbers: dict[str, int] = {}
    users = []
    for posts in events.values():
        ids = np.array([numbers.setdefault(post, len(numbers) + 1) for post in posts], np.int64)
        users.append(Events(ids, np.ones(len(ids), np.uint64)))
    if not users:
        raise DataError(f"{path}: expected at least one user, the file has none.")
    longest = max(len(user.post_ids) for user in users)
    if longest < MIN_EVENTS:
        raise DataError(
            f"{path}: expected a user with {MIN_EVENTS} events or more, for leave-one-out; of "
            f"{len(users)} users none has more than {longest}."
        )
    return Log(users, len(numbers), sum(len(user.post_ids) for user in users), ("engaged",))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line


def _ratings(path: Path, lines: list[tuple[int, str]]) -> dict[str, list[str]]:
    """Posts by user, in order of time; equal times keep the order of the file."""
    rows: dict[str, list[tuple[float, str]]] = {}
    for position, (number, line) in enumerate(lines):
        if "::" in line:
            values = line.split("::")
        else:
            values = next(csv.reader([line], delimiter="\t" if "\t" in line else ","))
        if position == 0 and values[0].strip().lower() in _HEADERS:
            continue
        if len(values) != 4 or not all(value.strip() for value in values):
            raise DataError(
                f"{path}:{number}: expected user, post, rating and time, got {line[:80]!r}."
            )
        user, post, _, moment = (value.strip() for value in values)
        try:
            time = float(moment)
        except ValueError:
            raise DataError(
                f"{path}:{number}: column time: expected a number, got {moment!r}."
            ) from None
        if not np.isfinite(time):
            raise DataError(f"{path}:{number}: column time: expected a number, got {moment!r}.")
        rows.setdefault(user, []).append((time, post))
    for each in rows.values():
        each.sort(key=lambda row: row[0])
    return {user: [post for _, post in each] for user, each in rows.items()}


def _sequences(path: Path, lines: list[tuple[int, str]]) -> dict[str, list[str]]:
    """Posts by user; a file of nothing but pairs has a line for every event."""
    rows = [(number, line, line.split()) for number, line in lines]
    are_pairs = all(len(values) == _PAIR for _, _, values in rows)
    users: dict[str, list[str]] = {}
    for number, line, (user, *posts) in rows:
        if not posts:
            raise DataError(f"{path}:{number}: expected a user and posts, got {line[:80]!r}.")
        if user in users and not are_pairs:
            raise DataError(
                f"{path}:{number}: user {user!r} has a line already: expected a line for every "
                "user, or a `user post` pair on every line."
            )
        users.setdefault(user, []).extend(posts)
    return users
