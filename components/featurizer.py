"""The one place where impressions become what a model reads, in training and for feeds alike.

`day_blocks` cuts a day into windows; `request_windows` makes the windows of users who ask for a
feed. Both keep and read the same log, and `phoenix.window_log` finds every history in it, so that
what is learned is what is served.
"""

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from components import attribute_columns, event_log, windows_files
from components.attribute_config import AttributesConfig
from components.config import Config, FeaturesConfig, HashingConfig
from components.event_log import NO_EVENTS, UserStream
from components.feature_state import State
from components.impression_facts import ImpressionFacts
from components.known_values import KnownValues
from components.windows_files import Block
from phoenix import attributes
from phoenix.days import DAY_MS
from phoenix.hashing import HashSpec
from phoenix.histories import Log, window_numbers
from phoenix.window_log import WindowLog, WindowRefs
from phoenix.windows import Windows

_MILLISECOND = datetime.timedelta(milliseconds=1)


def hash_spec(config: HashingConfig) -> HashSpec:
    """Returns the hash functions of a deployment."""

    def documented(num_hashes: int) -> HashSpec:
        return HashSpec.documented(
            user_rows=config.user_rows,
            post_rows=config.post_rows,
            author_rows=config.author_rows,
            num_hashes=num_hashes,
        )

    return HashSpec(
        user=documented(config.num_user_hashes).user,
        post=documented(config.num_post_hashes).post,
        author=documented(config.num_author_hashes).author,
    )


def shape_metadata(
    config: FeaturesConfig, chosen: AttributesConfig | None = None
) -> dict[str, str]:
    """Returns the fixed shapes of windows, as their files carry them.

    Args:
      config: Of the windows.
      chosen: The attributes in them; none by default.
    """
    chosen = chosen or AttributesConfig()
    return {
        "history_length": str(config.history_length),
        "num_candidates": str(config.num_candidates),
        "user_width": str(attributes.width(chosen.user_attributes)),
        "post_width": str(attributes.width(chosen.post_attributes)),
        "attributes": attributes.digest(chosen.attributes),
    }


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


def request_windows(
    impressions: Path, config: Config, *, user_ids: np.ndarray, at: datetime.datetime
) -> Windows:
    """Makes the windows of users who ask for a feed at one moment.

    Args:
      impressions: Of the features of the day before `at`, in their folder.
      config: Fixed shapes and hashing.
      user_ids: `[N]` int64; a user without history gets an empty one.
      at: With a time zone. History is what was shown before and had arrived by then.

    Returns:
      N windows in the order of `user_ids`, with one padded candidate each; see `with_candidates`.
    """
    user_ids = np.asarray(user_ids, np.int64)
    moment = (at - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // _MILLISECOND
    oldest = moment - config.build_features.history_days * DAY_MS
    asked = np.unique(user_ids)
    chosen = config.attributes
    parts = [event_log.no_log(attributes.width(chosen.post_attributes))]
    for log in windows_files.read_logs(impressions):
        is_wanted = np.isin(log.user_ids, asked) & (log.shown_at >= oldest)
        parts.append(log.rows(np.flatnonzero(is_wanted)))
    moments = np.full(len(user_ids), moment, np.int64)
    of_users = KnownValues.read(impressions.parent, "user", chosen.attributes)
    requests = WindowLog(
        Log(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True))),
        WindowRefs(user_ids, moments, moments, of_users.as_of(user_ids, moments)),
        candidates=np.full((len(user_ids), 1), -1),
        spec=hash_spec(config.hashing),
        history_length=config.build_features.history_length,
    )
    return requests.take(np.arange(len(user_ids)))


def with_candidates(
    windows: Windows,
    config: Config,
    *,
    post_ids: np.ndarray,
    author_ids: np.ndarray,
    created_at: np.ndarray,
    of_posts: np.ndarray,
) -> Windows:
    """Returns the windows with other candidates: posts that might be shown at `starts_at`.

    Args:
      windows: N windows.
      config: Hashing, and the surface for which feeds are made.
      post_ids: `[N, C]` int64, 0 is padding; any C.
      author_ids: `[N, C]` int64.
      created_at: `[N, C]` int64 ms, 0 = unknown.
      of_posts: `[N, C, W]` float32: the attributes of the posts, without those of the context.
    """
    spec = hash_spec(config.hashing)
    is_real = post_ids != 0
    shown_at = np.where(is_real, windows.starts_at[:, None], 0)
    surfaces = np.where(is_real, config.materialize_feeds.surface, 0).astype(np.int32)
    of_context = attribute_columns.of_context(
        config.attributes.of_side("context"), shown_at, surfaces
    )
    return windows._replace(
        candidate_post_ids=post_ids,
        candidate_author_ids=author_ids,
        candidate_post_hashes=spec.post.hash_ids(post_ids),
        candidate_author_hashes=spec.author.hash_ids(author_ids),
        candidate_shown_at=shown_at,
        candidate_surfaces=surfaces,
        candidate_attributes=np.concatenate([of_posts, of_context], axis=-1),
        candidate_created_at=np.where(is_real, created_at, 0),
        labels=np.zeros(post_ids.shape, np.uint64),
        label_dwell_seconds=np.zeros(post_ids.shape, np.float32),
    )
