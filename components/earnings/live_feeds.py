"""The feeds that were live on a day, by the pointer `live`, and those that a log names."""

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from components.earnings.attribution import NONE, LiveTimes
from components.errors import BadDataError
from components.release import releases
from components.release.shares import share_of
from components.store.artifacts import Ref, Store
from components.store.pointers import Entry
from phoenix.data.days import DAY_MS, midnight_ms

SHORT = 12  # characters of a digest or key, as commands and pages show them


@dataclass(frozen=True)
class LiveFeed:
    """A publication: feeds, and the release that they were made from."""

    release: Ref
    feeds: Ref


@dataclass(frozen=True)
class DayFeeds:
    """The publications that impressions of a day can have come from."""

    feeds: tuple[LiveFeed, ...]
    moves: tuple[tuple[Entry, int], ...]  # what was live during the day, and its place in `feeds`
    names: Mapping[str, int]  # of feeds, by digest and key, whole or short: places in `feeds`
    release_names: Mapping[str, int]  # the first feeds of each release

    @property
    def live(self) -> LiveTimes:
        """The moves, as arrays."""
        since = [_milliseconds(entry) for entry, _ in self.moves]
        places = [place for _, place in self.moves]
        return LiveTimes(np.array(since, np.int64), np.array(places, np.int64))

    @property
    def release_of(self) -> np.ndarray:
        """`[F]` int64: the release of each feed, by its place among their digests."""
        digests = [each.release.digest for each in self.feeds]
        return np.array([digests.index(each) for each in digests], np.int64)

    @property
    def releases(self) -> list[Ref]:
        """The releases, each once."""
        return list(dict.fromkeys(each.release for each in self.feeds))

    @property
    def inputs(self) -> list[Ref | Mapping[str, Any]]:
        """The moves by digest, and the feeds and releases."""
        entries = [
            {
                "name": f"pointers/live/{entry.number:08d}.json",
                "sha256": hashlib.sha256(
                    json.dumps(vars(entry), sort_keys=True).encode()
                ).hexdigest(),
            }
            for entry, _ in self.moves
        ]
        refs = [ref for each in self.feeds for ref in (each.feeds, each.release)]
        return [*entries, *dict.fromkeys(refs)]


NOTHING = DayFeeds((), (), {}, {})


def of_day(store: Store, day: datetime.date, names: Sequence[str], *, by_time: bool) -> DayFeeds:
    """Returns the publications of which impressions of a day can be.

    What moved later, or is named by no row, changes nothing: a day that is measured again finds
    what it found.

    Args:
      store: Of the deployment.
      day: Of the impressions.
      names: What the log calls the feeds, or releases, that showed them.
      by_time: Whether rows without a name are looked for in what was live at their time.
    """
    log = releases.pointer(store).log()
    feeds: list[LiveFeed] = []

    def place_of(entry: Entry) -> int:
        each = LiveFeed(Ref(**entry.value["release"]), Ref(**entry.value["feeds"]))
        if each not in feeds:
            feeds.append(each)
        return feeds.index(each)

    moves = [(entry, place_of(entry)) for entry in (_live_during(log, day) if by_time else ())]
    by_name: dict[str, int] = {}
    by_release: dict[str, int] = {}
    for entry in log:
        own, release = entry.value["feeds"], entry.value["release"]
        for name in _names_of(own) & set(names):
            by_name[name] = place_of(entry)
        for name in _names_of(release) & set(names):
            by_release.setdefault(name, place_of(entry))
    return DayFeeds(tuple(feeds), tuple(moves), by_name, by_release)


def _names_of(ref: Mapping[str, str]) -> set[str]:
    """Returns what a log may call an artifact."""
    whole = {ref["digest"], ref["key"]}
    return whole | {name[:SHORT] for name in whole}


def _live_during(log: Sequence[Entry], day: datetime.date) -> list[Entry]:
    """Returns the moves of a day, after the last one before it."""
    start = midnight_ms(day)
    before = [entry for entry in log if _milliseconds(entry) <= start]
    within = [entry for entry in log if start < _milliseconds(entry) < start + DAY_MS]
    return [*before[-1:], *within]


def _milliseconds(entry: Entry) -> int:
    return round(datetime.datetime.fromisoformat(entry.moved_at).timestamp() * 1000)


def places_of(texts: Sequence[str | None], names: Mapping[str, int]) -> np.ndarray:
    """Returns the place that each name stands for, `[n]` int64, `NONE` for others."""
    return np.array([NONE if each is None else names.get(each, NONE) for each in texts], np.int64)


def models_of(store: Store, release: Ref) -> str:
    """Returns a name of the two models in a release: releases that keep them have the same one.

    Most popular counts anew every day, and stays most popular. A release that is gone is by itself.
    """
    try:
        facts = store.manifest(release)["facts"]
    except BadDataError:
        return release.digest
    return "+".join(_model_of(facts[role], role) for role in releases.ROLES)


def _model_of(facts: Mapping[str, Any], role: str) -> str:
    """Returns a name of the model of a role; a mixture counts anew every day and stays the same."""
    if facts["folder"] != role:
        return facts["model"]
    share = share_of(facts)
    return facts["digest"][:16] + ("" if share == 1 else f"*{share}")


def release_before(store: Store, release: Ref) -> Ref | None:
    """Returns the release that was live before the models of a release went live, or None.

    Releases that came one after the other with the same models count as one: what is asked is
    whether the step from other models to these was a good one.
    """
    log = [Ref(**entry.value["release"]) for entry in releases.pointer(store).log()]
    place, models = log.index(release), models_of(store, release)
    for earlier in reversed(log[:place]):
        if earlier != release and models_of(store, earlier) != models:
            return earlier
    return None


def describe(store: Store, release: Ref) -> dict[str, Any]:
    """Returns what a measure says of a release, of its models, and of the one before it."""
    before = release_before(store, release)
    return {
        "release": release.digest,
        "day": release.partition,
        "models": models_of(store, release),
        "before": None
        if before is None
        else {**asdict(before), "models": models_of(store, before)},
    }
