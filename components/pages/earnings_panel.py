"""The panel of earnings: of the day before, and of the release of this day on the days since."""

from collections.abc import Mapping
from typing import Any

from components import contract
from components.drawings import charts
from components.earnings import comparison, history
from components.pages.day_facts import DayFacts
from components.pages.images import image
from components.release import releases
from schemas.earnings import ENGAGEMENT

Panel = Mapping[str, Any]


def earnings(facts: DayFacts) -> Panel | None:
    """The measure of the day before, and the days of the release of this day."""
    measured = facts.facts(contract.MEASURE_FEEDS.name)
    ref = facts.refs.get(releases.RELEASE)
    days = history.by_release(facts.store).get(ref.digest, []) if ref else []
    if not measured and not days:
        return None
    release = facts.facts(releases.RELEASE)
    loss = history.loss(facts.store)
    is_of_loss = loss is not None and any(each["models"] == loss.facts["models"] for each in days)
    return {
        "told": measured.get("told"),
        "measured": [_parts(each) for each in measured.get("releases", ())],
        "days": [_day(each) for each in days],
        "drawing": _drawing(facts, days) if days else None,
        "promises": [
            {"role": role, "figure": release[role].get("figure"), **_verdict(release[role])}
            for role in releases.ROLES
        ]
        if days
        else [],
        "loss": {"told": loss.told, "advice": loss.advice.replace("`", "")}
        if loss and is_of_loss
        else None,
    }


def _verdict(model: Panel) -> Panel:
    return {name: model.get(name) for name in ("model", "verdict", "reasons")}


def _parts(release: Panel) -> Panel:
    """The rows of a release in the table of a measure: all of it, then each source."""
    sources = release["sources"].items()
    return {
        "day": release["day"],
        "rows": [
            {"name": "all", **release["measures"][ENGAGEMENT]},
            *({"name": name, **values} for name, values in sources),
        ],
        "actions": [
            {"name": name, **values}
            for name, values in release["measures"].items()
            if name != ENGAGEMENT
        ],
    }


def _day(day: Panel) -> Panel:
    """What a release earned on a day, beside what it had foretold and the release before it."""
    against = day["comparison"]
    return {
        "day": day["measured_day"],
        "predicted": day["measures"].get("predicted", {}).get("mean"),
        "before": day["before"] and day["before"]["partition"],
        "comparison": against and {**against, "of_days": comparison.of_days(against)},
        **day["measures"][ENGAGEMENT],
    }


def _drawing(facts: DayFacts, days: list[dict[str, Any]]) -> str:
    names = ("day", "mean", "low", "high", "predicted")
    points = [{name: _day(each)[name] for name in names} for each in days]
    return image(facts.store, facts.day, "earnings", charts.earnings, points)
