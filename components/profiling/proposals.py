"""A proposed configuration of a log, before it is written: source, actions, and what is unsure."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ProposedAction:
    """An entry of `actions`."""

    name: str
    column: str | None = None
    values: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    published_as: str | None = None
    weight: float | None = None
    is_positive: bool = False

    def settings(self) -> dict[str, Any]:
        """Returns the entry as it stands in the file: without what is the default."""
        settings: dict[str, Any] = {"name": self.name}
        if self.column is not None and self.column != self.name:
            settings["column"] = self.column
        if self.values:
            settings["values"] = list(self.values)
        for name in ("at_least", "at_most", "published_as", "weight"):
            if (value := getattr(self, name)) is not None:
                settings[name] = value
        return settings | ({"is_positive": True} if self.is_positive else {})


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A configuration that a log suggests, with the reasons for its settings."""

    title: str  # a sentence about the log
    source: Mapping[str, Any]  # the section `ingest_events.source`, in the order of the file
    actions: Sequence[ProposedAction]
    first_day: datetime.date | None = None  # None: to be read from the log
    reasons: Mapping[str, str] = field(default_factory=dict)  # setting of `source` -> its reason
    sections: Mapping[str, Any] = field(default_factory=dict)  # further sections of the file
    notes: Sequence[str] = ()  # what a user should look at
