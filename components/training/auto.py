"""Numbers in place of the settings that are `auto`, found once for a training and kept.

They follow the log as the features of the days before describe it. A training keeps those of the
training before as long as a day has as many rows as that one says (`Origin.rows`): other sizes
would throw its model away, and other numbers are another recipe, whose evidence starts at nothing.
"""

import datetime
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components import contract
from components.features import day_counts, partitions
from components.run.context import Context
from components.settings.config import Config
from components.store.artifacts import Store
from components.tables import data_files
from components.training import log_rules, trainer_settings
from components.training.log_rules import AUTO, LogSize

logger = logging.getLogger(__name__)

_DAYS = 28  # before a training, whose features say how large the log is


class Origin(NamedTuple):
    """Numbers of settings that are `auto`, nested as in the section, and whence they are."""

    numbers: Mapping[str, Any]
    log: LogSize
    reason: str
    rows: tuple[float, float]  # of an average day; between these, other trainings keep the numbers
    window_budget: int | None = None  # that gave `window_days`; formats before did not say

    @classmethod
    def of(cls, numbers: Mapping[str, Any], log: LogSize, reason: str, budget: int) -> "Origin":
        """Returns new numbers for a log, and until when they hold."""
        return cls(numbers, log, reason, log_rules.kept_between(log.rows), budget)

    def holds_for(self, log: LogSize) -> bool:
        """Whether a training on another log keeps the numbers."""
        low, high = self.rows
        return low < log.rows < high

    def to_json(self) -> dict[str, Any]:
        """Returns it as the facts of a training hold it."""
        return {**self._asdict(), "log": self.log._asdict(), "rows": list(self.rows)}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> "Origin | None":
        """What the facts of a training hold; None where nothing was `auto`."""
        value = facts.get("auto")  # formats before 3 have none
        if not value:
            return None
        log = LogSize(**value["log"])
        low, high = value.get("rows") or log_rules.kept_between(log.rows)
        budget = value.get("window_budget")
        return cls(value["numbers"], log, value["reason"], (low, high), budget)


def resolved(context: Context, role: str) -> tuple[Context, Origin | None]:
    """Returns a training step whose settings are numbers, and whence those are that were `auto`.

    The second is None where nothing was.

    Args:
      context: The run of the training step.
      role: retrieval or ranker.
    """
    origin = origin_of(context.config, context.store, context.day, role)
    if not origin.numbers:
        return context, None
    logger.info("What is auto of the %s: %s (%s).", role, origin.numbers, origin.reason)
    return replace(context, config=with_numbers(context.config, role, origin.numbers)), origin


def origin_of(config: Config, store: Store, day: datetime.date, role: str) -> Origin:
    """Returns the numbers of what is `auto` in a training of `day`; none are where nothing is."""
    log = log_size(config, store, day, reads_counts=role == "retrieval")
    numbers = numbers_for(config, role, log)
    section = trainer_settings.section_of(config, role)
    budget = section.window_budget
    earlier = _earlier(config, store, day, role)
    if earlier is None:
        return Origin.of(numbers, log, f"{log.words}, on {day}", budget)
    if not earlier.holds_for(log):
        reason = f"{log.words}, on {day}; before, {earlier.log.words}"
        return Origin.of(numbers, log, reason, budget)
    kept = dict(earlier.numbers)
    if earlier.window_budget not in (None, budget):
        kept.pop("window_days", None)
    numbers = _fitting(_merged(numbers, kept), section.model_dump())
    return earlier._replace(numbers=numbers, window_budget=budget)


def numbers_for(config: Config, role: str, log: LogSize) -> dict[str, Any]:
    """Returns the numbers of what is `auto` for a log, nested as in the section of the role."""
    section = trainer_settings.section_of(config, role).model_dump()
    numbers = log_rules.numbers(
        role,
        log,
        window_budget=section["window_budget"],
        learns_next_items=_objective(config, role) == "next_item",
    )
    return _fitting(_of_auto(section, numbers), section)


def _objective(config: Config, role: str) -> str | None:
    """The objective of a role that has several."""
    return trainer_settings.section_of(config, role).model_dump().get("objective")


def with_numbers(config: Config, role: str, numbers: Mapping[str, Any]) -> Config:
    """Returns a configuration with numbers in place of what is `auto` for a role.

    Args:
      config: The configuration.
      role: retrieval or ranker.
      numbers: Of all settings of its section that are `auto`, nested as there.
    """
    section = trainer_settings.section_of(config, role)
    values = {name: value for name, value in numbers.items() if name != "model"}
    model = section.model.model_copy(update=dict(numbers.get("model", {})))
    changed = section.model_copy(update={**values, "model": model})
    return config.model_copy(update={f"train_{role}": changed})


def log_size(
    config: Config, store: Store, day: datetime.date, *, reads_counts: bool = False
) -> LogSize:
    """Returns the size of an average day of the four weeks before `day`, by their features.

    Args:
      config: The deployment.
      store: Its store; days without features are left out.
      day: The day of a training, of which nothing is read.
      reads_counts: Whether to look how many posts and authors there are.
    """
    days = partitions.days_before(config, day, _DAYS)
    heads = [store.head(contract.BUILD_FEATURES.name, str(each)) for each in days]
    refs = [ref for ref in heads if ref is not None]
    facts_of_all = [store.manifest(ref)["facts"] for ref in refs]
    facts = [each for each in facts_of_all if each["impressions"]]
    if not facts:
        return LogSize()
    means = [
        sum(each[name] for each in facts) / len(facts)
        for name in ("impressions", "windows", "users")
    ]
    # Before there were counts, nothing was counted.
    if not reads_counts or day_counts.SINCE not in facts_of_all[-1]:
        return LogSize(*means)
    file = store.read_file(refs[-1], data_files.COUNTS_FILE)
    counts = pq.read_table(file, columns=["kind", "shown"])
    return LogSize(*means, *(_rows_per(counts, kind) for kind in ("post", "author")))


def _rows_per(counts: pa.Table, kind: str) -> float | None:
    """Impressions of a post or an author, of all that was counted; None if nothing was."""
    rows = counts.filter(pc.field("kind") == kind)
    if not rows.num_rows:
        return None
    shown = rows["shown"].combine_chunks().flatten().to_numpy()
    # Of an action that is new, fewer impressions are known than there were.
    return float(shown.reshape(rows.num_rows, -1).max(axis=1).sum()) / rows.num_rows


def _earlier(config: Config, store: Store, day: datetime.date, role: str) -> Origin | None:
    """The numbers of the last training before a day; None where there is none.

    Its model is kept as it is, also where sizes were no `auto` yet: it may be the champion.
    """
    kind = f"train_{role}"
    for partition in reversed(store.partitions(kind)):
        ref = store.head(kind, partition) if partition < str(day) else None
        manifest = {"facts": {}} if ref is None else store.manifest(ref)
        if manifest["facts"].get("trained"):
            origin = Origin.of_facts(manifest["facts"])
            if origin is None:
                log = log_size(config, store, datetime.date.fromisoformat(partition))
                rows = log_rules.kept_between(log.rows)
                origin = Origin({}, log, f"{log.words}, on {partition}", rows)
            section = manifest["recipe"]["config"].get(kind, {})
            model = section.get("model", {})
            if section.get("objective") != _objective(config, role):
                own = log_rules.OF_AN_OBJECTIVE
                model = {name: value for name, value in model.items() if name not in own}
            return origin._replace(numbers={**origin.numbers, "model": model})
    return None


def _of_auto(section: Mapping[str, Any], numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the numbers whose settings are `auto`."""
    own: dict[str, Any] = {}
    for name, value in numbers.items():
        if isinstance(value, Mapping):
            value = _of_auto(section[name], value)
        elif section[name] != AUTO:
            continue
        if value != {}:
            own[name] = value
    return own


def _merged(new: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """The earlier numbers of what is `auto` now, and new ones of what was not."""
    return {
        name: _merged(value, earlier.get(name, {}))
        if isinstance(value, Mapping)
        else earlier.get(name, value)
        for name, value in new.items()
    }


def _fitting(numbers: dict[str, Any], section: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers, with those that explicit settings need to be larger, or another multiple."""
    parts = section["optimizer"]["accumulation_steps"] * section["devices"]["num_data_shards"]
    fitting = dict(numbers)
    if "batch_size" in fitting:
        fitting["batch_size"] = -(-fitting["batch_size"] // parts) * parts
    result = section["checkpoints"]["result"].removeprefix("epoch_")
    if "epochs" in fitting and result.isdigit():
        fitting["epochs"] = max(fitting["epochs"], int(result))
    return fitting
