"""Releases: the live one, the champion of a day, and the way back to an earlier one.

A release binds models, corpus and decision of one day. The pointer `live` names one release and
the feeds made from it, so both change together, in one compare-and-swap. A rollback is one more
entry of that pointer: it names the releases it withdraws, and those are nobody's champion any more
until one of them is made live again by hand.
"""

import datetime
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

from components import contract
from components.errors import BadConfigurationError
from components.store import leases
from components.store.artifacts import Artifact, Ref, Store
from components.store.leases import Lease
from components.store.pointers import Entry, Pointer

RELEASE = contract.PUBLISH_RELEASE.name
FEEDS = contract.PUBLISH_FEEDS.name
ROLES = ("retrieval", "ranker")
# Makes the sinks serve feeds before the pointer moves; returns those that did not yet.
Serve = Callable[[Artifact, Lease], Sequence[str]]
_MIN_DIGITS = 4  # of a digest that a person types: fewer could be meant for a day


@dataclass(frozen=True)
class Live:
    """The live release and the feeds made from it."""

    release: Ref
    feeds: Ref
    day: datetime.date
    entry: Entry


def pointer(store: Store) -> Pointer:
    """The pointer whose newest entry is what is live."""
    return store.pointer("live")


def publishing(store: Store) -> AbstractContextManager[Lease]:
    """Holds the lease of what is live: sinks are written and the pointer is moved under it.

    Raises:
      TryAgainError: If somebody else publishes or rolls back at this moment.
    """
    return leases.hold(store.storage, "live/sinks")


def live(store: Store) -> Live | None:
    """Returns what is live, or None before the first publication."""
    entry = pointer(store).read()
    return None if entry is None else _live(entry)


def withdrawn(store: Store) -> dict[str, Entry]:
    """Returns the digests of the withdrawn releases, each with the rollback that did it."""
    return _withdrawn(pointer(store).log())


def _withdrawn(log: Sequence[Entry]) -> dict[str, Entry]:
    rollbacks: dict[str, Entry] = {}
    for entry in log:
        rollbacks.update(dict.fromkeys(entry.value.get("withdrawn", ()), entry))
        # Whoever makes a withdrawn release live again by hand takes the withdrawal back.
        for digest in (entry.value["release"]["digest"], *entry.value.get("restored", ())):
            rollbacks.pop(digest, None)
    return rollbacks


def champion_as_of(store: Store, day: datetime.date) -> Ref | None:
    """Returns the newest release of a day before `day` that was not withdrawn, or None.

    Later days never matter, so a run of a past day finds the same champion as it did then. Nor does
    it matter whether the release is still there: who reads one that is gone is told so, and nobody
    is given an older one in its place.
    """
    rollbacks = withdrawn(store)
    versions = store.versions(RELEASE, before=str(day))
    return next((ref for ref in versions if ref.digest not in rollbacks), None)


def obstacle(store: Store, *, release: Ref, feeds: Ref) -> str | None:
    """Returns why a release and its feeds may not go live, or None.

    Not if these feeds were live before (a rerun changes nothing), not if the release was
    withdrawn, and not if something of a later day is live: only a rollback goes back.
    """
    log = pointer(store).log()
    if any(entry.value["feeds"] == asdict(feeds) for entry in log):
        return "these feeds are live or were live before"
    if (rollback_entry := withdrawn(store).get(release.digest)) is not None:
        return f"the release was withdrawn by {rollback_entry.actor}: {rollback_entry.reason}"
    if log and log[-1].value["day"] > release.partition:
        return f"{log[-1].value['day']} is live, which is later than {release.partition}"
    return None


def go_live(store: Store, *, release: Ref, feeds: Ref) -> bool:
    """Makes a release and its feeds live unless there is an obstacle; returns whether it did.

    Raises:
      TryAgainError: If somebody else moved the pointer in the meantime.
    """
    target = pointer(store)
    # Read before the obstacle is looked for: what moves in between makes the move fail, not wrong.
    newest = target.read()
    if obstacle(store, release=release, feeds=feeds) is not None:
        return False
    day = release.partition
    value = {"release": asdict(release), "feeds": asdict(feeds), "day": day}
    target.move(value, newest=newest, reason=f"feeds of {day} published")
    return True


def rollback(
    store: Store,
    to: str,
    reason: str,
    actor: str | None = None,
    *,
    serve: Serve | None = None,
) -> Entry:
    """Makes an earlier release and its feeds live again and withdraws everything newer.

    Args:
      store: The store.
      to: Day or digest (or its beginning) of a release that was live before.
      reason: Why; kept in the log of the pointer.
      actor: Who; by default the user and host of this process.
      serve: Writes the feeds to the sinks. Called before the pointer moves, as in publication.

    Returns:
      The new entry of the pointer. Where the release is live already and a sink did not serve it,
      an earlier rollback is completed, and the entry is the newest one as it was.

    Raises:
      BadConfigurationError: If `to` was never live, is live and served, or there is no reason.
      BadDataError: If the release or its feeds are damaged; nothing changes then.
      TryAgainError: If somebody else publishes or moved the pointer in the meantime.
    """
    if not reason.strip():
        raise BadConfigurationError("A rollback needs a reason.")
    with publishing(store) as lease:
        return _roll_back(store, to, reason, actor, serve, lease)


def _roll_back(
    store: Store, to: str, reason: str, actor: str | None, serve: Serve | None, lease: Lease
) -> Entry:
    target = pointer(store)
    log = target.log()
    place = _last_time_live(log, to)
    newest, goal = log[-1], _live(log[place])
    store.read(goal.release)  # verified before anything changes
    feeds = store.read(goal.feeds)
    if goal.release.digest == newest.value["release"]["digest"]:
        if serve is None or not serve(store.read(_live(newest).feeds), lease):
            raise BadConfigurationError(f"The release {to} is live already.")
        return newest
    newer = {entry.value["release"]["digest"] for entry in log[place + 1 :]}
    # And what was never live: a release of a later day must not become a champion either.
    later = itertools.takewhile(lambda ref: ref.partition > str(goal.day), store.versions(RELEASE))
    newer |= {ref.digest for ref in later}
    value = _value(goal, withdrawn=newer - {goal.release.digest})
    if serve is not None:
        serve(feeds, lease)
    return target.move(value, newest=newest, reason=f"rollback: {reason.strip()}", actor=actor)


def restore(
    store: Store,
    reason: str,
    actor: str | None = None,
    *,
    serve: Serve | None = None,
) -> Entry:
    """Undoes the rollback that was the newest move, and withdraws nothing.

    What was live before it is live again, and what it withdrew may be a champion again, except for
    what an earlier rollback had withdrawn already.

    Args:
      store: The store.
      reason: Why; kept in the log of the pointer.
      actor: Who; by default the user and host of this process.
      serve: As for `rollback`.

    Returns:
      The new entry of the pointer; where the newest one restored already and a sink did not serve
      it, that one, as for `rollback`.

    Raises:
      BadConfigurationError: If the newest move was no rollback, or there is no reason.
      BadDataError: If the release or its feeds are damaged; nothing changes then.
      TryAgainError: If somebody else publishes or moved the pointer in the meantime.
    """
    if not reason.strip():
        raise BadConfigurationError("A restoration needs a reason.")
    with publishing(store) as lease:
        return _restore(store, reason, actor, serve, lease)


def _restore(
    store: Store, reason: str, actor: str | None, serve: Serve | None, lease: Lease
) -> Entry:
    target = pointer(store)
    log = target.log()
    is_restored = bool(log) and "restored" in log[-1].value
    if is_restored and serve is not None and serve(store.read(_live(log[-1]).feeds), lease):
        return log[-1]
    if not log or "withdrawn" not in log[-1].value:
        last = f"that of {log[-1].moved_at}: {log[-1].reason}" if log else "none"
        raise BadConfigurationError(
            f"Only a rollback that was the newest move can be undone; the newest move is {last}."
        )
    undone, goal = log[-1], _live(log[-2])  # a rollback is never the first
    store.read(goal.release)  # verified before anything changes
    feeds = store.read(goal.feeds)
    before = _withdrawn(log[:-1])
    value = _value(goal, restored=set(undone.value["withdrawn"]) - before.keys())
    if serve is not None:
        serve(feeds, lease)
    return target.move(value, newest=undone, reason=f"restored: {reason.strip()}", actor=actor)


def list_releases(store: Store) -> list[dict[str, Any]]:
    """Returns one row per release, oldest day first, newest version of each day.

    Keys: day, digest, key, is_live, is_gone (whether its files are), withdrawn_by (None, or who and
    why), trained_through, and for `retrieval` and `ranker` the name of the model, whether it was
    promoted or kept, and the figure that was published with that (None in formats before 4). Of one
    that is gone, nobody knows its models: these are None.
    """
    rollbacks, current = withdrawn(store), live(store)
    rows = []
    for ref in store.newest_of(RELEASE):
        facts = store.manifest(ref)["facts"] if store.holds(ref) else None
        entry = rollbacks.get(ref.digest)
        rows.append(
            {
                "day": ref.partition,
                "digest": ref.digest,
                "key": ref.key,
                "is_live": current is not None and current.release.digest == ref.digest,
                "is_gone": facts is None,
                "withdrawn_by": None if entry is None else f"{entry.actor}: {entry.reason}",
                "trained_through": None if facts is None else facts["trained_through"],
                **{role: None if facts is None else _told(facts[role]) for role in ROLES},
            }
        )
    return rows


def _told(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a list of releases tells of the model of a role."""
    return {name: facts.get(name) for name in ("model", "verdict", "figure")}


def find(store: Store, day_or_digest: str) -> Ref:
    """Returns the release of a day, or the one whose digest begins so.

    Raises:
      BadConfigurationError: If there is none, or several begin so.
    """
    days = store.partitions(RELEASE)
    if day_or_digest in days:
        return _versions(store, day_or_digest)[-1]
    refs = {
        ref.digest: ref
        for day in days
        for ref in _versions(store, day)
        if _is_beginning(day_or_digest, ref.digest)
    }
    if len(refs) != 1:
        raise BadConfigurationError(
            f"Expected the day or the digest of one release, got {day_or_digest!r}, which names "
            f"{len(refs)}; there are releases of {', '.join(days) or 'no day'}."
        )
    return refs.popitem()[1]


def show(store: Store, day_or_digest: str) -> dict[str, Any]:
    """Returns one release as JSON-able values.

    Keys: release (its reference), facts, was_live (since, actor and reason of each time), and
    withdrawn_by (None, or who and why).

    Raises:
      BadConfigurationError: As `find`.
    """
    ref = find(store, day_or_digest)
    moves = [entry for entry in pointer(store).log() if entry.value["release"] == asdict(ref)]
    entry = withdrawn(store).get(ref.digest)
    return {
        "release": asdict(ref),
        "facts": dict(store.manifest(ref)["facts"]),
        "was_live": [
            {"since": move.moved_at, "actor": move.actor, "reason": move.reason} for move in moves
        ],
        "withdrawn_by": None if entry is None else f"{entry.actor}: {entry.reason}",
    }


def verify(store: Store, ref: Ref) -> dict[str, Any]:
    """Reads every byte of a release, and of the feeds that were live with it, against its digests.

    Returns:
      Keys: release, feeds (None if it was never live), files, bytes.

    Raises:
      BadDataError: Naming the file that is missing or damaged.
    """
    refs = [ref]
    moves = [entry for entry in pointer(store).log() if entry.value["release"] == asdict(ref)]
    if moves:
        refs.append(_live(moves[-1]).feeds)
    files = [file for each in refs for file in store.read(each).manifest["files"].values()]
    return {
        "release": str(ref),
        "feeds": str(refs[1]) if moves else None,
        "files": len(files),
        "bytes": sum(file["bytes"] for file in files),
    }


def _live(entry: Entry) -> Live:
    """Returns an entry of the pointer as what it makes live."""
    return Live(
        release=Ref(**entry.value["release"]),
        feeds=Ref(**entry.value["feeds"]),
        day=datetime.date.fromisoformat(entry.value["day"]),
        entry=entry,
    )


def _value(goal: Live, **changed: Iterable[str]) -> dict[str, Any]:
    """Returns what the pointer says that goes back: what is live, and digests that changed."""
    return {
        "release": asdict(goal.release),
        "feeds": asdict(goal.feeds),
        "day": goal.day.isoformat(),
        **{name: sorted(digests) for name, digests in changed.items()},
    }


def _last_time_live(log: list[Entry], to: str) -> int:
    """The place in the log of the newest entry that made the release `to` live."""
    for place in reversed(range(len(log))):
        release = log[place].value["release"]
        if to == release["partition"] or _is_beginning(to, release["digest"]):
            return place
    days = sorted({entry.value["day"] for entry in log})
    raise BadConfigurationError(
        f"The release {to!r} was never live; live were those of {', '.join(days) or 'no day'}."
    )


def _is_beginning(text: str, digest: str) -> bool:
    """Whether a person can mean a digest by `text`."""
    return len(text) >= _MIN_DIGITS and digest.startswith(text)


def _versions(store: Store, partition: str) -> list[Ref]:
    """Every version of the release of a day that still exists, oldest first."""
    values = [entry.value for entry in store.pointer(f"heads/{RELEASE}/{partition}").log()]
    refs = [Ref(RELEASE, partition, value["key"], value["digest"]) for value in values]
    return [ref for ref in refs if store.storage.exists(ref.path)]
