"""The rules that every event must keep.

Every row of a day ends in exactly one place: accepted, duplicate or quarantined by the first rule
that it breaks. All of it are expressions, which any of the `engines` evaluates; events are tables
with the columns of `EVENTS` as `engine_rows.to_engine` makes them: times in ms and sets of bits as
int64, with `place`, the order of the source, and maybe more.
"""

# pyright: reportOperatorIssue=false, reportAttributeAccessIssue=false
# (a column of Ibis has its type when an expression is made)

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.settings.config import Config
from components.settings.source import ColumnsSource
from phoenix.data.days import DAY_MS, midnight_ms

if TYPE_CHECKING:
    import ibis

_IDS = ("user_id", "post_id", "author_id")
KEY = ("user_id", "shown_at", "post_id")
# Of rows that agree in these and in their keys, all but one are copies.
SIGNALS = ("author_id", "surface", "actions", "dwell_seconds")
ORDER = ("user_id", "shown_at", "event_id", "place")


@dataclass(frozen=True)
class Rule:
    """A rule and the expression that says which rows break it."""

    name: str
    is_broken: "ibis.expr.types.BooleanValue"
    column: str  # holds the value that breaks it
    expected: str


def event_rules(events: "ibis.Table", config: Config, day: datetime.date) -> list[Rule]:
    """Returns the rules for the events of a day, in the order in which they are applied.

    Args:
      events: The rows.
      config: Limits of validate_events and the actions.
      day: The UTC day to which the rows should belong.
    """
    limits = config.validate_events
    surface, dwell = events["surface"], events["dwell_seconds"]
    # Ids and times come first: of a row without them, nothing else is worth a message.
    rules = [
        *_id_rules(events),
        *_time_rules(events, limits.max_future_minutes, day),
        Rule(
            "bad_surface",
            (surface < 0) | (surface >= limits.num_surfaces),
            "surface",
            f"0 to {limits.num_surfaces - 1}",
        ),
        Rule(
            "bad_dwell",
            # Both engines put NaN above every number.
            (dwell < 0) | (dwell > limits.max_dwell_seconds),
            "dwell_seconds",
            f"0 to {limits.max_dwell_seconds:g} seconds",
        ),
    ]
    if len(config.actions) < 64:
        # With the highest bit set, a number is negative.
        is_unknown = (events["actions"] < 0) | (events["actions"] >= 2 ** len(config.actions))
        bits = f"the bits of {len(config.actions)} actions"
        rules.append(Rule("unknown_action", is_unknown, "actions", bits))
    return rules + _served_rules(events, config)


def _id_rules(events: "ibis.Table") -> list[Rule]:
    padding = (
        "an id other than 0, which is padding; of ids from 0 on, name the column in "
        "`ingest_events.source.text_ids`"
    )
    return [
        *(Rule("zero_id", events[name] == 0, name, padding) for name in _IDS),
        *(Rule("negative_id", events[name] < 0, name, "an id above 0") for name in _IDS),
    ]


def _time_rules(
    events: "ibis.Table", max_future_minutes: float, day: datetime.date
) -> tuple[Rule, Rule]:
    shown_at, start = events["shown_at"], midnight_ms(day)
    # Clocks differ, so a row may have been shown a little after it arrived.
    latest = events["ingested_at"] + round(max_future_minutes * 60_000)
    arrival = f"a time at most {max_future_minutes:g} minutes after its arrival"
    is_elsewhere = (shown_at < start) | (shown_at >= start + DAY_MS)
    return (
        Rule("future_timestamp", shown_at > latest, "shown_at", arrival),
        Rule("wrong_day", is_elsewhere, "shown_at", f"a time within {day} UTC"),
    )


def _served_rules(events: "ibis.Table", config: Config) -> list[Rule]:
    """Returns the rules of the optional columns that the events have; null breaks none of them."""
    rules, source = [], config.ingest_events.source
    if "position" in events.columns:
        rules.append(Rule("bad_position", events["position"] < 0, "position", "a rank from 0 on"))
    if "propensity" in events.columns:
        propensity = events["propensity"]
        is_bad = (propensity <= 0) | (propensity > 1)
        rules.append(Rule("bad_propensity", is_bad, "propensity", "a probability above 0, up to 1"))
    if "weight" in events.columns:
        weight, limit = events["weight"], config.validate_events.max_weight
        is_bad = (weight <= 0) | (weight > limit)
        expected = f"a number above 0, up to {limit:g} (`validate_events.max_weight`)"
        if isinstance(source, ColumnsSource) and "sampling_rate" in source.event_columns:
            expected += f", which is a `sampling_rate` of at least {1 / limit:g}"
        rules.append(Rule("bad_weight", is_bad, "weight", expected))
    return rules


def add_verdicts(events: "ibis.Table", rules: Sequence[Rule]) -> "ibis.Table":
    """Adds `verdict`: the number of the first rule that a row breaks, from 1, or 0.

    Args:
      events: The rows.
      rules: In the order in which they are applied.
    """
    import ibis

    cases = [(rule.is_broken, number) for number, rule in enumerate(rules, start=1)]
    return events.mutate(verdict=ibis.cases(*cases, else_=0).cast("int64"))


def label_rules(events: "ibis.Table", config: Config, day: datetime.date) -> list[Rule]:
    """Returns the rules for labels of any earlier day that arrived on a day: all but one.

    See `event_rules` for the arguments.
    """
    return [rule for rule in event_rules(events, config, day) if rule.name != "wrong_day"]
