"""Sections of the configuration for data steps, gate, release and pages."""

import datetime
from typing import Annotated, Literal

from pydantic import Field, field_validator

from components.settings.quality import SeveritiesConfig
from components.settings.section import FilePath, Section
from components.settings.source import Source
from schemas.rules import RULES

TableRows = Annotated[int, Field(ge=2, le=500_000_000)]


class HashingConfig(Section):
    """Sizes of the embedding tables and the number of hash functions per id."""

    user_rows: TableRows = Field(default=20_000, description="Rows of the user table.")
    post_rows: TableRows = Field(default=20_000, description="Rows of the post table.")
    author_rows: TableRows = Field(default=20_000, description="Rows of the author table.")
    num_user_hashes: int = Field(default=2, ge=1, le=8, description="Rows looked up per user.")
    num_post_hashes: int = Field(default=2, ge=1, le=8, description="Rows looked up per post.")
    num_author_hashes: int = Field(default=2, ge=1, le=8, description="Rows looked up per author.")


class EngineConfig(Section):
    """The engine that judges, counts and checks rows; what comes out is the same."""

    name: Literal["duckdb", "spark"] = Field(
        default="duckdb", description="DuckDB in the process of the step, or a Spark."
    )
    memory_gb: float | None = Field(
        default=None,
        gt=0,
        description="With `name: duckdb`: its memory, beyond which it goes on on disk; by default "
        "80 % of the machine's. What a step holds itself is not in it.",
    )
    spark_master: str = Field(default="local[*]", description="With `name: spark`: which Spark.")
    spark_options: dict[str, str] = Field(
        default={}, description="Properties of Spark by name, such as `spark.driver.memory`."
    )


class IngestConfig(Section):
    """`ingest_events`: where the log comes from."""

    source: Source = Field(description="Where the log comes from; see the layouts below.")
    max_expansion: int = Field(
        default=200,
        ge=2,
        le=1_000_000,
        description="Bytes in a compressed file per byte of it; one with more is refused.",
    )
    erased_users: FilePath | None = Field(
        default=None,
        description="File with a user id per line, as in the source; their rows leave everything.",
    )
    empty_days: Literal["accept", "refuse"] = Field(
        default="accept",
        description="Of a day without a row between days with some: whether it is taken as it is, "
        "or fails. A day after the last one of the source always fails.",
    )
    schema_since: datetime.date | None = Field(
        default=None,
        description="Columns of the source are compared with those of days from this one on.",
    )


class ValidateConfig(Section):
    """`validate_events`: limits whose breach fails the day (exit 65)."""

    max_quarantined_share: float = Field(default=0.05, ge=0, le=1, description="Of the rows in.")
    max_duplicate_share: float = Field(default=0.5, ge=0, le=1, description="Of the rows in.")
    min_accepted_rows: int = Field(
        default=1,
        ge=0,
        le=1_000_000_000_000,
        description="Fewer fail a day to which rows came; see also `ingest_events.empty_days`.",
    )
    max_future_minutes: float = Field(
        default=10.0, ge=0, le=5_256_000, description="Clock skew allowed for `shown_at`."
    )
    max_dwell_seconds: float = Field(default=86_400.0, gt=0, description="Longer is quarantined.")
    max_weight: float = Field(
        default=1e6, gt=0, description="A row with more in `weight` is quarantined."
    )
    num_surfaces: int = Field(
        default=16, ge=1, le=65_536, description="Surfaces are 0 to this minus one."
    )
    severities: SeveritiesConfig = SeveritiesConfig()
    budgets: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        default={}, description="Rule -> share of the rows in above which the day fails."
    )
    late_days: int = Field(
        default=7, ge=0, le=3650, description="Days after its own on which a row may still arrive."
    )
    repairs: FilePath | None = Field(
        default=None,
        description="Folder with `<day>.csv`: corrected rows of `phoenix quarantine export`.",
    )

    @field_validator("budgets")
    @classmethod
    def _rules_exist(cls, budgets: dict[str, float]) -> dict[str, float]:
        unknown = sorted(budgets.keys() - RULES.keys())
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no rule; the rules are {', '.join(RULES)}")
        return budgets


class FeaturesConfig(Section):
    """`build_features`: the fixed shapes and the reach of a window."""

    history_length: int = Field(
        default=32, ge=1, le=65_536, description="S: most recent impressions kept."
    )
    num_candidates: int = Field(
        default=8, ge=1, le=65_536, description="C: impressions per window; more start another."
    )
    history_days: int = Field(
        default=14, ge=1, le=3650, description="Days before this one that may enter a history."
    )
    window_minutes: int = Field(
        default=60, ge=1, le=5_256_000, description="Longest time between first and last candidate."
    )
    gap_minutes: int = Field(
        default=0,
        ge=0,
        le=5_256_000,
        description="Between the end of a history and the window, as long as feeds wait to be "
        "seen.",
    )
    attribution_minutes: int | None = Field(
        default=None,
        ge=0,
        le=5_256_000,
        description="What arrives later than this after it was shown is history, and no candidate "
        "and no label: it came too late to learn from. Empty: whenever it arrives.",
    )
    counted_keys: int = Field(
        default=500_000,
        ge=1,
        le=1_000_000_000,
        description="Posts, authors, surfaces, posts on a surface, and users, each, that are "
        "counted; what is shown least falls out.",
    )
    counts_half_life_days: float = Field(
        default=7.0,
        gt=0,
        le=36_500,
        description="Days after which an impression counts half among the recent ones.",
    )


class EvaluateConfig(Section):
    """`evaluate_models`: the gate. A model that is surely better than the champion is promoted."""

    ranking_metric: Literal["ndcg", "gauc"] = Field(
        default="ndcg", description="By which rankers are compared, within users."
    )
    ranking_k: int = Field(default=5, ge=1, le=100_000, description="k of NDCG@k.")
    ranking_min_gain: float = Field(
        default=0.0, description="Gain over the champion of which the gate must be sure."
    )
    ranking_drawn_per_window: Annotated[int, Field(ge=0, le=1_000)] | Literal["auto"] = Field(
        default="auto",
        description="Posts drawn for every window, from all that existed by then, beside which "
        "rankers are judged. auto: as many as a window has candidates at most where one impression "
        "of the day in a thousand or fewer has no action, else 0.",
    )
    retrieval_k: int = Field(default=100, ge=1, le=100_000, description="k of recall@k.")
    retrieval_min_gain: float = Field(
        default=0.0, description="Gain over the champion of which the gate must be sure."
    )
    confidence: float = Field(
        default=0.95, gt=0.5, lt=1, description="How sure the gate has to be of a gain."
    )
    min_users: int = Field(
        default=50, ge=2, le=10_000_000, description="Users without whom there is no verdict."
    )
    max_users: int = Field(
        default=10_000,
        ge=2,
        le=100_000_000,
        description="Users of the day on whom models are judged, drawn by the seed.",
    )
    figure_share: float = Field(
        default=0.2,
        ge=0,
        le=0.5,
        description="Share of the users who have no part in decisions: what the chosen model "
        "reaches on them is the figure of the decision.",
    )
    figure_salt: int = Field(
        default=1,
        ge=0,
        lt=2**63,
        description="Of the hash that draws these users; the same ones on all days.",
    )
    mixture_share: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the model in a mixture with most popular, which takes part where "
        "neither of the two is surely better than the other; 0: none does.",
    )
    max_challengers: int = Field(
        default=1,
        ge=0,
        le=16,
        description="Recipes of each role that may be scored on later days while the gate is not "
        "sure of them; a new one takes the place of the oldest.",
    )
    challenger_days: int = Field(
        default=7,
        ge=1,
        le=365,
        description="Days on which a recipe is scored before it is dropped for want of evidence.",
    )
    refresh_margin: float = Field(
        default=0.02,
        ge=0,
        lt=1,
        description="Share of the champion's metric by which its own recipe on newer days must "
        "surely not be worse, to take its place.",
    )
    refresh_after_days: int = Field(
        default=7,
        ge=1,
        le=3_650,
        description="Age of the champion's data from which its own recipe on newer days takes its "
        "place unless it is surely worse.",
    )
    veto_not_above_random: bool = Field(
        default=True,
        description="Promote no model that is not surely above random: it learned nothing.",
    )
    veto_below_most_popular: bool = Field(
        default=True,
        description="Promote no model that is surely below the most popular recommender.",
    )
    veto_worse_slice: bool = Field(
        default=True,
        description="Promote no model that is surely worse than the champion in a slice: a length "
        "of history, and of rankings a surface, new posts, or a value of a declared attribute.",
    )
    slice_margin: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="Share of the champion's metric in a slice by which a model may be worse.",
    )
    slice_values: int = Field(
        default=8,
        ge=1,
        le=1_000,
        description="Surfaces, and values of each attribute, that have a slice: the most frequent.",
    )
    new_post_hours: float = Field(
        default=24, gt=0, le=1e6, description="Age up to which a post is new, for its slice."
    )
    veto_calibration: bool = Field(
        default=True,
        description="Promote no ranker whose predictions of an action that has a weight are surely "
        "outside of `calibration_limits` on the whole.",
    )
    calibration_limits: tuple[float, float] = Field(
        default=(0.5, 2.0),
        description="Lowest and highest ratio of predictions to what followed.",
    )
    veto_negative_actions: bool = Field(
        default=True,
        description="Promote no ranker that surely ranks posts with an action of a weight below 0 "
        "higher than the champion does.",
    )
    negative_margin: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Grouped AUC of such an action by which they may be ranked higher.",
    )
    approval: Literal["never", "when_promoted"] = Field(
        default="never", description="When a person must approve in Airflow before release."
    )
    keep_outputs: bool = Field(
        default=False,
        description="Keep what every model said, under `outputs/`: predictions for each "
        "impression, vectors of users and posts, as TensorStore.",
    )


class CorpusConfig(Section):
    """`export_corpus`: which posts can be recommended."""

    max_age_days: int | None = Field(
        default=None, ge=1, le=36_500, description="Older posts leave the corpus."
    )


class ReleaseConfig(Section):
    """`publish_release`: the check before a release."""

    num_probe_users: int = Field(
        default=8, ge=1, le=100_000, description="Users asked for in the check before release."
    )


class MeasureConfig(Section):
    """`measure_feeds`: when a release surely earns less than the one before, and what then."""

    confidence: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="With which a verdict on a release is right, however often one looks.",
    )
    min_users: int = Field(
        default=50, ge=2, le=1_000_000, description="Of each release; below, no verdict."
    )
    comparison_days: int = Field(
        default=14,
        ge=1,
        le=365,
        description="How far back the days lie on which releases are compared.",
    )
    has_control: bool = Field(
        default=True,
        description="Whether what no feed showed tells how days differ: its change between the "
        "days of two releases is taken out, where `min_users` users tell on the days of each.",
    )
    roll_back: bool = Field(
        default=False,
        description="Whether a live release that surely earns less than the one before is rolled "
        "back by itself: on the newest day alone, once, and not after a rollback.",
    )


class ReportConfig(Section):
    """The pages of the runs."""

    num_example_feeds: int = Field(
        default=3, ge=0, le=50, description="Feeds shown on a day's page."
    )
    show_user_ids: bool = Field(
        default=False,
        description="Whether pages show user ids as they are, or a short hash of them.",
    )
