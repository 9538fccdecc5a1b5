"""Sections of the configuration for feeds: where they come from, and where they go."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from components.settings.quality import Severity
from components.settings.section import FilePath, Section

_SOURCE = r"^(popular|fresh|authors|similar|listed|[\w.]+:\w+)$"


class FeedSource(Section):
    """A source of posts for feeds beside retrieval."""

    source: Annotated[str, Field(pattern=_SOURCE)] = Field(
        description="`popular`: the most popular posts; `fresh`: those of the last `fresh_hours`, "
        "near the user's interests; `authors`: the newest of authors with whom the user engaged or "
        "whom they follow; `similar`: posts like the last ones that the user engaged with; "
        "`listed`: those of `listed_posts`. Or a class of the deployment, as "
        "`package.module:Class`.",
    )
    candidates: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="Candidates that it adds at most, as a share of `num_retrieved`.",
    )
    places: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of `feed_length` that it has at least, at the end of the feed if need "
        "be, where it has so many.",
    )


class FeedsConfig(Section):
    """`materialize_feeds`: for whom, how many, by which rules."""

    users: Literal["active", "all"] = Field(
        default="active",
        description="Who is ranked anew: users of the day, or all with a history; on an empty day "
        "always the latter. The others keep a feed or get popular posts.",
    )
    num_shards: int = Field(
        default=1, ge=1, le=999, description="Tasks over which users are spread."
    )
    num_retrieved: int = Field(
        default=100, ge=1, le=100_000, description="Posts retrieved per user before ranking."
    )
    feed_length: int = Field(default=20, ge=1, le=100_000, description="Posts per feed.")
    sources: tuple[FeedSource, ...] = Field(
        default=(FeedSource(source="fresh", candidates=0.05, places=0.1),),
        description="Whose candidates are ranked beside those of retrieval. A post that several "
        "name belongs to the first of them.",
    )
    fresh_hours: float = Field(
        default=24, gt=0, le=1e6, description="Age up to which a post is fresh."
    )
    seen_days: int = Field(
        default=14, ge=0, le=3_650, description="Posts shown in these days are not shown again."
    )
    blocked_authors: FilePath | None = Field(
        default=None,
        description="CSV file with the columns `user_id` and `author_id`, as in the source: the "
        "user is shown no post of the author.",
    )
    withdrawn_posts: FilePath | None = Field(
        default=None,
        description="File with a post id per line, as in the source: nobody is shown these.",
    )
    followed_authors: FilePath | None = Field(
        default=None,
        description="CSV file with the columns `user_id` and `author_id`, as in the source: whom "
        "the user follows, for the source `authors`.",
    )
    listed_posts: FilePath | None = Field(
        default=None,
        description="CSV file with the column `post_id`, as in the source, best first, for the "
        "source `listed`; where a column `user_id` says so, for that user alone.",
    )
    authors_are_users: bool = Field(
        default=False,
        description="Whether the ids of authors are those of users, who are not shown their own "
        "posts.",
    )
    author_places: int | None = Field(
        default=None, ge=1, le=100_000, description="Most posts of an author in a feed; empty: any."
    )
    attribute_places: dict[str, Annotated[int, Field(ge=1, le=100_000)]] = Field(
        default={},
        description="Most posts with the same value of an attribute of posts in a feed, by the "
        "name of the attribute: of the kinds id, vocabulary or bucketized. Posts without a value "
        "are not counted.",
    )
    keep_feed_days: int = Field(
        default=14,
        ge=0,
        le=3_650,
        description="Days for which a user who is not active keeps a feed; 0: popular posts at "
        "once.",
    )
    keep_feed_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of `feed_length` that must be left of it when posts that may not be "
        "shown any more are taken out; with less, popular posts.",
    )
    surface: int = Field(
        default=1, ge=0, lt=65_536, description="Surface for which the feed is ranked."
    )
    author_decay: float = Field(
        default=0.5, gt=0, le=1, description="Author diversity: decay per repetition."
    )
    author_floor: float = Field(
        default=0.25, ge=0, le=1, description="Author diversity: lowest multiplier."
    )

    @model_validator(mode="after")
    def _list_is_there(self) -> Self:
        is_asked = any(each.source == "listed" for each in self.sources)
        if is_asked and self.listed_posts is None:
            raise ValueError("the source 'listed' needs `listed_posts`, the file with its posts")
        return self

    @field_validator("sources")
    @classmethod
    def _sources_fit(cls, sources: tuple[FeedSource, ...]) -> tuple[FeedSource, ...]:
        names = [each.source for each in sources]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"{repeated[0]!r} is there twice")
        total = sum(each.places for each in sources)
        if total > 1:
            raise ValueError(f"their `places` add up to {total:g}, at most 1 is there")
        return sources


class PostgresSink(Section):
    """A table in PostgreSQL."""

    kind: Literal["postgres"] = Field(description="Says that it is this sink.")
    dsn_variable: str = Field(
        default="PHOENIX_POSTGRES_DSN", description="Environment variable of the DSN."
    )
    table: str = Field(
        default="phoenix_feeds",
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="The view of the feeds; that of the default feed is `<table>_default`. Made if "
        "it is not there. Two sinks must differ in the first 46 characters.",
    )
    connect_seconds: int = Field(
        default=10, ge=1, le=3_600, description="Longest wait for a connection."
    )
    lock_seconds: int = Field(
        default=30, ge=1, le=3_600, description="Longest wait for a lock of somebody else."
    )
    statement_seconds: int = Field(
        default=3_600, ge=1, le=86_400, description="Longest statement; one copies all rows."
    )

    @property
    def stem(self) -> str:
        """What names of tables begin with; PostgreSQL cuts names at 63 bytes."""
        return self.table[:46]

    @property
    def default_view(self) -> str:
        """The view of the default feed."""
        return f"{self.table[:55]}_default"

    @property
    def names(self) -> set[str]:
        """All that another sink of the same database may not be called."""
        return {self.table, self.stem, self.default_view, f"{self.stem}_current"}


class RedisSink(Section):
    """One key per user in Redis."""

    kind: Literal["redis"] = Field(description="Says that it is this sink.")
    url_variable: str = Field(
        default="PHOENIX_REDIS_URL", description="Environment variable of the URL."
    )
    prefix: str = Field(
        default="phoenix:feed:", description="Of the keys; the load and the user id follow."
    )
    ttl_days: float = Field(
        default=30,
        ge=2,
        le=3_650,
        description="Days after which the keys expire unless feeds are published again; more than "
        "lie between two publications.",
    )
    timeout_seconds: float = Field(
        default=10, gt=0, le=3_600, description="Longest wait for a connection or an answer."
    )


class PublishFeedsConfig(Section):
    """`publish_feeds`: quality limits and where feeds go beside the Parquet artifact."""

    min_coverage: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description="Share of users with a full feed, of those whose feed is not a kept one.",
    )
    max_fallback_share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of the users ranked anew who get popular posts only.",
    )
    max_largest_post_share: float = Field(
        default=1.0, gt=0, le=1, description="Share of the users who have the same post."
    )
    max_gini: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Gini index of places over eligible posts: 0 where all have as many, near 1 "
        "where one has all.",
    )
    max_repeated_share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of the places of feeds ranked anew that stood in the user's feed "
        "before.",
    )
    min_new_share: float = Field(
        default=0.0, ge=0, le=1, description="Share of the places that are posts of the day."
    )
    training_drift: Severity = Field(
        default="warning", description="Distances of the day's events to those of the training."
    )
    serving_skew: Severity = Field(
        default="warning", description="Distances of the feeds' features to those of the training."
    )
    sinks: tuple[Annotated[PostgresSink | RedisSink, Field(discriminator="kind")], ...] = Field(
        default=(), description="Where feeds go beside the artifact; see the sinks below."
    )

    @field_validator("sinks")
    @classmethod
    def _sinks_differ(
        cls, sinks: tuple[PostgresSink | RedisSink, ...]
    ) -> tuple[PostgresSink | RedisSink, ...]:
        for number, sink in enumerate(sinks):
            for other in sinks[:number]:
                if isinstance(sink, PostgresSink) and isinstance(other, PostgresSink):
                    if sink.dsn_variable == other.dsn_variable and sink.names & other.names:
                        raise ValueError(
                            f"the tables {other.table!r} and {sink.table!r} are not different "
                            "enough: their first 46 characters must differ, and none may end as "
                            "the other's `_default` or `_current`"
                        )
                elif sink == other:
                    raise ValueError(f"the sink {sink.kind} is there twice")
        return sinks
