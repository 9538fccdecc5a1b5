"""The facts of users, posts and the context as known at the moment of an impression.

An impression takes the facts of its own day, whenever it is looked up: what a later day knows
better changes no history.
"""

import datetime
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from components.features.known_values import KnownValues
from components.features.post_facts import PostFacts
from components.settings.attributes import AttributesConfig
from components.tables import attribute_columns
from components.tables.data_files import POSTS_FILE
from phoenix.data import attributes
from phoenix.data.days import DAY_MS, day_number
from phoenix.data.histories import Log
from schemas.attributes import Side


class ImpressionFacts:
    """Facts that `validate_events` keeps of some days; those of a day are read at first use.

    All lookups raise `BadDataError` if a day does not hold the declared attributes, and `KeyError`
    for a day that is not among them.
    """

    def __init__(
        self,
        folders: Mapping[datetime.date, Path],
        attribute_config: AttributesConfig | None = None,
        *,
        gap_minutes: int = 0,
    ) -> None:
        """Takes the artifacts.

        Args:
          folders: The artifact of each day.
          attribute_config: The attributes; none by default.
          gap_minutes: How long before it is shown a feed is made: of an attribute counts what was
            known then.
        """
        self._folders = {day_number(day): folder for day, folder in folders.items()}
        self._config = attribute_config or AttributesConfig()
        self._gap_ms = gap_minutes * 60_000
        # Per object: a cache on the methods would keep every object alive.
        self._posts = functools.cache(self._read_posts)
        self._values = functools.cache(self._read_values)

    @property
    def width(self) -> int:
        """P: numbers of the attributes of posts and context."""
        return attributes.width(self._config.post_attributes)

    def complete_log(self, columns: Sequence[np.ndarray]) -> Log:
        """Returns the log of some impressions, with the facts that each of their days had.

        Args:
          columns: The arrays of a `Log` up to `dwell_seconds`, and the weights, `[L]` each.
        """
        *columns, weights = columns
        log = Log(
            *columns,
            created_at=np.zeros(len(columns[0]), np.int64),
            attributes=np.empty((len(columns[0]), self.width), np.float32),
            weights=weights,
        )
        days = log.shown_at // DAY_MS
        for day in np.unique(days):
            rows = np.flatnonzero(days == day)
            posts, shown_at = log.post_ids[rows], log.shown_at[rows]
            log.created_at[rows] = self._posts(int(day)).created_at(posts)
            if self.width:
                of_post = self._values(int(day), "post").as_of(posts, shown_at - self._gap_ms)
                sections = self._config.of_side("context")
                of_context = attribute_columns.of_context(sections, shown_at, log.surfaces[rows])
                log.attributes[rows] = np.concatenate([of_post, of_context], axis=1)
        return log

    def of_users(self, user_ids: np.ndarray, times: np.ndarray, day: datetime.date) -> np.ndarray:
        """Returns the attributes of users as one day knows them.

        Args:
          user_ids: `[N]` int64.
          times: `[N]` int64 ms; what became known later does not count.
          day: The day whose artifact is read.

        Returns:
          `[N, U]` float32.
        """
        if not self._config.user_attributes:
            return np.empty((len(user_ids), 0), np.float32)
        return self._values(day_number(day), "user").as_of(user_ids, times)

    def _read_posts(self, number: int) -> PostFacts:
        return PostFacts.read(self._folders[number] / POSTS_FILE)

    def _read_values(self, number: int, side: Side) -> KnownValues:
        return KnownValues.read(self._folders[number], side, self._config.attributes)
