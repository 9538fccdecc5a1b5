"""Data Docs: a page per day and an index, HTML files that need nothing from the web.

A page shows the row account, the quarantine by rule, the expectations and the drift. It is at
`docs/<day>/index.html` of the store, beside the artifacts, also when the day fails. Values of rows
are never shown, places are.
"""

import datetime
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from components import contract
from components.pages.images import drift_image
from components.quality.day_checks import DayChecks, description
from components.rows.quarantine import RuleReport
from components.store.artifacts import Store

_CLASSES = {"critical": "failed", "warning": "warning", "info": "info"}
_LABELS = (
    ("rows_in", "in"),
    ("accepted", "accepted"),
    ("duplicate", "duplicate: removed, or merged into the row that they contradict"),
    ("quarantined", "quarantined: broke a rule"),
    ("late", "late: belong to an earlier day"),
)
_NUM_LISTED = 400  # newest days in the index, which reads the summaries of all of them


def path(day: datetime.date) -> str:
    """Returns the path of the page of a day below the root of the store."""
    return f"docs/{day}/index.html"


def publish(
    store: Store,
    day: datetime.date,
    *,
    account: Mapping[str, Any],
    rules: Sequence[RuleReport],
    checks: DayChecks,
    reasons: Sequence[str],
) -> str:
    """Writes the page of a day and its line in the index; returns the address of the page.

    Args:
      store: Gets the pages.
      day: The UTC day.
      account: rows_in, accepted, duplicate, quarantined, late.
      rules: The broken ones.
      checks: The expectations of the accepted rows, with their results.
      reasons: Sentences why the day is refused; empty if it is not.
    """
    page = _template("docs_day.html").render(
        day=day,
        account=account,
        labels=_LABELS,
        rules=rules,
        results=checks.results,
        failed=checks.failed,
        num_met=len(checks.results) - len(checks.failed),
        numbers=[each for each in checks.results if "observed_value" in each and each["column"]],
        not_judged=checks.not_judged,
        sections=checks.sections,
        drawing=drift_image(
            store,
            str(day),
            contract.VALIDATE_EVENTS.name,
            checks.earlier_distances,
            checks.distances,
        ),
        reasons=reasons,
    )
    store.storage.replace(path(day), page.encode())
    summary = {
        "day": str(day),
        "refused": bool(reasons),
        **{name: account[name] for name in ("rows_in", "accepted", "quarantined")},
        "expectations": len(checks.results),
        "failed": {
            severity: sum(each["severity"] == severity for each in checks.failed)
            for severity in ("critical", "warning", "info")
        },
    }
    text = json.dumps(summary, sort_keys=True)
    store.storage.replace(f"docs/{day}/summary.json", text.encode())
    return store.storage.uri(path(day))


def draw_index(store: Store) -> None:
    """Draws the index from the summaries beside the pages, none before the first page."""
    names = sorted(store.storage.names("docs"), reverse=True)[:_NUM_LISTED]
    paths = [f"docs/{name}/summary.json" for name in names]
    days = [json.loads(store.storage.read(each)) for each in paths if store.storage.exists(each)]
    days.sort(key=lambda summary: summary["day"], reverse=True)
    if days:
        html = _template("docs_index.html").render(days=days)
        store.storage.replace("docs/index.html", html.encode())


@functools.cache  # a range of days draws two pages for each of them
def _template(name: str) -> jinja2.Template:
    """Returns a template of this package, with the words and classes that Data Docs use."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("components.pages"),
        autoescape=True,  # names come from the source
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = lambda name: name.replace("_", " ").replace("/", ": ")
    environment.globals |= {"described": description, "classes": _CLASSES}
    return environment.get_template(name)
