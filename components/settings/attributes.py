"""The attributes of users and posts that models read, and the columns they come from."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.settings.section import Delimiter, PathPattern, Section
from phoenix.config import ConfigError
from phoenix.data import attributes
from phoenix.data.attributes import Attribute

CONTEXT_COLUMNS = ("surface", "hour", "weekday")  # of an impression; time is UTC, Monday is 0


class AttributeSection(Section):
    """The settings that all kinds of attributes share."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Unique among all attributes.")
    side: Literal["user", "post", "context"] = Field(
        description="Whose it is; `context` is of the impression or the request."
    )
    column: str = Field(
        min_length=1,
        description="Column of the file of that side; of the context, surface, hour or weekday.",
    )

    @property
    def declared(self) -> Attribute:
        """The attribute as the models know it, without its column."""
        source_only = {"column", "separator"}
        return Attribute(**self.model_dump(exclude=source_only))

    @model_validator(mode="after")
    def _says_something_clear(self) -> Self:
        try:
            attribute = self.declared
        except ConfigError as error:
            raise ValueError(str(error)) from error
        if self.side == "context" and self.column not in CONTEXT_COLUMNS:
            raise ValueError(
                f"`column` of the context is one of {', '.join(CONTEXT_COLUMNS)}, "
                f"got {self.column!r}"
            )
        if self.side == "context" and attribute.kind in ("sequence", "vector"):
            raise ValueError(f"the context has no {attribute.kind}s")
        return self


class IdAttribute(AttributeSection):
    """One of very many values, hashed to a row of a table."""

    kind: Literal["id"] = Field(description="Says that it is this kind.")
    num_rows: int = Field(ge=2, lt=1 << 24, description="Rows of the table; row 0 is for nothing.")


class RawAttribute(AttributeSection):
    """A number as it is; use it where twice as much means twice as much."""

    kind: Literal["raw"] = Field(description="Says that it is this kind.")
    scale: float = Field(default=1.0, gt=0, description="The number is divided by it.")
    default: float | None = Field(
        default=None, description="Stands for a missing number; else such a number adds nothing."
    )


class BucketizedAttribute(AttributeSection):
    """A number by the interval in which it is."""

    kind: Literal["bucketized"] = Field(description="Says that it is this kind.")
    boundaries: tuple[float, ...] = Field(
        min_length=1, description="Where intervals begin, ascending."
    )
    default: float | None = Field(
        default=None, description="Stands for a missing number; else those have their own vector."
    )


class VocabularyAttribute(AttributeSection):
    """One of a few words."""

    kind: Literal["vocabulary"] = Field(description="Says that it is this kind.")
    words: tuple[str, ...] = Field(min_length=1, description="The values, as text.")
    default: str | None = Field(
        default=None,
        description="The word that stands for missing and for other values; else missing and "
        "other values have vectors of their own.",
    )


class SequenceAttribute(AttributeSection):
    """Several words or ids, whose vectors are averaged."""

    kind: Literal["sequence"] = Field(description="Says that it is this kind.")
    length: int = Field(ge=1, le=256, description="The first so many elements count.")
    words: tuple[str, ...] = Field(default=(), description="The words; hashed to rows if empty.")
    num_rows: int = Field(default=0, ge=0, lt=1 << 24, description="Rows of ids without `words`.")
    separator: str = Field(
        default=",", min_length=1, description="Between the elements, where a cell is text."
    )


class VectorAttribute(AttributeSection):
    """Numbers that say something together, such as an embedding of a text or an image."""

    kind: Literal["vector"] = Field(description="Says that it is this kind.")
    length: int = Field(
        ge=2,
        le=512,
        description="Numbers of each vector, no more and no fewer. They are kept with every "
        "impression: of a long embedding, 16 to 64 components say nearly as much.",
    )
    separator: str = Field(
        default=",", min_length=1, description="Between the numbers, where a cell is text."
    )


class AttributeFiles(Section):
    """Files that say something of users, or of posts; one row each, or one per change."""

    files: PathPattern = Field(description="Path or glob, of the kinds that sources have.")
    id: str = Field(description="Column of the user or post id.")
    known_at: str | None = Field(
        default=None,
        description="Column of the time since when a row is known; without it a row counts as "
        "known always, so the file must hold nothing that was learned later.",
    )
    time_unit: Literal["s", "ms", "us", "ns", "iso"] = Field(
        default="ms", description="Of `known_at`."
    )
    delimiter: Delimiter | None = Field(default=None, description="As in `ingest_events.source`.")
    names: tuple[str, ...] = Field(default=(), description="Of the columns without a header.")
    quotes: bool = Field(default=True, description="As in `ingest_events.source`.")


AnyAttribute = Annotated[
    IdAttribute
    | RawAttribute
    | BucketizedAttribute
    | VocabularyAttribute
    | SequenceAttribute
    | VectorAttribute,
    Field(discriminator="kind"),
]


class AttributesConfig(Section):
    """Attributes of users and posts that models read beside the ids; none by default."""

    users: AttributeFiles | None = Field(default=None, description="What is said of users.")
    posts: AttributeFiles | None = Field(default=None, description="What is said of posts.")
    max_unreadable_share: float = Field(
        default=0.05, ge=0, le=1, description="Of the cells of a column; more fail the day."
    )
    declared: tuple[AnyAttribute, ...] = Field(
        default=(), description="The attributes, by kind; see below."
    )

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        names = [section.name for section in self.declared]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"`declared` names {repeated[0]!r} twice")
        for side, files in (("user", self.users), ("post", self.posts)):
            of_side = [section.name for section in self.declared if section.side == side]
            if of_side and files is None:
                raise ValueError(f"{of_side[0]!r} is of the {side}: give `{side}s` with its files")
        return self

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The declared attributes as the models know them, without their columns."""
        return tuple(section.declared for section in self.declared)

    @property
    def user_attributes(self) -> tuple[Attribute, ...]:
        """The attributes that are added to the token of the user."""
        return attributes.of_side(self.attributes, "user")

    @property
    def post_attributes(self) -> tuple[Attribute, ...]:
        """The attributes that are added to the tokens of posts: those of the post come first."""
        return attributes.of_side(self.attributes, "post", "context")

    def of_side(self, side: str) -> tuple[AnyAttribute, ...]:
        """The declarations of one side, in order, with the columns they come from."""
        return tuple(section for section in self.declared if section.side == side)
