"""The log of a world that answers: files of the pipeline's source, one day after the other.

A share of what users see on a day comes from the feeds of the day before; what they do then is
drawn from the world's true probabilities. The pipeline sees files and nothing else. A day is a
function of the world and of those feeds, so that one that is written again is the same.
"""

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.release import releases
from components.serving import feed_files
from components.settings.config import Config
from components.store.artifacts import Ref, Store
from phoenix.data.population import WorldConfig
from phoenix.data.synthetic import Impressions, Served, World
from phoenix.data.windows import unpack_actions

SHARE = 0.5  # of the impressions of a user with a feed that show it


@dataclass(frozen=True)
class WorldLog:
    """The files of a world."""

    world: World
    store: Store
    folder: Path

    @classmethod
    def of(cls, config: Config, sizes: dict[str, Any], folder: Path) -> "WorldLog":
        """Takes the actions of the pipeline's configuration, and the sizes of a synthetic source.

        Args:
          config: Of the pipeline that will read the files.
          sizes: The settings of `SyntheticSource`, without the layout.
          folder: Gets `log/DAY.parquet` and `posts/DAY.parquet`.
        """
        actions, first_day = config.action_names, config.first_day
        world = World(WorldConfig(first_day=first_day, actions=actions, **sizes))
        return cls(world, Store(config.store), folder)

    def feeds_before(self, day: datetime.date) -> Ref | None:
        """Returns the published feeds of the day before; None on the first day."""
        return self.store.head(releases.FEEDS, str(day - datetime.timedelta(days=1)))

    def impressions(self, day: datetime.date) -> Impressions:
        """Returns what happens on a day after the feeds of the day before were published.

        Raises:
          BadDataError: If they are damaged.
        """
        feeds = self.feeds_before(day)
        return self.world.impressions(day, None if feeds is None else self._served(feeds))

    def write(self, day: datetime.date) -> None:
        """Writes the events of a day and the posts that are new on it; removes days after it.

        A day that runs again would else find posts of days that had not come when it ran first.

        Raises:
          BadDataError: As `impressions`.
        """
        for later in (
            each for each in self.folder.glob("*/????-??-??.parquet") if each.stem > str(day)
        ):
            later.unlink()
        shown, feeds = self.impressions(day), self.feeds_before(day)
        is_served = shown.positions > 0
        names = self.world.config.actions
        actions = unpack_actions(shown.actions, len(names)) > 0
        digest = None if feeds is None else feeds.digest
        columns = {
            "user_id": shown.user_ids,
            "post_id": shown.post_ids,
            "author_id": shown.author_ids,
            "shown_at": shown.shown_at,
            "ingested_at": shown.ingested_at,
            "surface": shown.surfaces,
            "dwell_seconds": shown.dwell_seconds,
            "feed": pa.array([digest if each else None for each in is_served], pa.string()),
            "position": pa.array(shown.positions, mask=~is_served),
            **{name: actions[:, bit] for bit, name in enumerate(names)},
        }
        self._write_table("log", day, columns)
        posts = self.world.population.posts(day)
        is_new = np.ones(len(posts.post_ids), bool)
        if day > self.world.config.first_day:
            before = self.world.population.posts(day - datetime.timedelta(days=1))
            is_new[: len(before.post_ids)] = False
        new = {name: getattr(posts, f"{name}s")[is_new] for name in ("post_id", "author_id")}
        self._write_table("posts", day, {**new, "created_at": posts.created_at[is_new]})

    def _served(self, feeds: Ref) -> Served:
        rows = feed_files.read(self.store.read_files(feeds, feed_files.FEEDS_FILE))
        users, row = np.unique(rows["user_id"].to_numpy(), return_inverse=True)
        ranks = rows["rank"].to_numpy()
        post_ids = np.zeros((len(users), int(ranks.max(initial=0))), np.int64)
        post_ids[row, ranks - 1] = rows["post_id"].to_numpy()
        return Served(users, post_ids, SHARE)

    def _write_table(self, folder: str, day: datetime.date, columns: dict[str, Any]) -> None:
        path = self.folder / folder / f"{day}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}")  # which no source reads
        pq.write_table(pa.table(columns), unfinished)
        unfinished.replace(path)
