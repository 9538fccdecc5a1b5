"""What releases earned, read from the measures of all days, and the releases that earn less."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components import contract
from components.earnings import comparison, live_feeds
from components.errors import BadDataError
from components.release import releases
from components.store.artifacts import Ref, Store
from schemas.earnings import ENGAGEMENT, LESS

_NUM_DAYS = 60  # measures that are looked through, the newest


@dataclass(frozen=True)
class Loss:
    """A release whose models are live and surely earn less than those before them."""

    measured_day: str
    facts: Mapping[str, Any]  # of the release, as the measure has them
    before: Ref
    obstacle: str | None  # why one does not simply go back

    @property
    def told(self) -> str:
        """What is wrong, as a sentence."""
        against = self.facts["comparison"]
        share = "" if against["share"] is None else f" ({against['share']:+.1%})"
        return (
            f"The release of {self.facts['day']} surely earns less than that of "
            f"{self.before.partition}: {against['gain']:+.4f} per impression{share}, "
            f"{against['low']:+.4f} to {against['high']:+.4f}, over {against['days']} "
            f"day{'s' if against['days'] > 1 else ''} up to {self.measured_day}, "
            f"{comparison.of_days(against)}."
        )

    @property
    def advice(self) -> str:
        """What to do about it."""
        command = (
            f"`phoenix releases rollback {self.before.digest[:12]} --reason "
            f'"earns less, measured {self.measured_day}"`'
        )
        if self.obstacle is None:
            return f"{command} goes back to it."
        return f"Look first, since {self.obstacle}; {command} goes back nevertheless."


def measures(store: Store) -> Iterator[Mapping[str, Any]]:
    """Yields the facts of the newest measures that hold a release, oldest first."""
    kind = contract.MEASURE_FEEDS.name
    for partition in store.partitions(kind)[-_NUM_DAYS:]:
        ref = store.head(kind, partition)
        with contextlib.suppress(BadDataError):  # `phoenix doctor` tells of what is damaged
            if ref is not None and (facts := store.manifest(ref)["facts"])["releases"]:
                yield facts


def by_release(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Returns what each release earned on each day, by its digest, oldest day first.

    Keys: those of the measure, and measured_day.
    """
    days: dict[str, list[dict[str, Any]]] = {}
    for facts in measures(store):
        for each in facts["releases"]:
            days.setdefault(each["release"], []).append(
                {"measured_day": facts["measured_day"], **each}
            )
    return days


def summary(days: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns what a release earned over its days: impressions, mean, and the newest verdict."""
    earned = [each["measures"][ENGAGEMENT] for each in days]
    impressions = sum(each["impressions"] for each in earned)
    against = days[-1]["comparison"]
    return {
        "impressions": impressions,
        "mean": sum(each["mean"] * each["impressions"] for each in earned) / impressions,
        "days": len(days),
        "verdict": None if against is None else against["verdict"],
    }


def loss(store: Store) -> Loss | None:
    """Returns the loss that is live, by the newest measure of its models, or None."""
    live = releases.live(store)
    if live is None:
        return None
    models = live_feeds.models_of(store, live.release)
    newest = None
    for facts in measures(store):
        for each in facts["releases"]:
            if each["models"] == models:
                newest = (facts["measured_day"], each)
    if newest is None or (newest[1]["comparison"] or {}).get("verdict") != LESS:
        return None
    names = ("kind", "partition", "key", "digest")
    before = Ref(**{name: newest[1]["before"][name] for name in names})
    return Loss(*newest, before, _obstacle(store, before))


def _obstacle(store: Store, before: Ref) -> str | None:
    """Returns why one does not simply go back to a release, or None."""
    if before.digest in releases.withdrawn(store):
        return f"the release of {before.partition} was itself rolled back"
    log = releases.pointer(store).log()
    digests = [entry.value["release"]["digest"] for entry in log]
    if before.digest not in digests:
        return f"the release of {before.partition} was never live"
    place = len(digests) - 1 - digests[::-1].index(before.digest)
    since = [entry.value for entry in log[place + 1 :]]
    if any("withdrawn" in value for value in since):
        return f"a release was rolled back since that of {before.partition} was live"
    if any("restored" in value for value in since):
        return f"somebody undid the rollback to that of {before.partition}"
    return None
