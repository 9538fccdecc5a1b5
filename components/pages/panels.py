"""The panels of a day's page: data, training, metrics, decision, release, feeds.

Each function returns what its part of the template shows, from the facts and a few small files of
the day's artifacts, or None while the step has not written any.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components import contract
from components.drawings import charts
from components.errors import BadDataError
from components.pages import account_panel, data_docs, earnings_panel
from components.pages.day_facts import DayFacts
from components.pages.images import drift_image, image
from components.quality import day_checks, skew
from components.quality.day_statistics import STATISTICS_FILE
from components.release import answers, release_files, releases
from components.serving import published
from components.store.artifacts import Ref
from components.tables import data_files, masks

logger = logging.getLogger(__name__)

Panel = Mapping[str, Any]

_INGEST = contract.INGEST_EVENTS.name
_VALIDATE = contract.VALIDATE_EVENTS.name
_EVALUATE = contract.EVALUATE_MODELS.name
_TRAININGS = {  # by role
    "retrieval": contract.TRAIN_RETRIEVAL.name,
    "ranker": contract.TRAIN_RANKER.name,
}
_FATES = ("accepted", "duplicate", "quarantined", "late")
_ENTRANTS = ("candidate", "champion", "most_popular", "random")
_SLICES = {
    "no_history": "no history",
    "short_history": "short history",
    "long_history": "long history",
}
# Of decisions of a format before the one that said it.
_NO_EVIDENCE: Panel = {
    **dict.fromkeys(("question", "figure", "restated")),
    **dict.fromkeys(("vetoes", "examples"), ()),
}
_NUM_PLACES = 5  # of a feed, and failures of expectations: what fits beside the rest
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
        "earnings": earnings_panel.earnings,
        "feeds": feeds,
    }
    contents: dict[str, Any] = {}
    for name, panel in panels.items():
        try:
            content = panel(facts)
            contents[name] = content and {"problem": None, **content}
        except (BadDataError, OSError, KeyError, TypeError, ValueError) as error:
            # A damaged file, or facts of another version: the rest of the page is still of use.
            logger.warning("The panel %s of %s cannot be shown: %r", name, facts.day, error)
            contents[name] = {"problem": f"This cannot be shown: {error}"}
    return contents


def data(facts: DayFacts) -> Panel | None:
    """The row account, the broken rules, the expectations and some statistics."""
    # Data Docs are there also for a day that validate_events refused, which has no artifact.
    has_docs = facts.store.storage.exists(data_docs.path(contract.parse_day(facts.day)))
    ingest, validation = facts.facts(_INGEST), facts.facts(_VALIDATE)
    if not ingest and not has_docs:
        return None
    panel: dict[str, Any] = {
        "rows_in": validation.get("rows_in", ingest.get("rows_in")),
        "source": ingest.get("source", {}),
        "has_docs": has_docs,
        "account": None,
    }
    if not validation:
        return panel
    rows_in = max(validation["rows_in"], 1)  # a day without rows has shares of 0
    results = json.loads(facts.file(_VALIDATE, data_files.EXPECTATIONS_FILE).read_text())
    statistics = validation["statistics"]
    return panel | {
        "account": [
            {"name": name, "count": validation[name], "share": validation[name] / rows_in}
            for name in _FATES
        ],
        "duplicates": {
            "equal": validation["duplicate_exact"],
            "merged": validation["duplicate_conflicting"],
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
    """The distances of the day from the days before it and from the training of the live model."""
    comparisons = []
    if facts.facts(_VALIDATE):
        statistics = json.loads(facts.file(_VALIDATE, STATISTICS_FILE).read_text())
        earlier = [
            (day, json.loads(content)["distances"])
            for day, content in _earlier_files(facts, _VALIDATE, STATISTICS_FILE)
        ]
        comparisons.append((_DRIFTS[0], _VALIDATE, earlier, statistics["distances"]))
    if facts.facts(releases.FEEDS):
        by_kind = json.loads(facts.file(releases.FEEDS, skew.SKEW_FILE).read_text())
        earlier = [
            (day, json.loads(content))
            for day, content in _earlier_files(facts, releases.FEEDS, skew.SKEW_FILE)
        ]
        comparisons += [
            (about, kind, [(day, each.get(kind, {})) for day, each in earlier], by_kind[kind])
            for kind, about in zip(skew.KINDS, _DRIFTS[1:], strict=True)
            if kind in by_kind
        ]
    parts = [
        {
            "title": title,
            "about": about,
            "drawing": drift_image(facts.store, facts.day, name, earlier, distances),
            "judged": sum(each["limit"] is not None for each in distances.values()),
            "alarms": [
                each
                for each in distances.values()
                if each["limit"] is not None and each["value"] > each["limit"]
            ],
        }
        for (title, about), name, earlier, distances in comparisons
        if distances
    ]
    return {"parts": parts} if parts else None


def training(facts: DayFacts) -> Panel | None:
    """The training of each model: its days and the learning curve."""
    models = []
    for role, step in _TRAININGS.items():
        result = facts.facts(step)
        if result:
            curve = None
            if result["trained"]:
                points = json.loads(facts.file(step, release_files.CURVE_FILE).read_text())
                title = f"{step} of {facts.day}"
                curve = image(facts.store, facts.day, step, charts.learning_curve, points, title)
            numbers = (result.get("auto") or {}).get("numbers", {})
            flat = {name: value for name, value in numbers.items() if name != "model"}
            flat |= numbers.get("model", {})
            models.append({"role": role, "curve": curve, **result, "auto_settings": flat})
    return {"models": models} if models else None


def metrics(facts: DayFacts) -> Panel | None:
    """The metrics of each model beside champion and baselines, by action and by slice."""
    evaluation = facts.facts(_EVALUATE)
    if not evaluation:
        return None
    report = json.loads(facts.file(_EVALUATE, release_files.METRICS_FILE).read_text())
    ranker = report["ranker"].get("candidate") or report["ranker"].get("champion") or {}
    curves = ranker.get("calibration", {})
    return {
        "roles": [_role_metrics(role, evaluation[role], report[role]) for role in releases.ROLES],
        "calibration": image(facts.store, facts.day, "calibration", charts.calibration, curves),
    }


def _role_metrics(role: str, decision: Panel, by_model: Mapping[str, Panel]) -> Panel:
    """The table of a role: a row for each recommender, a column for each number that one has."""
    challengers = sorted(name for name in by_model if name not in _ENTRANTS)
    entrants = [name for name in ("candidate", *challengers, *_ENTRANTS[1:]) if name in by_model]
    items = [item for name in entrants for item in by_model[name].items()]
    numbers = list(dict.fromkeys(name for name, value in items if _is_number(value)))
    # Counts are the same for all recommenders, so they are said once, above the table.
    counts = [name for name in numbers if name.endswith("users") or name == "impressions"]
    names = [name for name in numbers if name not in counts]
    gate = decision["metric"]
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
        rows = by_model.get(model, {}).get("actions")
        if rows:
            columns = [name for name in next(iter(rows.values())) if name != "positives"]
            return {"model": model, "columns": ["positives", *columns], "rows": rows}
    return None


def _slices(by_model: Mapping[str, Panel], entrants: Sequence[str]) -> list[Panel]:
    """The gate's metric by the length of the history; a model without numbers has no slices."""
    rows = []
    for name, title in _SLICES.items():
        slices = [by_model[model].get("slices", {}).get(name) or {} for model in entrants]
        example = next((each for each in slices if each), None)
        if example is not None:
            metric = next(key for key in example if key != "users")
            values = [each.get(metric) for each in slices]
            rows.append(
                {"name": title, "metric": metric, "users": example["users"], "values": values}
            )
    return rows


def decision(facts: DayFacts) -> Panel | None:
    """The decision on each model, promoted or kept, and every reason."""
    evaluation = facts.facts(_EVALUATE)
    if not evaluation:
        return None
    return {
        "models": [{"role": role, **_NO_EVIDENCE, **evaluation[role]} for role in releases.ROLES],
        "forced": evaluation.get("forced"),
        "force_reason": evaluation.get("force_reason"),
        "needs_approval": evaluation.get("needs_approval", False),
        # Formats of a release before 8 did not say who approved.
        "approval": facts.facts(releases.RELEASE).get("approval"),
        "rejected": _rejection(facts),
    }


def _rejection(facts: DayFacts) -> str | None:
    """Returns who rejected the release of the day, and why; None if nobody did."""
    answer = answers.newest(facts.store, facts.refs[_EVALUATE])
    if answer is None or answer.answer != answers.REJECT:
        return None
    return f"{answer.rejection(facts.day)} What was live stays live."


def release(facts: DayFacts) -> Panel | None:
    """The parts that are bound into the release, and whether it is live."""
    description = facts.facts(releases.RELEASE)
    if not description:
        return None
    ref = facts.refs[releases.RELEASE]
    live = releases.live(facts.store)
    rollback = releases.withdrawn(facts.store).get(ref.digest)
    return {
        "digest": ref.digest,
        "is_live": live is not None and live.release.digest == ref.digest,
        "live_day": live and live.day.isoformat(),
        "withdrawn_by": rollback and f"{rollback.actor}: {rollback.reason}",
        "models": [{"role": role, **description[role]} for role in releases.ROLES],
        "trained_through": description["trained_through"],
        "corpus": description["corpus"],
        "weights": list(zip(description["actions"], description["weights"], strict=True)),
    }


def feeds(facts: DayFacts) -> Panel | None:
    """Coverage and quality of the feeds, and a few of them with their reasons."""
    quality = facts.facts(releases.FEEDS)
    if not quality:
        return None
    return {
        "quality": quality,
        "examples": _examples(facts),
        "shows_ids": facts.config.report.show_user_ids,
        "sinks": [sink.kind for sink in facts.config.publish_feeds.sinks],
    }


def _examples(facts: DayFacts) -> list[Panel]:
    """The beginnings of a few feeds, of users spread over all."""
    ref = facts.refs[releases.FEEDS]
    users = published.example_users(facts.store, ref, facts.config.report.num_example_feeds)
    return [
        {
            "user": masks.user_name(feed.user_id, feed.user, facts.config),
            "num_items": len(feed.items),
            "kind": feed.kind_in_words,
            "items": [
                {
                    "rank": item.rank,
                    "post": item.post,
                    "title": item.title,
                    "author": item.author,
                    "score": item.score,
                    "why": published.short_reason(item),
                }
                for item in feed.items[:_NUM_PLACES]
            ],
        }
        for feed in published.feeds_of(facts.store, facts.config, ref, users)
    ]


def _earlier_files(facts: DayFacts, step: str, name: str) -> list[tuple[str, bytes]]:
    """Returns a file of the days with which a step compared this one, oldest first.

    They are inputs of its artifact; one that was removed since is left out.
    """
    inputs = facts.manifests[step]["recipe"]["inputs"]
    refs = [Ref(**each) for each in inputs if each.get("kind") == step]
    return [
        (ref.partition, facts.store.read_file(ref, name).read_bytes())
        for ref in sorted(refs, key=lambda ref: ref.partition)
        if facts.store.holds(ref)
    ]


def _bars(values: Mapping[str, float | None]) -> list[Panel]:
    """Returns values with their shares of the largest, for bars."""
    largest = max((abs(value) for value in values.values() if value), default=1.0)
    return [
        {"name": name, "value": value, "share": max(0.0, (value or 0.0) / largest)}
        for name, value in values.items()
    ]


def _best(name: str, values: Sequence[float | None]) -> float | None:
    """Returns the highest value, unless all are equal or more of it is not simply better."""
    numbers = {value for value in values if value is not None}
    is_simple = name not in ("coverage", "not_finite") and not name.endswith("_error")
    return max(numbers) if len(numbers) > 1 and is_simple else None


def _is_number(value: object) -> bool:
    """Whether a metric has a column: a number, or None for one that cannot be measured."""
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
