"""The settings of the checks: severities of failures, and the baseline a day is compared with."""

from typing import Literal

from pydantic import Field

from components.settings.section import Section

Severity = Literal["critical", "warning", "info", "ignore"]


class SeveritiesConfig(Section):
    """Severity of a failure: `critical` fails the day (exit 65), `ignore` is not checked."""

    contract: Severity = Field(
        default="critical", description="Columns, nulls, ranges and unique ids, from `schemas/`."
    )
    arrival_order: Severity = Field(default="warning", description="Nothing arrives before it is.")
    author_stable: Severity = Field(
        default="warning", description="No post changes its author, within the day or since."
    )
    any_action: Severity = Field(
        default="critical",
        description="At least one row of the day has an action, be it of an earlier impression.",
    )
    volume: Severity = Field(default="warning", description="Accepted rows.")
    users: Severity = Field(default="warning", description="Distinct users.")
    posts: Severity = Field(default="warning", description="Distinct posts.")
    action_rates: Severity = Field(default="warning", description="Share of rows, per action.")
    surfaces: Severity = Field(default="warning", description="Share of rows, per surface.")
    unseen_posts: Severity = Field(
        default="info", description="Share of rows whose post was not known the day before."
    )
    freshness: Severity = Field(
        default="warning", description="Minutes without rows before midnight, mean delay of rows."
    )
    drift: Severity = Field(
        default="warning", description="Distances of distributions to the days before."
    )


class BaselineConfig(Section):
    """The days that a day is compared with, and how much it may differ from them."""

    days: int = Field(
        default=14, ge=2, le=3_650, description="Days before a day that say what is usual."
    )
    min_days: int = Field(
        default=3, ge=2, le=3_650, description="With fewer of them nothing is judged by them."
    )
    false_alarm_rate: float = Field(
        default=0.001,
        gt=0,
        lt=0.5,
        description="Share of comparisons that may fail although nothing changed.",
    )
    min_count_change: float = Field(
        default=0.2, ge=0, description="Relative change of a count that never fails."
    )
    min_share_change: float = Field(
        default=0.02, ge=0, le=1, description="Absolute change of a share that never fails."
    )
    min_freshness_minutes: float = Field(
        default=30.0, ge=0, description="Minutes of quiet or of delay that never fail."
    )
    feature_users: float = Field(
        default=0.2, gt=0, le=1, description="Share of users whose histories are measured."
    )
    num_bins: int = Field(default=10, ge=2, le=1_000, description="Quantile bins of numbers.")
    min_psi: float = Field(
        default=0.1, ge=0, description="Population stability index that never fails."
    )
    min_jensen_shannon: float = Field(
        default=0.02, ge=0, le=1, description="Jensen-Shannon divergence, in bits, likewise."
    )
    min_l_infinity: float = Field(
        default=0.05, ge=0, le=1, description="Change of the share of any bin, likewise."
    )
