"""The one place where impressions become what a model reads, in training and for feeds alike.

`day_blocks` cuts a day into windows; `request_windows` makes the windows of users who ask for a
feed. Both keep and read the same log, and `phoenix.data.window_log` finds every history in it, so
that what is learned is what is served.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from components.features import event_log
from components.features.event_log import NO_EVENTS, UserStream
from components.features.impression_facts import ImpressionFacts
from components.features.state import State
from components.features.windows_files import Block
from components.settings.steps import FeaturesConfig
from phoenix.data.histories import Log, window_numbers
from phoenix.data.window_log import WindowRefs


def day_blocks(
    state: State, events: Sequence[Path], config: FeaturesConfig, known: ImpressionFacts
) -> Iterator[Block]:
    """Cuts a day into windows, block by block in order of users.

    Args:
      state: What the day begins with.
      events: Parquet files of the accepted events of the day, and of no other.
      config: Fixed shapes and reach of a window.
      known: Of users and posts, on the day.

    Yields:
      At least one block; together they hold every user of the state and of the day.
    """
    earlier = UserStream(state.logs(), empty=event_log.no_log(known.width))
    ordered = map(state.remaining, event_log.in_order(events, state.engine))
    today = UserStream(ordered, empty=NO_EVENTS)
    blocks = event_log.side_by_side(earlier, today, block_rows=event_log.BLOCK_ROWS)
    for past, (*shown, event_ids) in blocks:
        block = _block(Log(*past), known.completed(shown), event_ids, config)
        of_users = known.of_users(block.refs.user_ids, block.refs.known_until, state.day)
        yield block._replace(refs=block.refs._replace(attributes=of_users))


def _block(past: Log, today: Log, event_ids: np.ndarray, config: FeaturesConfig) -> Block:
    num_past = len(past.user_ids)
    # Stable: what is past stays before the day, and both are in order of time.
    order = np.argsort(np.concatenate((past.user_ids, today.user_ids)), kind="stable")
    log = Log(*(np.concatenate(pair)[order] for pair in zip(past, today, strict=True)))
    is_candidate = order >= num_past
    if config.attribution_minutes is not None:
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
    firsts = rows[np.flatnonzero(np.diff(numbers, prepend=-1))]
    starts_at = log.shown_at[firsts]
    known_until = starts_at - config.gap_minutes * 60_000
    nothing = np.empty((len(firsts), 0), np.float32)
    refs = WindowRefs(log.user_ids[firsts], starts_at, known_until, nothing)
    return Block(event_ids[order[firsts] - num_past], refs, log, window_of_row)
