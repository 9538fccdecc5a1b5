"""Impressions cut into windows, block by block of users.

`day_blocks` makes the windows of a day, and `requests.RequestLog` those of users who ask for a
feed. Both read the same log, and `phoenix.data.window_log` finds every history in it, so that the
model is served with the same features that it learned from.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from components.features import event_log
from components.features.event_log import NO_EVENTS, NO_LABELS, Arrays, UserStream
from components.features.impression_facts import ImpressionFacts
from components.features.log_actions import LogActions
from components.features.state import State
from components.features.windows_files import Block
from components.settings.steps import FeaturesConfig
from components.tables import bucket_files
from components.tables.bucket_files import BucketFiles
from phoenix.data import states
from phoenix.data.histories import Log, is_later_state, window_numbers
from phoenix.data.states import LabelRows
from phoenix.data.window_log import WindowRefs
from schemas.events import EVENTS, LABELS


class DayFiles(NamedTuple):
    """What was validated of a day."""

    events: Sequence[Path]  # the files of the accepted events of the day, and of no other
    # The files of what became known on the day of impressions, its own and those in the state.
    labels: Sequence[Path] = ()
    actions: LogActions | None = None  # of both; None: their bits are as configured


def day_blocks(
    state: State, day: DayFiles, config: FeaturesConfig, facts: ImpressionFacts
) -> Iterator[Block]:
    """Cuts a day into windows, block by block in order of users.

    Args:
      state: The impressions of earlier days with which the day begins.
      day: What was validated of the day.
      config: Fixed shapes and reach of a window.
      facts: The knowledge of users and posts on the day.

    Yields:
      At least one block; together they hold every user of the state and of the day.
    """
    events = [BucketFiles.of_contract(day.events, EVENTS)]
    labels = [BucketFiles.of_contract(day.labels, LABELS)] if day.labels else []
    tables = [*events, *labels]
    sizes = sum((table.slot_sizes() for table in tables), state.slot_sizes())
    # Some slots at a time, so that memory follows them: many of a small day, one of a large one.
    for slots in bucket_files.runs(sizes, event_log.BLOCK_ROWS):
        sides = (
            (state.log(slots), event_log.no_log(facts.width)),
            (state.remaining(event_log.in_order(events, slots)), NO_EVENTS),
            (state.remaining(event_log.labels_in_order(labels, slots)), NO_LABELS),
        )
        streams = [UserStream([rows] if len(rows[0]) else (), empty=empty) for rows, empty in sides]
        # Several slots are one block: users come in their own order, and would leave slots open.
        block_rows = event_log.BLOCK_ROWS if len(slots) == 1 else sys.maxsize
        for block in event_log.side_by_side(*streams, block_rows=block_rows):
            yield _block_of(_Sides(*block), state, day, config, facts)


class _Sides(NamedTuple):
    """The rows of some users: of earlier days, of the day, and what the day came to know."""

    state: Arrays  # of a `Log`
    events: Arrays  # with the ids of the events last: a log has no place for them
    labels: Arrays  # of `LabelRows`


def _block_of(
    sides: _Sides, state: State, day: DayFiles, config: FeaturesConfig, facts: ImpressionFacts
) -> Block:
    *columns, event_ids = sides.events
    day_log, labels = facts.complete_log(columns), LabelRows(*sides.labels)
    if day.actions is not None:
        day_log = day.actions.log(day_log)
        labels = labels._replace(actions=day.actions.of_day(labels.actions, state.day))
    block = _cut_block(Log(*sides.state), day_log, labels, event_ids, config)
    user_values = facts.of_users(block.refs.user_ids, block.refs.known_until, state.day)
    return block._replace(refs=block.refs._replace(attributes=user_values))


def _cut_block(
    earlier_log: Log,
    day_log: Log,
    labels: LabelRows,
    event_ids: np.ndarray,
    config: FeaturesConfig,
) -> Block:
    num_earlier = len(earlier_log.user_ids)
    # Stable: earlier impressions stay before those of the day, and both are in order of time.
    order = np.argsort(np.concatenate((earlier_log.user_ids, day_log.user_ids)), kind="stable")
    log = Log(*(np.concatenate(pair)[order] for pair in zip(earlier_log, day_log, strict=True)))
    log, heads = states.with_labels(log, labels)
    order = order[heads]
    # Of an impression the first state stands for all: which of them is its label, a reader says.
    is_candidate = (order >= num_earlier) & ~is_later_state(log)
    if config.attribution_minutes is not None:
        # An impression that arrives later stays in the histories, but too late to learn from.
        is_candidate &= log.ingested_at - log.shown_at <= config.attribution_minutes * 60_000
    rows = np.flatnonzero(is_candidate)
    numbers = window_numbers(
        log.user_ids[rows],
        log.shown_at[rows],
        num_candidates=config.num_candidates,
        window_ms=config.window_minutes * 60_000,
    )
    window_of_row = np.full(len(order), -1, np.int32)
    window_of_row[rows] = numbers
    # Numbers ascend along the log, so a window begins where its number is new.
    firsts = rows[np.flatnonzero(np.diff(numbers, prepend=-1))]
    starts_at = log.shown_at[firsts]
    known_until = starts_at - config.gap_minutes * 60_000
    no_attributes = np.empty((len(firsts), 0), np.float32)
    refs = WindowRefs(log.user_ids[firsts], starts_at, known_until, no_attributes)
    return Block(event_ids[order[firsts] - num_earlier], refs, log, window_of_row)
