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
from components.tables import attribute_columns, bucket_files
from components.tables.bucket_files import BucketFiles
from phoenix.data import attributes
from phoenix.data.days import DAY_MS
from phoenix.data.histories import Log
from phoenix.data.window_log import WindowLog, WindowRefs
from phoenix.data.windows import Windows
from schemas.features import IMPRESSIONS

_MILLISECOND = datetime.timedelta(milliseconds=1)


class RequestLog:
    """The log from which users who ask for a feed at one moment have their histories."""

    def __init__(
        self,
        impressions: Sequence[Path],
        config: Config,
        *,
        at: datetime.datetime,
        actions: LogActions | None = None,
    ) -> None:
        """Opens the log; the rows of users are read when they ask.

        Args:
          impressions: The files of the features of the day before `at`, in their folder.
          config: Fixed shapes and hashing.
          at: With a time zone. The history is what was shown before and had arrived by then.
          actions: Of the features; None: their bits are as configured, and all actions are known.

        Raises:
          BadDataError: If a file has other columns than the contract.
        """
        self._config, self._actions = config, actions
        self._moment = (at - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // _MILLISECOND
        self._table = BucketFiles.of_contract(impressions, IMPRESSIONS)
        declared = config.attributes.attributes
        self._user_values = KnownValues.read(impressions[0].parent, "user", declared)

    def windows(self, user_ids: np.ndarray) -> Windows:
        """Makes the windows of some users, for whom the slots between them are read.

        Args:
          user_ids: `[N]` int64; a user without history gets an empty one.

        Returns:
          N windows in the order of `user_ids`, with one padded candidate each; see
          `with_candidates`.
        """
        user_ids = np.asarray(user_ids, np.int64)
        moments = np.full(len(user_ids), self._moment, np.int64)
        no_candidates = np.full((len(user_ids), 1), -1)  # no row of the log: padding
        log = WindowLog(
            self._log(np.unique(user_ids)),
            WindowRefs(user_ids, moments, moments, self._user_values.as_of(user_ids, moments)),
            candidates=no_candidates,
            spec=hash_spec(self._config.hashing),
            history_length=self._config.build_features.history_length,
        )
        windows = log.take(np.arange(len(user_ids)))
        if self._actions is None or self._actions.unknown.is_empty:
            return windows
        return windows.with_unknown(self._actions.unknown)

    def _log(self, distinct_users: np.ndarray) -> Log:
        """Returns what may enter a history of some users, sorted by user."""
        oldest = self._moment - self._config.build_features.history_days * DAY_MS
        width = attributes.width(self._config.attributes.post_attributes)
        parts = [event_log.no_log(width)]
        # Some slots at a time: of their users a shard, or a person, asks for a few.
        for log in windows_files.read_logs(self._table, bucket_files.span(distinct_users)):
            is_in_reach = np.isin(log.user_ids, distinct_users) & (log.shown_at >= oldest)
            rows = log.rows(np.flatnonzero(is_in_reach))
            parts.append(rows if self._actions is None else self._actions.log(rows))
        return event_log.sorted_by_user(
            Log(*(np.concatenate(each) for each in zip(*parts, strict=True)))
        )


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
