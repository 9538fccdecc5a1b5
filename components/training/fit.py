"""Settings of training and features that do not fit the log which the store holds."""

import datetime
from collections.abc import Iterator

from components import contract
from components.features import statistics
from components.settings.config import Config
from components.store.artifacts import Store
from components.training import auto, log_rules, trainer_settings


def misfits(config: Config, store: Store) -> Iterator[str]:
    """Yields sentences on trainings that would be too short, and on histories nobody has.

    Nothing is yielded while the store holds no features. Settings that are `auto` fit.
    """
    days = store.partitions(contract.BUILD_FEATURES.name)
    if not days:
        return
    newest = datetime.date.fromisoformat(days[-1])
    for role in ("retrieval", "ranker"):
        yield from _of_training(config, store, newest, role)
    ref = store.head(contract.BUILD_FEATURES.name, days[-1])
    num_days = (newest - config.first_day).days
    section = config.build_features
    # Histories grow for so many days; those of the first ones say nothing.
    if ref is None or num_days < section.history_days:
        return
    lengths = statistics.read(store.read_file(ref, statistics.FEATURES_FILE))["history_length"]
    longest = max((int(length) for length in lengths.counts), default=section.history_length)
    if longest < section.history_length:
        yield (
            f"`build_features.history_length` is {section.history_length}, and no measured history "
            f"of {newest} has more than {longest} impressions"
        )


def _of_training(config: Config, store: Store, newest: datetime.date, role: str) -> Iterator[str]:
    day = newest + datetime.timedelta(days=1)
    log = auto.log_size(config, store, day)
    if not log.windows:
        return
    origin = auto.origin_of(config, store, day, role)
    if {"epochs", "batch_size"} <= origin.numbers.keys():
        return  # there is nothing to change: a log may be as small as that
    section = trainer_settings.section_of(auto.with_numbers(config, role, origin.numbers), role)
    num_days = (day - config.first_day).days
    # From a champion, a training reads the days since that one.
    window_days = trainer_settings.number(section.window_days)
    reach = section.every_days if section.warm_start else window_days
    windows = log.windows * min(num_days, reach)
    for misfit in log_rules.misfits(section.model_dump(), windows):
        yield f"`train_{role}`: {misfit}"
