"""The rows of a day in their places by the configuration as it is now, some users at a time.

So the quarantine can be looked at of a day that was refused, and a fix can be tried.
"""

import datetime
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

from components import contract
from components.rows import account, late_rows, settlement, source_ids
from components.rows.day_parts.day_arrivals import DayArrivals
from components.rows.settlement import Settlement
from components.rows.source_ids import EarlierIds
from components.run.context import Context
from components.settings.config import Config
from components.store.artifacts import Store
from components.tables import bucket_files

logger = logging.getLogger(__name__)
PART_ROWS = 1 << 18  # settled at a time; some 300 MB


def settled_parts(store: Store, config: Config, day: datetime.date) -> Iterator[Settlement]:
    """Puts the rows of a day in their places; writes nothing.

    Yields:
      At least one settlement, of some users each; the first has all rows that could not be read.

    Raises:
      BadDataError: If the day was not ingested or its artifact is damaged.
    """
    context = Context(contract.VALIDATE_EVENTS, config, day, store)
    ingested = context.read(contract.INGEST_EVENTS.name, day)
    account.check_ingested(ingested)
    arrivals = DayArrivals(context, ingested, late_rows.holders(store, config, day))
    ids_of_days = source_ids.of_refs(context, source_ids.earlier_refs(context, ingested))
    with tempfile.TemporaryDirectory() as work:
        earlier_ids = EarlierIds(Path(work) / "earlier", ids_of_days)
        for slots in bucket_files.runs(arrivals.slot_sizes(), PART_ROWS):
            yield settlement.settle(arrivals.of_slots(slots), config, day, earlier_ids)
    # A day is refused for them; whoever looks for the right places needs the rows nevertheless.
    if told := arrivals.unknown_corrections():
        logger.warning("%s", told)
