"""A small shop whose customers have a taste that is known: what the defaults learn of it.

Nobody who starts with a small log tunes anything, so the configuration says where the log is and
nothing else. The days come one after the other through the real steps. On the third, the ranker has
to be surely above most popular; and where the likes of a day are dealt anew to its rows, so that
there is nothing to learn, the page has to say so.
"""

import datetime
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import pipeline
from benchmarks.measurement import Result
from components.settings.loading import load
from components.store.artifacts import Store

FIRST_DAY = datetime.date(2026, 3, 2)
_LOG_ODDS = -2.4  # of a like
_TASTE = 2.4  # added where the item is of a department that the customer favours
_POPULARITY = 0.5  # standard deviation of what is the item's own
_NUM_FAVOURITES = 2  # departments that a customer favours
_LIST_LENGTH = 5  # items that a customer sees at once


_NUM_DAYS = 3
_MODEL_STEPS = (
    "train_retrieval",
    "train_ranker",
    "evaluate_models",
    "export_corpus",
    "publish_release",
)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many shops are tried."""

    with_taste: int = 5
    without_taste: int = 20


def results(sizes: Sizes = Sizes()) -> Iterator[Result]:
    """Yields how many shops of each kind came to the right sentence on the third day."""
    for has_taste, number, words, name in (
        (True, sizes.with_taste, "learned more than what is popular", "small_shop_taste"),
        (False, sizes.without_taste, "nothing was learned", "small_shop_shuffled"),
    ):
        lessons = [_lessons(Shop(seed=seed, has_taste=has_taste)) for seed in range(number)]
        for role in ("ranker", "retrieval"):
            told = [lesson[role] for lesson in lessons]
            yield Result(
                name=f"{name}_{role}",
                ours=sum(each.startswith(words) for each in told),
                peer=number,
                unit="shops",
                note=f"of which the page says on day {_NUM_DAYS}: {words!r}; {'; '.join(told)}",
            )


def _lessons(shop: "Shop") -> dict[str, str]:
    """The sentence of each role on what was learned, on the last day of a shop."""
    with tempfile.TemporaryDirectory() as folder:
        path = shop.write(Path(folder), _NUM_DAYS)
        days = [FIRST_DAY + datetime.timedelta(days=number) for number in range(_NUM_DAYS)]
        for day in days:
            for name in (*pipeline.DATA_STEPS, *_MODEL_STEPS):
                pipeline.run_step(path, name, day)
        store = Store(load(path).store)
        ref = store.head("evaluate_models", str(days[-1]))
        assert ref is not None, "the step has just run"
        facts: dict[str, Any] = json.loads(store.read(ref).path("decision.json").read_text())
    return {
        role: next(reason for reason in facts[role]["reasons"] if "learned" in reason)
        for role in ("ranker", "retrieval")
    }


@dataclass(frozen=True, kw_only=True)
class Shop:
    """The sizes of a shop, and its seed."""

    seed: int
    customers: int = 400
    items: int = 300
    departments: int = 6  # nowhere in the log
    brands: int = 30  # each of one department
    rows_per_day: int = 5_000
    has_taste: bool = True  # without it the likes of a day are dealt anew to its rows

    def write(self, folder: Path, num_days: int) -> Path:
        """Writes a CSV file per day and a configuration without a setting; returns its path."""
        (folder / "log").mkdir(parents=True)
        world = np.random.default_rng(self.seed)
        brands = world.integers(self.brands, size=self.items)
        ranks = world.random((self.customers, self.departments)).argsort(axis=1)
        is_favourite = (ranks < _NUM_FAVOURITES)[:, brands % self.departments]
        popularity = world.normal(size=self.items) * _POPULARITY
        log_odds = _LOG_ODDS + popularity + _TASTE * is_favourite
        shares = np.exp(popularity) / np.exp(popularity).sum()  # what is popular is shown more
        for number in range(num_days):
            day = FIRST_DAY + datetime.timedelta(days=number)
            lists = self.rows_per_day // _LIST_LENGTH
            who = np.repeat(world.integers(self.customers, size=lists), _LIST_LENGTH)
            what = world.choice(self.items, size=len(who), p=shares)
            minutes = np.repeat(world.integers(24 * 60, size=lists), _LIST_LENGTH)
            liked = world.random(len(who)) < 1 / (1 + np.exp(-log_odds[who, what]))
            if not self.has_taste:
                liked = world.permutation(liked)
            seconds = np.tile(np.arange(_LIST_LENGTH), lists) * 10
            lines = ["customer,item,brand,at,liked"]
            for row in np.argsort(minutes, kind="stable"):
                at = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
                at += datetime.timedelta(minutes=int(minutes[row]), seconds=int(seconds[row]))
                lines.append(
                    f"customer-{who[row]:03d},sku-{what[row]:03d},brand-{brands[what[row]]:02d},"
                    f"{at:%Y-%m-%dT%H:%M:%SZ},{int(liked[row])}"
                )
            (folder / "log" / f"{day}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        path = folder / "phoenix.yaml"
        path.write_text(_CONFIGURATION, encoding="utf-8")
        return path


_CONFIGURATION = f"""
store: store
first_day: {FIRST_DAY}
ingest_events:
  source:
    layout: columns
    events: "log/{{day}}.csv"
    event_columns: {{user_id: customer, post_id: item, author_id: brand, shown_at: at}}
    text_ids: {{user_id: "", post_id: "", author_id: ""}}
    time_unit: iso
actions:
  - {{name: favorite, column: liked, is_positive: true}}
"""
