"""Windows of users who ask for a feed, from the log that training reads."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from components.features import event_log, windows_files
from components.features.known_values import KnownValues
from components.features.log_actions import LogActions
from components.features.shapes import hash_spec
from components.settings.config import Config
from components.tables import attribute_columns
from phoenix.data import attributes
from phoenix.data.days import DAY_MS
from phoenix.data.histories import Log
from phoenix.data.window_log import WindowLog, WindowRefs
from phoenix.data.windows import Windows

_MILLISECOND = datetime.timedelta(milliseconds=1)


def request_windows(
    impressions: Sequence[Path],
    config: Config,
    *,
    user_ids: np.ndarray,
    at: datetime.datetime,
    actions: LogActions | None = None,
) -> Windows:
    """Makes the windows of users who ask for a feed at one moment.

    Args:
      impressions: The files of the features of the day before `at`, in their folder.
      config: Fixed shapes and hashing.
      user_ids: `[N]` int64; a user without history gets an empty one.
      at: With a time zone. The history is what was shown before and had arrived by then.
      actions: Of the features; None: their bits are as configured, and all actions are known.

    Returns:
      N windows in the order of `user_ids`, with one padded candidate each; see `with_candidates`.
    """
    user_ids = np.asarray(user_ids, np.int64)
    moment = (at - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // _MILLISECOND
    oldest = moment - config.build_features.history_days * DAY_MS
    distinct_users = np.unique(user_ids)
    attribute_config = config.attributes
    parts = [event_log.no_log(attributes.width(attribute_config.post_attributes))]
    # Group by group: of millions of users a shard asks for a few.
    for log in windows_files.read_logs(impressions):
        is_in_reach = np.isin(log.user_ids, distinct_users) & (log.shown_at >= oldest)
        rows = log.rows(np.flatnonzero(is_in_reach))
        parts.append(rows if actions is None else actions.log(rows))
    moments = np.full(len(user_ids), moment, np.int64)
    user_values = KnownValues.read(impressions[0].parent, "user", attribute_config.attributes)
    requests = WindowLog(
        event_log.sorted_by_user(Log(*(np.concatenate(each) for each in zip(*parts, strict=True)))),
        WindowRefs(user_ids, moments, moments, user_values.as_of(user_ids, moments)),
        candidates=np.full((len(user_ids), 1), -1),  # no row of the log: padding
        spec=hash_spec(config.hashing),
        history_length=config.build_features.history_length,
    )
    windows = requests.take(np.arange(len(user_ids)))
    has_unknown = actions is not None and not actions.unknown.is_empty
    return windows.with_unknown(actions.unknown) if actions and has_unknown else windows


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
    context_values = attribute_columns.of_context(
        config.attributes.of_side("context"), shown_at, surfaces
    )
    return windows._replace(
        candidate_post_ids=post_ids,
        candidate_author_ids=author_ids,
        candidate_post_hashes=spec.post.hash_ids(post_ids),
        candidate_author_hashes=spec.author.hash_ids(author_ids),
        candidate_shown_at=shown_at,
        candidate_surfaces=surfaces,
        candidate_attributes=np.concatenate([of_posts, context_values], axis=-1),
        candidate_created_at=np.where(is_real, created_at, 0),
        labels=np.zeros(post_ids.shape, np.uint64),
        label_dwell_seconds=np.zeros(post_ids.shape, np.float32),
        # Of other candidates; who asks a model that reads them adds theirs.
        candidate_log_odds=None,
        candidate_log_counts=None,
    )
