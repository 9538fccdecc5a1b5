"""The rollback that a measure makes by itself, where the configuration says so."""

import datetime
import logging

from components import contract
from components.earnings import history
from components.release import releases
from components.run.context import Context
from components.serving.sinks.all_sinks import PartialWriter
from components.store.pointers import Entry

logger = logging.getLogger(__name__)

ACTOR = contract.MEASURE_FEEDS.name


def if_configured(context: Context) -> Entry | None:
    """Goes back from a live release that surely earns less than the one before it.

    Only where `measure_feeds.roll_back` says so, only on the newest day, at most once for it, and
    never to or past a release that was itself rolled back.

    Returns:
      The move of the pointer, or None.

    Raises:
      BadDataError: If the release to go back to is damaged.
      TryAgainError: If somebody else moved the pointer in the meantime, or all sinks are away.
    """
    if not context.config.measure_feeds.roll_back:
        return None
    day, partitions = str(context.day), context.store.partitions(contract.VALIDATE_EVENTS.name)
    loss = history.loss(context.store)
    measured_day = str(context.day - datetime.timedelta(days=1))
    if loss is None or loss.measured_day != measured_day or max(partitions) > day:
        return None
    reason = f"{loss.told} Measured by {ACTOR} of {day}."
    log = releases.pointer(context.store).log()
    was_done = any(entry.actor == ACTOR and f" of {day}." in entry.reason for entry in log)
    if was_done or loss.obstacle is not None:
        logger.warning("%s It stays: %s.", loss.told, loss.obstacle or "once a day is enough")
        return None
    return releases.rollback(
        context.store, loss.before.digest, reason, ACTOR, serve=PartialWriter(context.config)
    )
