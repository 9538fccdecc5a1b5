"""The smallest configuration, and ways to change and to read it."""

import copy
import datetime
from collections.abc import Callable
from typing import Any

from components.settings.config import Config

MINIMAL: dict[str, Any] = {
    "store": "store",
    "first_day": datetime.date(2026, 1, 1),
    "ingest_events": {"source": {"layout": "synthetic"}},
    "actions": [{"name": "favorite", "is_positive": True}, {"name": "click"}],
}
Loader = Callable[[dict[str, Any]], Config]


def changed(path: str, value: object) -> dict[str, Any]:
    """MINIMAL with the field at a dotted path replaced, or added."""
    raw = copy.deepcopy(MINIMAL)
    *parents, last = path.split(".")
    section: Any = raw
    for name in parents:
        section = section[int(name)] if name.isdigit() else section.setdefault(name, {})
    section[int(last) if last.isdigit() else last] = value
    return raw
