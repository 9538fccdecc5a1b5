"""The posts that were known on days of features, as their windows could have shown them.

When a post was written, its attributes and what was counted of it are as candidates of the windows
of the day have them: from the same files, as of the same moments.
"""

import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components import contract
from components.errors import BadDataError
from components.features import day_counts, partitions
from components.features.known_values import KnownValues
from components.run.context import Context
from components.store.artifacts import Ref
from components.tables.data_files import POSTS_FILE
from phoenix.data.days import day_number
from phoenix.data.negatives.known_posts import KnownPosts, ValuesOfPosts
from schemas.attributes import file_name

_MINUTE_MS = 60_000


def of_days(
    context: Context, features: Sequence[Ref], *, power: float = 0.0, has_rates: bool = True
) -> dict[int, KnownPosts]:
    """Reads the posts of some days of features, by the number of the day.

    Args:
      context: The run.
      features: Of the days.
      power: See `KnownPosts.of`.
      has_rates: Whether to read what was counted of the posts, too.

    Raises:
      BadDataError: If something of which the features were made is gone or damaged.
    """
    return {
        day_number(datetime.date.fromisoformat(ref.partition)): _of_day(
            context, ref, power, has_rates=has_rates
        )
        for ref in features
    }


def _of_day(context: Context, features: Ref, power: float, *, has_rates: bool) -> KnownPosts:
    day = datetime.date.fromisoformat(features.partition)
    manifest = context.store.manifest(features)
    validated = partitions.input_of(manifest, contract.VALIDATE_EVENTS.name, day)
    if validated is None:
        raise BadDataError(f"{features}: expected the events of the day among its inputs.")
    posts = pq.read_table(
        context.store.read_file(validated, POSTS_FILE),
        columns=["post_id", "author_id", "created_at"],
    )
    return KnownPosts.of(
        posts["post_id"].to_numpy(),
        posts["author_id"].to_numpy(),
        posts["created_at"].cast(pa.int64()).to_numpy(),
        rates=day_counts.all_rates_before(context, features) if has_rates else None,
        values_of=_values_of(context, features),
        power=power,
    )


def _values_of(context: Context, features: Ref) -> ValuesOfPosts | None:
    """Returns the attributes of posts as the day knows them; None where there are none."""
    declared = context.config.attributes.attributes
    if not context.config.attributes.of_side("post"):
        return None
    folder: Path = context.store.read_file(features, file_name("post")).parent
    values = KnownValues.read(folder, "post", declared)
    gap_ms = context.config.build_features.gap_minutes * _MINUTE_MS

    def as_of(post_ids: np.ndarray, shown_at: np.ndarray) -> np.ndarray:
        """Returns `[n, W]` what was known when the feed that shows a post was made."""
        return values.as_of(post_ids, shown_at - gap_ms)

    return as_of
