"""The removal of old versions of artifacts that hold forgotten users.

A version is removed under the lease of its partition, so that no step makes it current meanwhile,
and its manifest goes first: a folder without one does not exist, and whoever was stopped in the
middle finds the rest again.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from components.erasure.search import Trace
from components.errors import TryAgainError
from components.release import releases
from components.store import artifacts, leases
from components.store.artifacts import Store
from components.store.pointers import Entry
from components.store.storage import MANIFEST

# A step knows which version it reads before it takes the lease of what it writes: it verifies all
# of its inputs in between.
_READING = datetime.timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class OldVersion:
    """A version of an artifact that is not current and holds forgotten users."""

    kind: str
    partition: str
    key: str
    folder: str  # below the root of the store
    rows: int  # that name a forgotten user
    unreadable_files: int  # which may hold anybody
    is_live: bool = False
    reader: str | None = None  # the running step that may read or make it
    loss: str | None = None  # what will be possible no longer
    is_removed: bool = False

    @property
    def obstacle(self) -> str | None:
        """Why it must stay, and what to do first; None if it may go."""
        if self.is_live:
            return (
                f"It is live: publish other feeds first (`phoenix step materialize_feeds --day "
                f"{self.partition}`, then publish_feeds, or those of a later day), or roll back."
            )
        if self.reader is not None:
            return f"It may be in use: {self.reader}. Ask again when that has ended."
        return None


def old_versions(store: Store, traces: Sequence[Trace]) -> list[OldVersion]:
    """Returns the versions in which users were found and that are not current.

    Args:
      store: Of the deployment.
      traces: See `search.traces`.
    """
    by_folder: dict[str, list[Trace]] = {}
    for trace in traces:
        if not trace.is_current:
            by_folder.setdefault(trace.folder, []).append(trace)
    holdings = leases.holders(store.storage)
    log = releases.pointer(store).log()
    return [
        _examine(
            store,
            OldVersion(
                kind=first.kind,
                partition=first.partition,
                key=first.key,
                folder=first.folder,
                rows=sum(trace.rows for trace in (first, *others)),
                unreadable_files=sum(not trace.is_readable for trace in (first, *others)),
            ),
            holdings,
            log,
        )
        for first, *others in by_folder.values()
    ]


def remove(store: Store, versions: Sequence[OldVersion]) -> Iterator[OldVersion]:
    """Removes versions to which there is no obstacle; yields each version as it is then.

    Another process may remove the same ones: what is gone already counts as removed.

    Args:
      store: Of the deployment.
      versions: See `old_versions`; what has become current since stays.
    """
    for version in versions:
        if version.obstacle is not None:
            yield version
            continue
        try:
            with leases.hold(store.storage, f"{version.kind}/{version.partition}"):
                yield _remove(store, version)
        except TryAgainError as error:
            yield replace(version, reader=str(error).removesuffix("."))


def _remove(store: Store, version: OldVersion) -> OldVersion:
    """Removes a version of a partition whose lease is held."""
    own = f"{version.kind}/{version.partition}"
    others = [each for each in leases.holders(store.storage) if each.name != own]
    # What was true when the list was made may be so no longer.
    version = _examine(store, version, others, releases.pointer(store).log())
    head = store.head(version.kind, version.partition)
    if head is not None and head.path == version.folder:
        return replace(version, reader=f"{head} has become the current one")
    if version.obstacle is None:
        store.storage.remove(f"{version.folder}/{MANIFEST}")
        store.storage.remove(version.folder)
        return replace(version, is_removed=True)
    return version


def _examine(
    store: Store, version: OldVersion, holdings: Sequence[leases.Holding], log: Sequence[Entry]
) -> OldVersion:
    """Finds out who needs a version."""
    if version.folder.startswith(f"{artifacts.DAMAGED}/"):
        return version  # which nobody reads
    readers = [
        f"{holding.name} is being written by process {holding.entry.value['pid']} on "
        f"{holding.entry.value['machine']} since {holding.entry.moved_at}"
        for holding in holdings
        if holding.is_alive and _may_need(store, version, holding)
    ]
    entries = [entry for entry in log if _names(entry, version)]
    is_live = bool(entries) and entries[-1] is log[-1]
    day = entries[-1].value["day"] if entries else None
    return replace(
        version,
        reader=readers[0] if readers else None,
        is_live=is_live,
        loss=f"a rollback to the release of {day}" if entries and not is_live else None,
    )


def _may_need(store: Store, version: OldVersion, holding: leases.Holding) -> bool:
    """Whether who writes a partition may read a version, or make it current again."""
    if holding.name == f"{version.kind}/{version.partition}":
        return True
    log = store.pointer(f"heads/{version.kind}/{version.partition}").log()
    places = [place for place, entry in enumerate(log) if entry.value["key"] == version.key]
    if not places:
        return False  # its maker died, so that no step could ever read it
    next_entries = log[places[-1] + 1 :]
    if not next_entries:
        return False  # it is gone but for its files
    replaced_at = datetime.datetime.fromisoformat(next_entries[0].moved_at)
    return datetime.datetime.fromisoformat(holding.entry.moved_at) < replaced_at + _READING


def _names(entry: Entry, version: OldVersion) -> bool:
    """Whether an entry of the pointer makes a version live."""
    return any(
        (each["kind"], each["partition"], each["key"])
        == (version.kind, version.partition, version.key)
        for each in (entry.value["release"], entry.value["feeds"])
    )
