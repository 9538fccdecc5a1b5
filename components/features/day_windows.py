"""Impressions cut into windows, block by block of users.

`day_blocks` makes the windows of a day, and `requests.request_windows` those of users who ask for a
feed. Both read the same log, and `phoenix.data.window_log` finds every history in it, so that the
model is served with the same features that it learned from.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from components.features import event_log
from components.features.event_log import NO_EVENTS, NO_LABELS, UserStream
from components.features.impression_facts import ImpressionFacts
from components.features.log_actions import LogActions
from components.features.state import State
from components.features.windows_files import Block
from components.settings.steps import FeaturesConfig
from phoenix.data import states
from phoenix.data.histories import Log, is_later_state, window_numbers
from phoenix.data.states import LabelRows
from phoenix.data.window_log import WindowRefs


class DayFiles(NamedTuple):
    """What was validated of a day."""

    events: Sequence[Path]  # Parquet files of the accepted events of the day, and of no other
    # Parquet files of what became known on the day of impressions, its own and those in the state.
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
    state_stream = UserStream(state.logs(), empty=event_log.no_log(facts.width))
    event_parts = map(state.remaining, event_log.in_order(day.events, state.engine))
    event_stream = UserStream(event_parts, empty=NO_EVENTS)
    label_parts = map(state.remaining, event_log.labels_in_order(day.labels, state.engine))
    blocks = event_log.side_by_side(
        state_stream,
        event_stream,
        UserStream(label_parts, empty=NO_LABELS),
        block_rows=event_log.BLOCK_ROWS,
    )
    for state_rows, event_rows, label_rows in blocks:
        *columns, event_ids = event_rows  # ids come last: a log has no place for them
        day_log, labels = facts.complete_log(columns), LabelRows(*label_rows)
        if day.actions is not None:
            day_log = day.actions.log(day_log)
            labels = labels._replace(actions=day.actions.of_day(labels.actions, state.day))
        block = _cut_block(Log(*state_rows), day_log, labels, event_ids, config)
        user_values = facts.of_users(block.refs.user_ids, block.refs.known_until, state.day)
        yield block._replace(refs=block.refs._replace(attributes=user_values))


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
