"""Days of which the source holds other rows by now than were ingested of them.

Rows may come late in the folder or the file of their own day, where no later day would meet them.
What the source of a day was is in the facts of its artifact, and is compared with what it is.
"""

import datetime

from components import contract
from components.errors import StepError
from components.settings.config import Config
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
            is_changed = source.has_changed(day, recorded, since=since)
        except StepError:  # damaged, or being written: the day's own run says so by name
            is_changed = True
        days += [str(day)] if is_changed else []
    return days
