"""The past days on which settings are judged."""

import datetime

from components import contract
from components.errors import BadDataError
from components.features.partitions import days_before
from components.settings.config import Config
from components.store.artifacts import Store
from components.training import trainer_settings


def judged_days(
    config: Config,
    store: Store,
    role: str,
    *,
    within: tuple[datetime.date, datetime.date] | None = None,
) -> list[datetime.date]:
    """Returns the days that have rows, and before them all days that a training reads.

    Args:
      config: The deployment, with numbers in place of `auto`.
      store: Its store.
      role: retrieval or ranker.
      within: The first and the last day that may be one; None takes all there are.

    Raises:
      BadDataError: If there is none.
    """
    window_days = trainer_settings.number(trainer_settings.section_of(config, role).window_days)
    kind = contract.BUILD_FEATURES.name
    there = {contract.parse_day(partition) for partition in store.partitions(kind)}
    first, last = within or (config.first_day, datetime.date.max)
    days = [
        day
        for day in sorted(there)
        if first <= day <= last
        and (before := days_before(config, day, window_days))
        and there.issuperset(before)
        and _has_rows(store, day)
    ]
    if not days:
        bound = "" if within is None else f" from {first} to {last}"
        raise BadDataError(
            f"There is no day{bound} to judge settings on: it needs rows, features, and features "
            f"of up to {window_days} days before it without a gap; the store has features of "
            f"{len(there)} days. Make them by `phoenix data --days DAY..DAY`."
        )
    return days


def _has_rows(store: Store, day: datetime.date) -> bool:
    ref = store.head(contract.BUILD_FEATURES.name, str(day))
    return ref is not None and bool(store.manifest(ref)["facts"]["impressions"])
