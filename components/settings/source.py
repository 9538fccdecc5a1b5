"""The sources that a deployment can read: what is configured of each layout."""

import re
import zoneinfo
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from components.settings.section import Delimiter, FilePath, PathPattern, Section

# Text by which tools say that there is nothing, where a column has no nulls.
NULL_WORDS = (
    *("nan", "NaN", "NAN", "null", "Null", "NULL", "(null)", "None", "none", "NONE", r"\N"),
    *("N/A", "n/a", "#N/A", "<NA>", "NaT", "nil", "undefined"),
)


TimeUnit = Literal["s", "ms", "us", "ns", "iso"]
TimeColumn = Literal["shown_at", "ingested_at", "created_at"]


def _is_form_of_times(form: str) -> str:
    """Refuses a form that does not say a day, or says it otherwise on another machine."""
    sample = datetime(2026, 11, 29, 21, 45, 27, 123_000, UTC)
    if re.search("%[ZcxX]", form):
        # They depend on the machine: on its zone, or on its language.
        raise ValueError(
            "%Z, %c, %x and %X mean something else on every machine; write UTC as it is"
        )
    try:
        again = datetime.strptime(sample.strftime(form), form)
    except (ValueError, re.error) as error:
        raise ValueError(f"no form of strptime: {error}") from error
    if again.date() != sample.date() or again.hour not in (0, sample.hour):
        raise ValueError("year, month and day must be said, and of 12 hours %p, too")
    return form


TimeFormat = Annotated[str, AfterValidator(_is_form_of_times)]


class UserIdForm(NamedTuple):
    """The form in which a source writes user ids: the part that the rule of erasure must know.

    Every section says it for itself: no default may stand for a setting that somebody renames.
    """

    column: str | None  # source column; None: none is trusted, so every number of a row counts
    text_end: str | None = None  # ends an id that is text; None: ids are whole numbers
    delimiter: str | None = None  # between the columns of text; None: a comma or a tab


class KuaiRandSource(Section):
    """A folder in the layout of the KuaiRand downloads: Pure, 1K or 27K."""

    layout: Literal["kuairand"] = Field(description="Says that it is this layout.")
    path: FilePath = Field(description="The folder, with log_*.csv and video_features_basic*.csv.")
    logs: Literal["all", "standard", "random"] = Field(
        default="all", description="Of the recommender, of randomly chosen videos, or both."
    )

    @property
    def text_ids(self) -> Mapping[str, str]:
        """The ids that are text, and what ends each of them: none."""
        return {}

    @property
    def user_ids(self) -> UserIdForm:
        """The form of user ids: whole numbers in `user_id`."""
        return UserIdForm(column="user_id")


class MovieLensSource(Section):
    """A folder in the layout of the MovieLens downloads: 100K, 1M, 10M, 20M, 25M, 32M or latest.

    A rating is an impression; an action with `column: rating` and `at_least` says what it means.
    A movie is its own author.
    """

    layout: Literal["movielens"] = Field(description="Says that it is this layout.")
    path: FilePath = Field(description="The folder, with ratings.csv, ratings.dat or u.data.")

    @property
    def text_ids(self) -> Mapping[str, str]:
        """The ids that are text, and what ends each of them: none."""
        return {}

    @property
    def user_ids(self) -> UserIdForm:
        """The form of user ids: whole numbers."""
        return UserIdForm(column=None)


class GHArchiveSource(Section):
    """A folder with hours of GH Archive: an actor does something with a repository of an owner.

    An action with `column: type` and `values` says what a type of event means. The owner is known
    by name alone; a hash of it is the author. Of an event that comes again, its id says so.
    """

    layout: Literal["gharchive"] = Field(description="Says that it is this layout.")
    path: FilePath = Field(description="The folder, with files like 2026-01-31-15.json.gz.")
    rows: Literal["impressions", "actions"] = Field(
        default="actions",
        description="What a row is, as in the layout `columns`: nobody logs what an actor left "
        "alone, so each row is an action.",
    )
    fold_minutes: int | None = Field(
        default=None, ge=1, le=5_256_000, description="As in the layout `columns`."
    )
    overrun_minutes: float = Field(
        default=60.0,
        ge=0,
        le=1_440,
        description="How long after midnight the last hour of a day may run on.",
    )

    @property
    def text_ids(self) -> Mapping[str, str]:
        """The ids that are text, and what ends each of them: the name of a repository's owner."""
        return {"author_id": "/"}  # owner/name

    @property
    def user_ids(self) -> UserIdForm:
        """The form of user ids: whole numbers."""
        return UserIdForm(column=None)


class SequencesSource(Section):
    """Text files with one user per line: `user item item ...`, the oldest item first.

    Every item is one impression with every action that has the column `item`. Nobody says when:
    the n-th item of every user is shown at the same time. An item is its own author.
    """

    layout: Literal["sequences"] = Field(description="Says that it is this layout.")
    events: PathPattern = Field(description="Path or glob of the files (.txt, .txt.gz, .txt.zst).")
    items_per_day: int = Field(
        default=10, ge=1, le=86_400, description="Items of a user that fall on one day."
    )

    @property
    def text_ids(self) -> Mapping[str, str]:
        """The ids that are text, and what ends each of them: none."""
        return {}

    @property
    def user_ids(self) -> UserIdForm:
        """The form of user ids: whole numbers."""
        return UserIdForm(column=None)


class SlateLists(Section):
    """The lists of `rows: slates`, of which each entry is a post that was shown.

    Of a list `a`, the entry itself is the column `a`, and its member or part `b` the column `a.b`;
    `event_columns` and `actions` name them so.
    """

    lists: tuple[str, ...] = Field(
        min_length=1,
        description="Columns that hold lists: one, or several of the same length in each row.",
    )
    separator: str | None = Field(
        default=None,
        min_length=1,
        description="Between entries, where lists are text; a blank is any number of them. Empty: "
        "lists of Parquet or JSON.",
    )
    parts: tuple[str, ...] = Field(
        default=(),
        description="Names of the parts of an entry that is text: of `N55689-1`, [post, label].",
    )
    part_separator: str = Field(
        default="-",
        min_length=1,
        description="Between the parts, from the end: the first part may hold it, too.",
    )


class ColumnsSource(Section):
    """Any CSV, TSV, Parquet or JSON lines files whose columns are named here."""

    layout: Literal["columns"] = Field(description="Says that it is this layout.")
    events: PathPattern = Field(
        description="Path or glob of the event files (.csv, .tsv, .txt, .jsonl, .json, .parquet; "
        "text also as .gz or .zst). With `{day}` in it, as in `logs/{day}/*.parquet`, the files "
        "of a day are what arrived on that UTC day; `{day:%Y%m%d}` is a day of another form. What "
        "is hidden or unfinished, as `.x`, `_x` and `x.tmp`, is not read."
    )
    posts: PathPattern | None = Field(default=None, description="Path or glob of the post files.")
    event_columns: dict[str, str] = Field(
        description="Canonical event column -> source column; of JSON, `a.b` is b in a."
    )
    post_columns: dict[str, str] = Field(
        default={}, description="Canonical post column -> source column."
    )
    event_names: tuple[str, ...] = Field(
        default=(), description="Names of the columns of event files without a header."
    )
    post_names: tuple[str, ...] = Field(
        default=(), description="Names of the columns of post files without a header."
    )
    delimiter: Delimiter | None = Field(
        default=None,
        description="Between the columns of text; a tab for .tsv and a comma else, if empty.",
    )
    quotes: bool = Field(
        default=True,
        description="Whether a cell of text may stand in double quotes; false: they are "
        "characters as any other, as in files with tabs that hold titles.",
    )
    encoding: Literal["utf-8", "utf-16", "latin-1"] = Field(
        default="utf-8", description="Of text files."
    )
    rows: Literal["impressions", "actions", "slates"] = Field(
        default="impressions",
        description="What a row is: a post that was shown, with all that the user did; one "
        "action of a user on a post, as shops log them, which are folded into impressions; or a "
        "list of posts that were shown together, of which each becomes a row.",
    )
    slates: SlateLists | None = Field(
        default=None, description="Of `rows: slates`: which columns hold the lists, and how."
    )
    fold_minutes: int | None = Field(
        default=None,
        ge=1,
        le=5_256_000,
        description="Of `rows: actions`: how long after the first action on a post another one "
        "belongs to the same impression. Empty: `build_features.window_minutes`.",
    )
    text_ids: dict[Literal["user_id", "post_id", "author_id"], str] = Field(
        default={},
        description="Ids that are text, for which a hash stands -> the character that ends the "
        "id, or nothing if all of the text is the id.",
    )
    surfaces: dict[str, Annotated[int, Field(ge=0, lt=65_536)]] = Field(
        default={},
        description="Of surfaces that are words: word -> its number, from 0 on, for ever; `*` is "
        "any other word, and nothing. Empty: they are numbers.",
    )
    null_words: tuple[str, ...] = Field(
        default=NULL_WORDS,
        description="Text that says that there is nothing: no id, and of a flag no.",
    )
    time_unit: TimeUnit = Field(
        default="ms", description="Of times: numbers since 1970 UTC, or ISO 8601 text."
    )
    time_format: TimeFormat | None = Field(
        default=None,
        description="Of times that are other text, instead of a unit: the directives of Python's "
        "`strptime`, as in `%m/%d/%Y %I:%M:%S %p`.",
    )
    time_units: dict[TimeColumn, TimeUnit] = Field(
        default={},
        description="Of single columns: `shown_at`, `ingested_at`, or `created_at` of posts.",
    )
    time_formats: dict[TimeColumn, TimeFormat] = Field(
        default={}, description="The same of forms of text."
    )
    time_zone: str = Field(default="UTC", description="Of times in text that name no zone.")
    day_zone: str = Field(
        default="UTC",
        description="Of the day in `{day}`, as Europe/Paris; its files hold parts of two.",
    )
    overrun_minutes: float = Field(
        default=60.0,
        ge=0,
        le=1_440,
        description="With `{day}`: how long after the end of its day a file may run on. Rows that "
        "were shown then are rows of the day of their time.",
    )
    dwell_unit: Literal["s", "ms"] = Field(default="ms", description="Of dwell and duration.")

    @property
    def user_ids(self) -> UserIdForm:
        """The form of user ids, as the columns are mapped."""
        return UserIdForm(
            column=self.event_columns.get("user_id"),
            text_end=self.text_ids.get("user_id"),
            delimiter=self.delimiter,
        )

    @model_validator(mode="after")
    def _has_lists_of_slates(self) -> Self:
        if (self.rows == "slates") != (self.slates is not None):
            raise ValueError(
                "`rows: slates` and `slates` belong together: rows are lists of posts, and "
                "`slates.lists` names the columns that hold them"
            )
        return self

    @field_validator("time_zone", "day_zone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{name!r} is no time zone like Europe/Paris") from error
        return name


class SyntheticSource(Section):
    """The synthetic world, whose true affinities are known."""

    layout: Literal["synthetic"] = Field(description="Says that it is this layout.")
    num_users: int = Field(default=2_000, ge=10, le=100_000_000, description="Users of the world.")
    num_authors: int = Field(default=200, ge=2, le=100_000_000, description="Authors of the posts.")
    num_posts: int = Field(
        default=3_000, ge=10, le=100_000_000, description="Posts that exist from the first day on."
    )
    num_posts_per_day: int = Field(
        default=100, ge=0, le=100_000_000, description="New posts every day."
    )
    impressions_per_day: int = Field(
        default=20_000, ge=1, le=100_000_000, description="Rows of the log per day."
    )
    seed: int = Field(
        default=20260721, ge=0, lt=1 << 63, description="Another seed is another world."
    )

    @property
    def text_ids(self) -> Mapping[str, str]:
        """The ids that are text, and what ends each of them: none."""
        return {}

    @property
    def user_ids(self) -> UserIdForm:
        """The form of user ids: whole numbers; no row is written as text."""
        return UserIdForm(column=None)


# Those whose rows may be actions; of all others, each row is an impression.
FoldableSource = ColumnsSource | GHArchiveSource
FileSource = KuaiRandSource | MovieLensSource | GHArchiveSource | SequencesSource | ColumnsSource
Source = Annotated[
    KuaiRandSource
    | MovieLensSource
    | GHArchiveSource
    | SequencesSource
    | ColumnsSource
    | SyntheticSource,
    Field(discriminator="layout"),
]
