"""One static page per day, and one of all days: steps that ran, results, and reasons.

The pages are drawn again after every step from the records and the manifests, so they show a day in
progress and a day that failed as well. They open offline: no scripts, no fonts, no requests.

```
<store>/pages/index.html, <store>/pages/<day>/index.html, <store>/pages/<day>/summary.json
```
"""

import contextlib
import datetime
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

import jinja2

from components import contract
from components.pages import data_docs, sections
from components.pages.day_facts import DayFacts
from components.settings.config import Config
from components.store import records
from components.store.artifacts import Store

_ATTEMPTS = 3  # drawings of a page: more steps than that hardly end at the same moment
_DIGITS = ((1_000, 0), (100, 1), (10, 2), (1, 3))  # from this value on, so many decimals


def refresh(store: Store, config: Config, day: datetime.date) -> str:
    """Draws the page of a day and the index again; returns the address of the day's page.

    Steps that end at the same moment draw at the same moment. Each writes whole files, and draws
    once more if something was recorded meanwhile, so that the last one to finish shows everything.
    """
    address = refresh_day(store, config, day)
    refresh_index(store)
    return address


def refresh_day(store: Store, config: Config, day: datetime.date) -> str:
    """Draws the page of a day again, and not the index; returns its address."""
    name = day.isoformat()
    _until_settled(lambda: records.fingerprint(store, name), lambda: _draw_day(store, config, name))
    return store.storage.uri(page_path(name))


def refresh_index(store: Store) -> None:
    """Draws the index again, and that of Data Docs; they read the summary of every day."""
    _until_settled(lambda: _summaries(store), lambda: _draw_index(store))
    data_docs.draw_index(store)


def page_path(day: str) -> str:
    """Returns the path of a day's page in the store."""
    return f"pages/{day}/index.html"


def summary_path(day: str) -> str:
    """Returns the path of a day's line in the index, in the store."""
    return f"pages/{day}/summary.json"


def _until_settled(state: Callable[[], object], draw: Callable[[], None]) -> None:
    """Draws until nothing changed meanwhile, or so often that whoever changes it draws, too."""
    for _ in range(_ATTEMPTS):
        before = state()
        draw()
        if state() == before:
            return


def _draw_day(store: Store, config: Config, day: str) -> None:
    facts = DayFacts.read(store, config, day)
    neighbours = _neighbours(records.days(store), day)
    html = (
        _environment()
        .get_template("day.html")
        .render(
            day=day,
            previous_day=neighbours[0],
            next_day=neighbours[1],
            page=sections.day_page(facts),
        )
    )
    store.storage.replace(page_path(day), html.encode())
    summary = json.dumps(sections.summary(facts), sort_keys=True)
    store.storage.replace(summary_path(day), summary.encode())


def _draw_index(store: Store) -> None:
    days = sorted(_summaries(store).values(), key=lambda summary: summary["day"], reverse=True)
    html = _environment().get_template("index.html").render(days=days)
    store.storage.replace("pages/index.html", html.encode())


def _summaries(store: Store) -> Mapping[str, Mapping[str, Any]]:
    """Returns the line of every day in the index, by day."""
    summaries = {}
    for day in store.storage.names("pages"):
        path = summary_path(day)
        if store.storage.exists(path):  # names also lists index.html, and days that are being drawn
            # One that is damaged is made again with its page, so it is only missing until then.
            with contextlib.suppress(ValueError):
                summaries[day] = json.loads(store.storage.read(path))
    return summaries


def _neighbours(days: list[str], day: str) -> tuple[str | None, str | None]:
    """Returns the days before and after `day` for which anything ran."""
    before = [other for other in days if other < day]
    after = [other for other in days if other > day]
    return (before[-1] if before else None), (after[0] if after else None)


@functools.cache  # compiled templates: a step draws two pages, a test hundreds
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("components.pages"),
        autoescape=True,  # titles and messages come from data, so nothing is trusted as HTML
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": _count,
        "percent": _percent,
        "seconds": _seconds,
        "number": _number,
        "words": lambda name: name.replace("_", " "),
    }
    environment.globals["dags"] = list(contract.Dag)
    return environment


def _count(value: float | None) -> str:
    """`12345` -> `12,345`."""
    return "—" if value is None else f"{value:,.0f}"


def _percent(value: float | None) -> str:
    """`0.1234` -> `12.3 %`."""
    return "—" if value is None else f"{100 * value:.1f} %"


def _seconds(value: float | None) -> str:
    """`83.0` -> `1 min 23 s`."""
    if value is None:
        return "—"
    return f"{value:.1f} s" if value < 60 else f"{value // 60:.0f} min {value % 60:02.0f} s"


def _number(value: object) -> str:
    """Numbers with four digits that say something, anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "—" if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    digits = next((d for limit, d in _DIGITS if abs(value) >= limit), 4)
    return f"{value:.1e}" if 0 < abs(value) < 1e-4 else f"{value:,.{digits}f}"
