"""The panels of a day's page: data, training, metrics, decision, release, feeds.

Each function returns what its part of the template shows, from the facts and a few small files of
the day's artifacts, or None while the step has not written any.
"""

import base64
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.errors import BadDataError
from components.pages import account_panel
from components.pages.day_facts import DayFacts
from components.quality import day_checks, skew
from components.quality.day_statistics import STATISTICS_FILE
from components.release import releases
from components.serving import published
from components.tables import masks

logger = logging.getLogger(__name__)

Panel = Mapping[str, Any]

_FATES = ("accepted", "duplicate", "quarantined", "late")
_ENTRANTS = ("candidate", "champion", "most_popular", "random")
_SLICES = {
    "no_history": "no history",
    "short_history": "short history",
    "long_history": "long history",
}
_NUM_PLACES = 5
_DRIFTS = (
    ("Events against the days before", "Distributions of the accepted rows."),
    ("Events against the training", "The day's rows and those the released models learned from."),
    (
        "Features against the training",
        "Histories from which the feeds were made, and those of the training windows.",
    ),
)


def all_panels(facts: DayFacts) -> dict[str, Any]:
    """Returns every panel by name; one that cannot be read says so instead of its content."""
    panels: dict[str, Callable[[DayFacts], Panel | None]] = {
        "data": data,
        "drift": drift,
        "account": account_panel.account,
        "training": training,
        "metrics": metrics,
        "decision": decision,
        "release": release,
        "feeds": feeds,
    }
    shown: dict[str, Any] = {}
    for name, panel in panels.items():
        try:
            content = panel(facts)
            shown[name] = content and {"problem": None, **content}
        except (BadDataError, OSError, KeyError, TypeError, ValueError) as error:
            # A damaged file, or facts of another version: the rest of the page is still of use.
            logger.warning("The panel %s of %s cannot be shown: %r", name, facts.day, error)
            shown[name] = {"problem": f"This cannot be shown: {error}"}
    return shown


def data(facts: DayFacts) -> Panel | None:
    """The row account, the broken rules, the expectations and some statistics."""
    has_docs = facts.store.storage.exists(f"docs/{facts.day}/index.html")
    ingested, validated = facts.facts("ingest_events"), facts.facts("validate_events")
    if not ingested and not has_docs:
        return None
    panel: dict[str, Any] = {
        "rows_in": validated.get("rows_in", ingested.get("rows_in")),
        "source": ingested.get("source", {}),
        "has_docs": has_docs,
        "account": None,
    }
    if not validated:
        return panel
    rows_in = max(validated["rows_in"], 1)
    results = json.loads(facts.file("validate_events", "expectations.json").read_text())
    statistics = validated["statistics"]
    return panel | {
        "account": [
            {"name": name, "count": validated[name], "share": validated[name] / rows_in}
            for name in _FATES
        ],
        "duplicates": {
            "equal": validated["duplicate_exact"],
            "merged": validated["duplicate_conflicting"],
        },
        "expectations": results,
        "num_met": sum(result["success"] for result in results),
        "failures": [
            {"severity": result["severity"], "text": day_checks.description(result)}
            for result in results
            if not result["success"]
        ][:_NUM_PLACES],
        "statistics": statistics,
        "rates": _bars(statistics["action_rates"]),
        "hours": _bars({f"{hour:02d}": n for hour, n in enumerate(statistics["hours"])}),
    }


def drift(facts: DayFacts) -> Panel | None:
    """How far the day is from the days before it, and from what the live model was trained on."""
    found = []
    if facts.facts("validate_events"):
        kept = json.loads(facts.file("validate_events", STATISTICS_FILE).read_text())
        found.append((_DRIFTS[0], "validate_events", day_checks.DRAWING_FILE, kept["distances"]))
    if facts.facts(releases.FEEDS):
        kept = json.loads(facts.file(releases.FEEDS, skew.SKEW_FILE).read_text())
        found += [
            (about, releases.FEEDS, f"{kind}.svg", kept[kind])
            for kind, about in zip(skew.KINDS, _DRIFTS[1:], strict=True)
            if kind in kept
        ]
    parts = [
        {
            "title": title,
            "about": about,
            "drawing": _drawing(facts, step, name),
            "judged": sum(each["limit"] is not None for each in distances.values()),
            "alarms": [
                each
                for each in distances.values()
                if each["limit"] is not None and each["value"] > each["limit"]
            ],
        }
        for (title, about), step, name, distances in found
        if distances
    ]
    return {"parts": parts} if parts else None


def training(facts: DayFacts) -> Panel | None:
    """For each model: what it was trained on, and the learning curve."""
    models = []
    for role in releases.ROLES:
        step = f"train_{role}"
        known = facts.facts(step)
        if known:
            curve = _drawing(facts, step, "curve.svg") if known["trained"] else None
            models.append({"role": role, "curve": curve, **known})
    return {"models": models} if models else None


def metrics(facts: DayFacts) -> Panel | None:
    """For each model: the metrics beside champion and baselines, by action and by slice."""
    evaluated = facts.facts("evaluate_models")
    if not evaluated:
        return None
    report = json.loads(facts.file("evaluate_models", "metrics.json").read_text())
    roles = [_role_metrics(role, evaluated[role], report[role]) for role in releases.ROLES]
    return {
        "roles": roles,
        "calibration": _drawing(facts, "evaluate_models", "calibration.svg"),
    }


def _role_metrics(role: str, decided: Panel, by_model: Mapping[str, Panel]) -> Panel:
    entrants = [name for name in _ENTRANTS if name in by_model]
    found = [item for name in entrants for item in by_model[name].items()]
    measured = list(dict.fromkeys(name for name, value in found if _is_number(value)))
    counts = [name for name in measured if name.endswith("users") or name == "impressions"]
    names = [name for name in measured if name not in counts]
    gate = decided["metric"]
    return {
        "role": role,
        "gate": gate,
        "names": names,
        "counts": {name: by_model["random"][name] for name in counts},
        "rows": [
            {"model": model, "values": [by_model[model].get(name) for name in names]}
            for model in entrants
        ],
        "best": [_best(name, [by_model[model].get(name) for model in entrants]) for name in names],
        "bars": _bars({model: by_model[model].get(gate) for model in entrants}),
        "actions": _actions(by_model),
        "slices": _slices(by_model, entrants),
    }


def _actions(by_model: Mapping[str, Panel]) -> Panel | None:
    """Metrics per action of the best entrant that has any."""
    for model in _ENTRANTS:
        found = by_model.get(model, {}).get("actions")
        if found:
            columns = [name for name in next(iter(found.values())) if name != "positives"]
            return {"model": model, "columns": ["positives", *columns], "rows": found}
    return None


def _slices(by_model: Mapping[str, Panel], entrants: Sequence[str]) -> list[Panel]:
    rows = []
    for name, title in _SLICES.items():
        found = {model: by_model[model].get("slices", {}).get(name) for model in entrants}
        values = [slice_ for slice_ in found.values() if slice_]
        if values:
            metric = next(key for key in values[0] if key != "users")
            shown = [(found[model] or {}).get(metric) for model in entrants]
            rows.append(
                {"name": title, "metric": metric, "users": values[0]["users"], "values": shown}
            )
    return rows


def decision(facts: DayFacts) -> Panel | None:
    """For each model: promoted or kept, and every reason."""
    evaluated = facts.facts("evaluate_models")
    if not evaluated:
        return None
    return {
        "models": [{"role": role, **evaluated[role]} for role in releases.ROLES],
        "forced": evaluated.get("forced"),
        "force_reason": evaluated.get("force_reason"),
        "needs_approval": evaluated.get("needs_approval", False),
    }


def release(facts: DayFacts) -> Panel | None:
    """What was bound into the release, and whether it is live."""
    known = facts.facts(releases.RELEASE)
    if not known:
        return None
    ref = facts.refs[releases.RELEASE]
    live = releases.live(facts.store)
    undone = releases.withdrawn(facts.store).get(ref.digest)
    return {
        "digest": ref.digest,
        "is_live": live is not None and live.release.digest == ref.digest,
        "live_day": live and live.day.isoformat(),
        "withdrawn_by": undone and f"{undone.actor}: {undone.reason}",
        "models": [{"role": role, **known[role]} for role in releases.ROLES],
        "trained_through": known["trained_through"],
        "corpus": known["corpus"],
        "weights": list(zip(known["actions"], known["weights"], strict=True)),
    }


def feeds(facts: DayFacts) -> Panel | None:
    """Coverage and quality of the feeds, and a few of them with their reasons."""
    known = facts.facts(releases.FEEDS)
    if not known:
        return None
    return {
        "quality": known,
        "examples": _examples(facts),
        "shows_ids": facts.config.report.show_user_ids,
        "sinks": [sink.kind for sink in facts.config.publish_feeds.sinks],
    }


def _examples(facts: DayFacts) -> list[Panel]:
    ref = facts.refs[releases.FEEDS]
    users = published.example_users(facts.store, ref, facts.config.report.num_example_feeds)
    found = published.feeds_of(facts.store, facts.config, ref, users)
    return [
        {
            "user": masks.user_name(feed.user_id, facts.config),
            "num_items": len(feed.items),
            "items": [
                {
                    "rank": item.rank,
                    "post_id": item.post_id,
                    "author_id": item.author_id,
                    "score": item.score,
                    "why": published.short_reason(item),
                }
                for item in feed.items[:_NUM_PLACES]
            ],
        }
        for feed in found
    ]


def _drawing(facts: DayFacts, step: str, name: str) -> str:
    """Returns a drawing of an artifact as an address that holds it; scripts in it cannot run."""
    content = base64.b64encode(facts.file(step, name).read_bytes()).decode()
    return f"data:image/svg+xml;base64,{content}"


def _bars(values: Mapping[str, float | None]) -> list[Panel]:
    """Returns values with their shares of the largest, for bars."""
    largest = max((abs(value) for value in values.values() if value), default=1.0)
    return [
        {"name": name, "value": value, "share": max(0.0, (value or 0.0) / largest)}
        for name, value in values.items()
    ]


def _best(name: str, values: Sequence[float | None]) -> float | None:
    """Returns the highest value, unless all are equal or more of it is not simply better."""
    known = {value for value in values if value is not None}
    is_simple = name not in ("coverage", "not_finite") and not name.endswith("_error")
    return max(known) if len(known) > 1 and is_simple else None


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
