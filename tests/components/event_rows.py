"""Logs written down in steps of two hours, for what is about days and arrivals."""

import datetime
from pathlib import Path

import numpy as np

from components.features import day_windows, shapes
from components.features.day_windows import DayFiles
from components.features.impression_facts import ImpressionFacts
from components.features.state import State
from components.features.windows_files import FeaturesWriter
from components.settings.attributes import AttributesConfig
from components.settings.config import Config
from components.source import attribute_files
from components.tables import data_files
from components.tables.data_files import IMPRESSIONS_FILE
from phoenix.data.days import DAY_MS, midnight_ms
from schemas.events import EVENTS
from schemas.posts import POSTS

FIRST = datetime.date(2026, 1, 1)
STEP_MS = 7_200_000
STEPS_PER_DAY = 12
NUM_DAYS = 4  # of the logs that are built whole

# User, step, arrives so many steps later, post.
Row = tuple[int, int, int, int]


def config_of(**features: object) -> Config:
    """A configuration with other settings of the features."""
    small = {"history_length": 3, "num_candidates": 2, "window_minutes": 240, "history_days": 1}
    return Config.model_validate(
        {
            "store": "store",
            "first_day": FIRST.isoformat(),
            "ingest_events": {"source": {"layout": "synthetic"}},
            "actions": [{"name": "favorite", "is_positive": True}],
            "build_features": small | features,
            "materialize_feeds": {"surface": 4},
        }
    )


def day_of(number: int) -> datetime.date:
    """The day with this number, the first being 0."""
    return FIRST + datetime.timedelta(days=number)


def ms(step: int) -> int:
    """The time of a step."""
    return midnight_ms(FIRST) + step * STEP_MS


def write_day(path: Path, rows: list[Row], number: int | None = None) -> Path:
    """Writes the rows of a day, or all rows, as accepted events; an event's id is its place."""
    users, steps, delays, posts = np.array(rows, np.int64).reshape(-1, 4).T
    columns = {
        "event_id": np.arange(1, len(rows) + 1),
        "user_id": users,
        "post_id": posts,
        "author_id": posts + 100,
        "shown_at": ms(0) + steps * STEP_MS,
        "ingested_at": ms(0) + (steps + delays) * STEP_MS,
        "surface": (posts % 3).astype(np.int32),
        "actions": (posts % 2).astype(np.uint64),
        "dwell_seconds": posts.astype(np.float32),
    }
    is_wanted = slice(None) if number is None else steps // STEPS_PER_DAY == number
    table = {name: values[is_wanted] for name, values in columns.items()}
    data_files.write(path, data_files.arrow_table(EVENTS, table))
    return path


def created_at(post_ids: np.ndarray, shown_at: np.ndarray) -> np.ndarray:
    """When posts were written, as known on the day of an impression; of every fourth nobody says.

    A later day knows better, so that a lookup on a wrong day is seen.
    """
    day = shown_at // DAY_MS
    return np.where(post_ids % 4, ms(0) - 60_000 * (10_000 * post_ids + day), 0)


def write_posts(path: Path, number: int) -> Path:
    """Writes the posts 1 to 9 as a day knows them; post 4 is unknown, of post 8 the creation is.

    Args:
      path: Folder, as of `validate_events`.
      number: Of the day.
    """
    path.mkdir(exist_ok=True)
    post_ids = np.array([post for post in range(9, 0, -1) if post != 4])
    columns = {
        "post_id": post_ids,
        "author_id": post_ids + 100,
        "created_at": created_at(post_ids, np.full(8, ms(number * STEPS_PER_DAY))),
        "eligible": np.ones(8, bool),
        "duration_seconds": np.full(8, np.nan, np.float32),
        "tag": np.full(8, None, object),
    }
    data_files.write(path / data_files.POSTS_FILE, data_files.arrow_table(POSTS, columns))
    return path


def build_days(folder: Path, rows: list[Row], config: Config) -> list[Path]:
    """Builds every day from the state of the day before and its own events alone."""
    folders: list[Path] = []
    section = config.build_features
    for number in range(NUM_DAYS):
        events = write_day(folder / f"events{number}", rows, number)
        before = ([folders[-1] / IMPRESSIONS_FILE],) if folders else ()
        state = State((), before, not before, day_of(number), section)
        folders.append(folder / str(number))
        folders[-1].mkdir()
        attribute_files.write(folders[-1], config, state.day, {})
        build_features_of(state, events, folders[-1], config.attributes)
    return folders


def build_features_of(
    state: State, events: Path, folder: Path, attribute_config: AttributesConfig | None = None
) -> None:
    """Builds one day from a state; what is known of posts is kept in its folder."""
    facts = ImpressionFacts(
        {state.day: folder}, attribute_config, gap_minutes=state.config.gap_minutes
    )
    write_posts(folder, (state.day - day_of(0)).days)
    shape = shapes.shape_metadata(state.config, attribute_config)
    with FeaturesWriter(folder, shape) as writer:
        for block in day_windows.day_blocks(state, DayFiles([events]), state.config, facts):
            writer.write(block)
