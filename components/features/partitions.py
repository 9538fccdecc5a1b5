"""Partitions of features: the days before one, and their artifacts."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from components import contract
from components.errors import BadDataError
from components.run.context import Context
from components.settings.config import Config
from components.store.artifacts import Ref


def days_before(config: Config, day: datetime.date, count: int) -> list[datetime.date]:
    """Returns up to `count` days before `day`, oldest first, none before `first_day`."""
    days = [day - datetime.timedelta(days=back) for back in range(count, 0, -1)]
    return [each for each in days if each >= config.first_day]


def features_of(context: Context, days: Sequence[datetime.date]) -> list[Ref]:
    """Returns the current features of each of `days`, in their order.

    Raises:
      BadDataError: Naming the days that have none.
    """
    refs = [context.head(contract.BUILD_FEATURES.name, day) for day in days]
    # All of them at once: a person who runs what is missing wants to do so in one go.
    missing = [str(day) for day, ref in zip(days, refs, strict=True) if ref is None]
    if missing:
        raise BadDataError(
            f"{context.step.name} of {context.day} needs build_features of {days[0]} to "
            f"{days[-1]} without a gap; missing: {', '.join(missing)}. Run the data steps of "
            "these days first, in order."
        )
    return [ref for ref in refs if ref is not None]


def input_of(manifest: Mapping[str, Any], kind: str, day: datetime.date) -> Ref | None:
    """Returns the artifact of a kind and day of which another was made, None if there is none.

    Args:
      manifest: Of the other.
      kind: Of the artifact.
      day: Its partition.
    """
    inputs = [each for each in manifest["recipe"]["inputs"] if "kind" in each]  # without sources
    return next(
        (
            Ref(**each)
            for each in inputs
            if (each["kind"], each["partition"]) == (kind, day.isoformat())
        ),
        None,
    )
