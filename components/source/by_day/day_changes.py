"""Days of which the source holds other rows by now than were ingested of them.

Rows may come late in the folder or the file of their own day, where no later day would meet them.
What the source of a day was is in the facts of its artifact, and is compared with what it is.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from components import contract
from components.errors import StepError
from components.settings.config import Config
from components.source import raw_files
from components.source.source import Source
from components.store.artifacts import Store


def changed_days(
    store: Store, config: Config, source: Source, *, before: datetime.date
) -> list[str]:
    """Returns the days that are to be ingested again, within `late_days` of a day, oldest first.

    Args:
      store: Holds what was ingested.
      config: How late rows may come.
      source: Is asked what it holds now.
      before: The day after the last one that is compared.
    """
    reach, days = config.validate_events.late_days, []
    for back in range(reach, 0, -1):
        day = before - datetime.timedelta(days=back)
        ref = store.head(contract.INGEST_EVENTS.name, str(day))
        entry = store.pointer(f"heads/{contract.INGEST_EVENTS.name}/{day}").read()
        if day < config.first_day or ref is None or entry is None:
            continue
        recorded = store.manifest(ref)["facts"]["source"].get("events")
        if recorded is None:  # an earlier version wrote it, and did not say
            continue
        since = datetime.datetime.fromisoformat(entry.moved_at)
        try:
            is_changed = _has_changed(source, day, recorded, since)
        except StepError:  # damaged, or being written: the day's own run says so by name
            is_changed = True
        days += [str(day)] if is_changed else []
    return days


def _has_changed(
    source: Source,
    day: datetime.date,
    recorded: Sequence[Mapping[str, Any]],
    since: datetime.datetime,
) -> bool:
    """Whether the files or rows of a day are others than they were.

    Files that are all gone are no change: a source may forget old days.

    Args:
      source: The files as they are now.
      day: A UTC day.
      recorded: What `Source.event_inputs` said of it.
      since: When that was: a file that was not written after it is compared by name and size.

    Raises:
      BadDataError: If a file cannot be read.
    """
    layout = source.layout
    if not layout.is_by_utc_day:
        written_at = max(file.stat().st_mtime for file in layout.event_files)
        if written_at <= since.timestamp():
            return False
        rows = source.event_inputs(day)
        return bool(rows) and rows != list(recorded)
    sizes = {each["name"]: each["bytes"] for each in recorded if "bytes" in each}
    digests = {each["name"]: each["sha256"] for each in recorded}
    by_name = {layout.event_name(file): file for file in layout.files_by_day.get(day, ())}
    if not by_name:
        return False
    if {name: file.stat().st_size for name, file in by_name.items()} != sizes:
        return True
    return any(
        raw_files.fingerprint(file)["sha256"] != digests[name]
        for name, file in by_name.items()
        if file.stat().st_mtime > since.timestamp()
    )
