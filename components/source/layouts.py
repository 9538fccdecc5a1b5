"""Layouts: the files and columns of a configured source, and their meaning.

A source whose path contains `{day}` is read by file day: the files of a day are what arrived on it.
"""

import datetime
import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from components.errors import BadConfigurationError
from components.settings.actions import Action
from components.settings.config import Config
from components.settings.source import (
    NULL_WORDS,
    ColumnsSource,
    FileSource,
    GHArchiveSource,
    KuaiRandSource,
    MovieLensSource,
    SequencesSource,
)
from components.source import line_files
from components.source.by_day import path_patterns
from components.source.by_day.file_days import FileDay
from components.source.by_day.path_patterns import DAY
from components.source.raw_rows import FileFormat, Pace, Slates
from phoenix.data.days import DAY_MS, day_number, midnight_ms
from schemas.events import EVENTS
from schemas.posts import POSTS

# Canonical columns that files by day may have from some day on: without a value, a row is whole.
MAY_COME = ("author_id", *(column.name for column in EVENTS.optional), "sampling_rate")
_WHERE = "ingest_events.source"
_RATINGS = ("userId", "movieId", "rating", "timestamp")


@dataclass(frozen=True, kw_only=True)
class ActionRule:
    """The condition under which a user did something: a flag, one of some values, or a range."""

    column: str
    values: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    former_columns: tuple[str, ...] = ()  # by which files of days before may know it


class TimeForm(NamedTuple):
    """The way in which the times of a column are written."""

    unit: str  # s, ms, us, ns or iso
    zone: str = "UTC"  # of text that names none
    form: str | None = None  # of text, as Python's `strptime` takes it; instead of a unit


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The files that hold events and posts, and the meaning of their columns."""

    event_files: Sequence[Path]  # of all days
    event_folder: Path | None = None  # where the names of event files start; None: at the last `/`
    day_pattern: str | None = None  # with `{day}`: how the files of one day are called
    post_files: Sequence[Path] = ()
    post_folder: Path | None = None  # where the names of post files start
    day_zone: str = "UTC"  # of the day in the path
    overrun_ms: int = 0  # how long after the end of its day a file may run on
    event_columns: Mapping[str, str]  # canonical event column -> source column
    post_columns: Mapping[str, str] = field(default_factory=dict)  # the same of posts
    actions: Sequence[ActionRule]  # [A] in the order of the bits
    event_format: FileFormat = field(default_factory=FileFormat)
    post_format: FileFormat = field(default_factory=FileFormat)
    slates: Slates | None = None  # the lists in rows that hold several posts
    text_ids: Mapping[str, str] = field(default_factory=dict)  # canonical id -> what ends its text
    surfaces: Mapping[str, int] = field(default_factory=dict)  # number by word, where they are text
    null_words: tuple[str, ...] = NULL_WORDS  # text that says that there is nothing
    time_unit: str
    time_zone: str = "UTC"
    dwell_unit: str = "s"
    time_format: str | None = None  # of all times, but those of which the next two say something
    time_units: Mapping[str, str] = field(default_factory=dict)  # by canonical column
    time_formats: Mapping[str, str] = field(default_factory=dict)  # by canonical column
    post_time_unit: str = "iso"
    clock_skew_ms: int = 0  # how much later than its arrival a row may claim to have been shown

    @property
    def source_columns(self) -> list[str]:
        """The columns of event files that are needed, each once."""
        if self.slates is None:
            return self.value_columns
        return list(dict.fromkeys(self.slates.list_of(n) or n for n in self.value_columns))

    @property
    def value_columns(self) -> list[str]:
        """The columns that events are made of, each once; of a list `a`, `a.b` is one."""
        names = [*self.event_columns.values(), *(action.column for action in self.actions)]
        return list(dict.fromkeys(names))

    def time_form(self, name: str) -> TimeForm:
        """Returns how the times of a canonical column are written."""
        unit = self.post_time_unit if name == "created_at" else self.time_unit
        has_unit = name in self.time_units
        form = self.time_formats.get(name, None if has_unit else self.time_format)
        return TimeForm(self.time_units.get(name, unit), self.time_zone, form)

    @functools.cached_property
    def files_by_day(self) -> Mapping[datetime.date, Sequence[Path]]:
        """The event files by the day that their path says, in order; nothing if paths say none."""
        by_day: dict[datetime.date, list[Path]] = {}
        for file in self.event_files if self.day_pattern else ():
            if day := path_patterns.day_in(str(file), self.day_pattern or ""):
                by_day.setdefault(day, []).append(file)
        return dict(sorted(by_day.items()))

    def file_day(self, file: Path) -> FileDay:
        """Returns the stretch of time that a file covers whose path says the day.

        Raises:
          ValueError: If it says none.
        """
        day = path_patterns.day_in(str(file), self.day_pattern or "")
        if day is None:
            raise ValueError(f"{file} says no day in the place of {self.day_pattern}.")
        return FileDay.of(day, self.day_zone, self.overrun_ms)

    @property
    def is_by_utc_day(self) -> bool:
        """Whether files are by UTC day; those of a local day hold parts of two."""
        return self.day_pattern is not None and self.day_zone == "UTC"

    def files_of(self, day: datetime.date) -> Sequence[Path]:
        """Returns the event files that may hold rows of a UTC day by the day in their path.

        All of them where paths say none.
        """
        if self.day_pattern is None:
            return self.event_files
        return [
            file
            for local_day, files in self.files_by_day.items()
            if abs(local_day - day).days <= 1  # no zone is farther than a day from UTC
            for file in files
            if day_number(day) in self.file_day(file).utc_days
        ]

    def event_name(self, file: Path) -> str:
        """Returns the name of an event file in accounts; each sub-folder may have a part-0."""
        return _name_below(self.event_folder, file)

    def post_name(self, file: Path) -> str:
        """Returns the name of a post file in accounts."""
        return _name_below(self.post_folder, file)

    @property
    def mapping(self) -> dict[str, Any]:
        """Everything but the files: the part of the layout that shapes the rows."""
        files = ("event_files", "event_folder", "post_files", "post_folder", "day_pattern")
        rules = {name: value for name, value in asdict(self).items() if name not in files}
        # By which name a file has a column shapes no row; the rows themselves are inputs.
        rules["actions"] = [
            {name: value for name, value in action.items() if name != "former_columns"}
            for action in rules["actions"]
        ]
        return rules | {"is_by_day": self.day_pattern is not None}


def _name_below(folder: Path | None, file: Path) -> str:
    return file.name if folder is None else file.relative_to(folder).as_posix()


def layout(source: FileSource, config: Config) -> Layout:
    """Returns the layout of a configured source.

    Raises:
      BadConfigurationError: If its folder or files are missing, or a mapping names no such column.
    """
    actions = [_action_rule(action) for action in config.actions]
    limit = FileFormat(max_expansion=config.ingest_events.max_expansion)
    match source:
        case KuaiRandSource():
            return _kuairand(source, actions, limit)
        case MovieLensSource():
            return _movielens(source, actions, limit)
        case GHArchiveSource():
            return _gharchive(source, actions, limit)
        case SequencesSource():
            return _sequences(source, actions, config)
        case ColumnsSource():
            return _columns(source, actions, config)


def _action_rule(action: Action) -> ActionRule:
    return ActionRule(
        column=action.column or action.name,
        values=action.values,
        at_least=action.at_least,
        at_most=action.at_most,
        former_columns=action.formerly,
    )


def _kuairand(source: KuaiRandSource, actions: Sequence[ActionRule], form: FileFormat) -> Layout:
    folder, logs = _folder(source.path, "KuaiRand"), {"all": ""}.get(source.logs, source.logs)
    return Layout(
        event_files=path_patterns.find(f"{folder}/log_{logs}*.csv", what=f"{_WHERE}.path"),
        post_files=path_patterns.find(f"{folder}/video_features_basic*.csv", what=f"{_WHERE}.path"),
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
        actions=actions,
        event_format=form,
        post_format=form,
        time_unit="ms",
        dwell_unit="ms",
    )


def _movielens(source: MovieLensSource, actions: Sequence[ActionRule], form: FileFormat) -> Layout:
    folder = _folder(source.path, "MovieLens")
    # The newer downloads have a header, the older ones one of two delimiters.
    forms = {
        "ratings.csv": (form, form),
        "ratings.dat": (
            FileFormat(delimiter="::", names=_RATINGS, max_expansion=form.max_expansion),
            FileFormat(delimiter="::", names=("movieId", "title", "genres"), encoding="latin-1"),
        ),
        "u.data": (FileFormat(delimiter="\t", names=_RATINGS), form),
    }
    ratings = next((name for name in forms if (folder / name).is_file()), None)
    if ratings is None:
        raise BadConfigurationError(
            f"{_WHERE}.path: expected one of {', '.join(forms)} in {folder}, found none."
        )
    movies = folder / ratings.replace("ratings", "movies")
    has_movies = movies.is_file() and movies.name != ratings
    return Layout(
        event_files=[folder / ratings],
        post_files=[movies] if has_movies else (),
        event_columns={
            "user_id": "userId",
            "post_id": "movieId",
            "author_id": "movieId",  # nobody says who made a movie
            "shown_at": "timestamp",
        },
        post_columns={
            "post_id": "movieId",
            "author_id": "movieId",
            "tag": "genres",
            "title": "title",
        },
        actions=actions,
        event_format=forms[ratings][0],
        post_format=forms[ratings][1],
        time_unit="s",
    )


def _gharchive(source: GHArchiveSource, actions: Sequence[ActionRule], form: FileFormat) -> Layout:
    pattern = f"{_folder(source.path, 'GH Archive')}/{DAY}-*.json.gz"
    return Layout(
        event_files=path_patterns.find_by_day(pattern, what=f"{_WHERE}.path"),
        event_folder=path_patterns.folder(pattern),
        day_pattern=pattern,
        overrun_ms=round(source.overrun_minutes * 60_000),
        event_columns={
            "user_id": "actor.id",
            "post_id": "repo.id",
            "author_id": "repo.name",
            "shown_at": "created_at",
            "source_event_id": "id",
        },
        actions=actions,
        event_format=form,
        text_ids=source.text_ids,
        time_unit="iso",
    )


def _sequences(source: SequencesSource, actions: Sequence[ActionRule], config: Config) -> Layout:
    user, item, shown_at, _ = line_files.SEQUENCE_COLUMNS
    for action in actions:
        if action.column not in line_files.SEQUENCE_COLUMNS:
            raise BadConfigurationError(
                f"actions: the column {action.column!r} is not in a sequence, which has "
                f"{', '.join(line_files.SEQUENCE_COLUMNS)}; `chosen` is true of every item."
            )
    starts_at = midnight_ms(config.first_day)
    pace = Pace(starts_at=starts_at, step=DAY_MS // source.items_per_day)
    return Layout(
        event_files=path_patterns.find(source.events, what=f"{_WHERE}.events"),
        event_folder=path_patterns.folder(source.events),
        event_columns={"user_id": user, "post_id": item, "author_id": item, "shown_at": shown_at},
        actions=actions,
        event_format=FileFormat(pace=pace, max_expansion=config.ingest_events.max_expansion),
        time_unit="ms",
    )


def _columns(source: ColumnsSource, actions: Sequence[ActionRule], config: Config) -> Layout:
    _check_mapping(source)
    is_by_day, what = path_patterns.has_day(source.events), f"{_WHERE}.events"
    posts = source.posts
    highest, limit = max(source.surfaces.values(), default=0), config.validate_events.num_surfaces
    if highest >= limit:
        raise BadConfigurationError(
            f"{_WHERE}.surfaces: expected numbers from 0 to {limit - 1}, got {highest}; "
            "`validate_events.num_surfaces` says how many there are."
        )
    if len(source.delimiter or "") > 1 and not source.event_names:
        raise BadConfigurationError(
            f"{_WHERE}.event_names: name the columns between {source.delimiter!r}; a header is "
            "read only with a delimiter of one character."
        )

    def format_of(names: tuple[str, ...]) -> FileFormat:
        """Returns the format of files whose columns have these names."""
        return FileFormat(
            delimiter=source.delimiter,
            names=names,
            has_quotes=source.quotes,
            encoding=source.encoding,
            max_expansion=config.ingest_events.max_expansion,
        )

    return Layout(
        event_files=(path_patterns.find_by_day if is_by_day else path_patterns.find)(
            source.events, what=what
        ),
        day_pattern=source.events if is_by_day else None,
        day_zone=source.day_zone,
        overrun_ms=round(source.overrun_minutes * 60_000) if is_by_day else 0,
        event_folder=path_patterns.folder(source.events),
        post_files=path_patterns.find(posts, what=f"{_WHERE}.posts") if posts else (),
        post_folder=path_patterns.folder(posts) if posts else None,
        event_columns=source.event_columns,
        post_columns=source.post_columns,
        actions=actions,
        event_format=format_of(source.event_names),
        post_format=format_of(source.post_names),
        slates=None if source.slates is None else Slates(**source.slates.model_dump()),
        text_ids={str(name): end for name, end in source.text_ids.items()},
        surfaces=source.surfaces,
        null_words=source.null_words,
        time_unit=source.time_unit,
        time_zone=source.time_zone,
        time_format=source.time_format,
        time_units={str(name): unit for name, unit in source.time_units.items()},
        time_formats={str(name): form for name, form in source.time_formats.items()},
        dwell_unit=source.dwell_unit,
        post_time_unit=source.time_unit,
        clock_skew_ms=round(config.validate_events.max_future_minutes * 60_000),
    )


def _folder(path: Path, name: str) -> Path:
    if not path.is_dir():
        raise BadConfigurationError(
            f"{_WHERE}.path: expected a folder in the {name} layout, {path} is none."
        )
    return path


_EVENT_COLUMNS = frozenset(
    (
        *("user_id", "post_id", "author_id", "shown_at", "ingested_at", "surface", "dwell_seconds"),
        *(column.name for column in EVENTS.optional),
        "sampling_rate",  # another way to say `weight`
    )
)


_POST_COLUMNS = frozenset((*POSTS.names, *(column.name for column in POSTS.optional)))


def _check_mapping(source: ColumnsSource) -> None:
    has_author = "author_id" in source.event_columns or "author_id" in source.post_columns
    for name, mapping, canonical, required in (
        ("event_columns", source.event_columns, _EVENT_COLUMNS, ("user_id", "post_id", "shown_at")),
        ("post_columns", source.post_columns, _POST_COLUMNS, ("post_id",) if source.posts else ()),
    ):
        where = f"{_WHERE}.{name}"
        for column in mapping:
            if column not in canonical:
                raise BadConfigurationError(
                    f"{where}: {column!r} is no canonical column; expected {sorted(canonical)}."
                )
        for column in required:
            if column not in mapping:
                raise BadConfigurationError(f"{where}: {column!r} is missing.")
    if {"weight", "sampling_rate"} <= source.event_columns.keys():
        raise BadConfigurationError(
            f"{_WHERE}.event_columns: map `weight` or `sampling_rate`, not both: a weight is 1 / "
            "the rate."
        )
    _check_slates(source)
    if not has_author:
        raise BadConfigurationError(
            f"{_WHERE}: map `author_id` in `event_columns`, or in `post_columns`; where nobody "
            "says who made a post, to the column of the post, which is its own author then."
        )


def _check_slates(source: ColumnsSource) -> None:
    if source.slates is None:
        return
    slates = Slates(**source.slates.model_dump())
    columns, where = source.event_columns, f"{_WHERE}.event_columns"
    if slates.list_of(columns["post_id"]) is None:
        raise BadConfigurationError(
            f"{where}: `post_id` must be of a list that `slates.lists` names, as "
            f"{slates.lists[0]!r}, got {columns['post_id']!r}."
        )
    for name in ("user_id", "shown_at", "ingested_at"):
        if name in columns and slates.list_of(columns[name]) is not None:
            raise BadConfigurationError(
                f"{where}: {name!r} is one for all posts of a slate, so it must be a column of the "
                f"row, got {columns[name]!r} of a list."
            )
    parts = {f"{name}.{part}" for name in slates.lists for part in slates.parts}
    for column in columns.values() if slates.parts else ():
        if slates.list_of(column) not in (None, column) and column not in parts:
            raise BadConfigurationError(
                f"{where}: {column!r} is no part of an entry; `slates.parts` names "
                f"{', '.join(sorted(parts))}."
            )
