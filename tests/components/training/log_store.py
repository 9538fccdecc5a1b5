"""A store with days of features of which the size alone is known, and what was trained on them."""

import datetime
from pathlib import Path
from typing import Any

from components import contract
from components.features import statistics
from components.run.context import Context
from components.settings.config import Config
from components.store.artifacts import Store
from phoenix.data import histograms

FIRST_DAY = datetime.date(2026, 1, 1)


def config_of(folder: Path, **sections: Any) -> Config:
    """A configuration with its store in a folder."""
    return Config.model_validate(
        {
            "store": str(folder / "store"),
            "first_day": str(FIRST_DAY),
            "actions": [{"name": "favorite", "is_positive": True}],
            "ingest_events": {"source": {"layout": "synthetic"}},
            **sections,
        }
    )


def day_of(number: int) -> datetime.date:
    """A day, counted from 0."""
    return FIRST_DAY + datetime.timedelta(days=number)


def write_features(config: Config, number: int, rows: int, longest_history: int = 8) -> None:
    """Writes the features of a day of so many rows: four in a window, ten of a user."""
    context = Context(contract.BUILD_FEATURES, config, day_of(number), Store(config.store))
    with context.write(inputs=[], config={"rows": rows}) as draft:
        draft.facts |= {"impressions": rows, "windows": rows // 4, "users": rows // 10}
        lengths = {"history_length": histograms.of_categories({str(longest_history): 5})}
        statistics.write(draft.folder / statistics.FEATURES_FILE, lengths)


def write_training(config: Config, number: int, facts: dict[str, Any]) -> None:
    """Writes the training of a ranker with some facts."""
    context = Context(contract.TRAIN_RANKER, config, day_of(number), Store(config.store))
    recipe = {**facts, "train_ranker": config.train_ranker.model_dump(mode="json")}
    if facts.get("auto"):
        recipe["train_ranker"]["model"] |= facts["auto"]["numbers"]["model"]
    with context.write(inputs=[], config=recipe) as draft:
        draft.facts |= facts
