"""Layouts: which files and columns of a configured source hold what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components import raw_files
from components.config import ColumnsSource, Config, KuaiRandSource
from components.errors import BadConfigurationError
from schemas.posts import POSTS


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which files hold events and posts, and which of their columns is what."""

    event_files: Sequence[Path]
    post_files: Sequence[Path]
    event_columns: Mapping[str, str]  # canonical event column -> source column
    post_columns: Mapping[str, str]  # canonical post column -> source column
    action_columns: Sequence[str]  # [A] source column of each action, in the order of the bits
    time_unit: str
    dwell_unit: str
    post_time_unit: str
    duration_unit: str
    clock_skew_ms: int  # how much later than its arrival a row may claim to have been shown


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
    return Layout(
        event_files=raw_files.find(source.events, what=f"{where}.events"),
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
