"""How often a release that earns less is flagged, and one that earns as much, in a simulated world.

The world draws what every user likes once, and shows two of three of them some twelve posts a day.
The release before is measured on two days; then another one is live that earns a planted share of
it, and the real rule decides, day after day (`components.earnings.comparison`).

usage: python -m benchmarks release_losses
"""

from collections.abc import Iterator

import numpy as np

from benchmarks.measurement import Result
from components.earnings import comparison
from components.earnings.comparison import MeasuredDay
from components.earnings.measure import NO_RANK, Impressions, Measure
from components.settings.steps import MeasureConfig
from schemas.earnings import LESS

_NUM_SEEDS = 400
_NUM_USERS = 3_000
_PRESENCE, _NUM_SHOWN = 2 / 3, 12
_TASTE = (3, 5)  # of a beta distribution: 37.5 % of what is shown is liked
_BEFORE = {"models": "before", "partition": "2026-01-01"}


def results() -> Iterator[Result]:
    """Measures a release that earns 5 % less, and one that earns as much, in hundreds of worlds."""
    for name, rate, num_days, limit in (
        ("release_less", 0.95, 2, 0.95),
        ("release_equal", 1.0, 2, 0.95),
        ("release_equal_fortnight", 1.0, 14, 0.95),
    ):
        share = flagged_share(rate, num_days=num_days, num_seeds=_NUM_SEEDS)
        yield Result(
            name=name,
            ours=share if rate < 1 else 1 - share,
            peer=limit,
            unit="of worlds flagged" if rate < 1 else "of worlds left in peace",
            note=f"{_NUM_SEEDS} worlds of {_NUM_USERS:,} users, {num_days} days, earns {rate:.0%} "
            "of the one before; peer: the limit",
        )


def flagged_share(
    rate: float, *, num_days: int, num_seeds: int, num_users: int = _NUM_USERS, first_seed: int = 0
) -> float:
    """Returns the share of worlds in which a release is flagged on one of its days.

    Args:
      rate: What it earns, as a share of the release before.
      num_days: On which it is live and looked at.
      num_seeds: Worlds.
      num_users: Of each world.
      first_seed: Of the first world.
    """
    seeds = range(first_seed, first_seed + num_seeds)
    return sum(_is_flagged(seed, rate, num_days, num_users) for seed in seeds) / num_seeds


def measured_day(
    generator: np.random.Generator, models: str, taste: np.ndarray, rate: float
) -> MeasuredDay:
    """Returns what the release with some models earned on a day.

    Args:
      generator: Of what happens.
      models: Their name.
      taste: `[U]` the chance that a user likes a post.
      rate: By which the release changes it.
    """
    users = np.flatnonzero(generator.random(len(taste)) < _PRESENCE)
    shown = np.repeat(users, generator.poisson(_NUM_SHOWN, len(users)))
    likes = generator.random(len(shown)) < np.clip(taste[shown] * rate, 0, 1)
    zeros, nothing = np.zeros(len(shown), np.int64), np.full(len(shown), np.nan)
    impressions = Impressions(
        user_ids=shown + 1,
        releases=zeros,
        sources=zeros,
        ranks=np.full(len(shown), NO_RANK),
        weights=np.ones(len(shown)),
        actions=likes.astype(np.uint64),
        predicted=nothing,
        propensities=nothing,
    )
    measure = Measure((models,), ("retrieval",), {"like": 1.0})
    facts = [{"release": models, "models": models}]
    return MeasuredDay(facts, measure.user_earnings(impressions))


def _is_flagged(seed: int, rate: float, num_days: int, num_users: int) -> bool:
    generator = np.random.default_rng(seed)
    taste = generator.beta(*_TASTE, num_users)
    days = [measured_day(generator, "before", taste, 1.0) for _ in range(2)]
    for _ in range(num_days):
        days.append(measured_day(generator, "after", taste, rate))
        release = {"models": "after", "before": _BEFORE}
        against = comparison.compare(release, days, MeasureConfig())
        if against is not None and against["verdict"] == LESS:
            return True
    return False
