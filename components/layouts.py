"""Layouts: which files and columns of a configured source hold what.

A source whose path contains `{day}` is read by file day: the files of a day are what arrived on it.
"""

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components import raw_files
from components.config import ColumnsSource, Config, KuaiRandSource
from components.errors import BadConfigurationError
from schemas.posts import POSTS

DAY = "{day}"  # in a path: the UTC day as YYYY-MM-DD


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which files hold events and posts, and which of their columns is what."""

    event_files: Sequence[Path]  # of all days
    day_pattern: str | None = None  # with `{day}`: how the files of one day are called
    post_files: Sequence[Path]
    event_columns: Mapping[str, str]  # canonical event column -> source column
    post_columns: Mapping[str, str]  # canonical post column -> source column
    action_columns: Sequence[str]  # [A] source column of each action, in the order of the bits
    time_unit: str
    dwell_unit: str
    post_time_unit: str
    duration_unit: str
    clock_skew_ms: int  # how much later than its arrival a row may claim to have been shown

    def files_of(self, day: datetime.date) -> Sequence[Path]:
        """Returns the event files in which rows may stand that arrived on `day`."""
        if self.day_pattern is None:
            return self.event_files
        return [file for file in self.event_files if self.file_day(file) == day]

    def file_day(self, file: Path) -> datetime.date | None:
        """Returns the day that the name of an event file says, if names say one."""
        if self.day_pattern is None:
            return None
        return _day_in(str(file), self.day_pattern)


def layout(source: KuaiRandSource | ColumnsSource, config: Config) -> Layout:
    """Returns the layout of a configured source.

    Raises:
      BadConfigurationError: If its folder or files are missing, or a mapping names no such column.
    """
    action_columns = [action.column or action.name for action in config.actions]
    if isinstance(source, KuaiRandSource):
        return _kuairand(source.path, action_columns)
    _check_mapping(source)
    where = "ingest_events.source"
    is_by_day = DAY in source.events
    found = raw_files.find(source.events.replace(DAY, "*"), what=f"{where}.events")
    return Layout(
        event_files=[f for f in found if not is_by_day or _day_in(str(f), source.events)],
        day_pattern=source.events if is_by_day else None,
        post_files=raw_files.find(source.posts, what=f"{where}.posts") if source.posts else (),
        event_columns=source.event_columns,
        post_columns=source.post_columns,
        action_columns=action_columns,
        time_unit=source.time_unit,
        dwell_unit=source.dwell_unit,
        post_time_unit=source.time_unit,
        duration_unit=source.dwell_unit,
        clock_skew_ms=round(config.validate_events.max_future_minutes * 60_000),
    )


def _day_in(path: str, pattern: str) -> datetime.date | None:
    """Returns the day at the place of `{day}`; None if there is none."""
    before, _, after = pattern.partition(DAY)
    glob = {r"\*\*": ".*", r"\*": "[^/]*", r"\?": "[^/]"}
    texts = [
        re.sub(r"\\\*\\\*|\\\*|\\\?", lambda match: glob[match[0]], re.escape(text))
        for text in (before, after.replace(DAY, "*"))
    ]
    found = re.fullmatch(f"{texts[0]}([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}){texts[1]}", path)
    try:
        return datetime.date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def _kuairand(folder: Path, action_columns: Sequence[str]) -> Layout:
    if not folder.is_dir():
        raise BadConfigurationError(
            f"ingest_events.source.path: expected a folder in the KuaiRand layout, "
            f"{folder} is none."
        )
    return Layout(
        event_files=raw_files.find(f"{folder}/log_*.csv", what="ingest_events.source.path"),
        post_files=raw_files.find(
            f"{folder}/video_features_basic*.csv", what="ingest_events.source.path"
        ),
        event_columns={
            "user_id": "user_id",
            "post_id": "video_id",
            "shown_at": "time_ms",
            "surface": "tab",
            "dwell_seconds": "play_time_ms",
        },
        post_columns={
            "post_id": "video_id",
            "author_id": "author_id",
            "created_at": "upload_dt",
            "duration_seconds": "video_duration",
            "tag": "tag",
        },
        action_columns=action_columns,
        time_unit="ms",
        dwell_unit="ms",
        post_time_unit="iso",
        duration_unit="ms",
        clock_skew_ms=0,
    )


_EVENT_COLUMNS = frozenset(
    ("user_id", "post_id", "author_id", "shown_at", "ingested_at", "surface", "dwell_seconds")
)


def _check_mapping(source: ColumnsSource) -> None:
    has_author = "author_id" in source.event_columns or "author_id" in source.post_columns
    for name, given, known, required in (
        ("event_columns", source.event_columns, _EVENT_COLUMNS, ("user_id", "post_id", "shown_at")),
        ("post_columns", source.post_columns, POSTS.names, ("post_id",) if source.posts else ()),
    ):
        where = f"ingest_events.source.{name}"
        for column in given:
            if column not in known:
                raise BadConfigurationError(
                    f"{where}: {column!r} is no canonical column; expected {sorted(known)}."
                )
        for column in required:
            if column not in given:
                raise BadConfigurationError(f"{where}: {column!r} is missing.")
    if not has_author:
        raise BadConfigurationError(
            "ingest_events.source: map `author_id` in `event_columns`, or in `post_columns`."
        )
