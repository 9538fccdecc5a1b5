"""How often the gate promotes, over chains of days drawn from one recorded day of KuaiRand.

Nothing is trained. Two recommenders that differ a little, the smoothed rates of posts over all days
before and over the day before alone, order what the users of the recorded day were shown: each user
gives one paired difference of NDCG@5. A mixture of both, the mean of their log-odds, is the second
form of the recipe that the gate may promote. A day of a chain draws users of the recorded one, and
the real rule of the gate decides (`components.evaluation.verdicts`).

Glossary of shapes:
  F: forms of the recipe, alone or also mixed, U: users of the recorded day.

Where the log is: the environment variable SOURCE.

usage: python -m benchmarks gate_chains
       python -m benchmarks.gate_chains   (draws docs/gate_power.svg: over effect and users)
"""

import datetime
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.csv as csv

from benchmarks.measurement import Result
from components.evaluation import verdicts
from components.evaluation.verdicts import Outcome
from components.settings.steps import EvaluateConfig
from phoenix.metrics import by_user
from phoenix.metrics.evidence import Evidence

_DAY = datetime.date(2022, 5, 5)
_LOG = "log_standard_4_25_to_5_05_pure.csv"
_SOURCE = Path(__file__).parents[1] / "var" / "kuairand" / "source"  # as in the example
_DRAWING = Path(__file__).parents[1] / "docs" / "gate_power.svg"
_PRIOR = 20.0  # impressions
_MIXTURE_SHARE = 0.5
_NUM_CHAINS, _NUM_USERS = 1_000, 500
_EFFECTS = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
_SIZES = (60, 200, 500, 1_200)


class Chain(NamedTuple):
    """What a chain of days draws, and for how long."""

    num_users: int  # who decide, a day
    num_days: int
    effect: float = 0.0  # true gain, in standard errors of the difference of one day
    exchanges: bool = False  # the halves of each pair at random, instead of a planted effect
    # Who comes again gives the same value again, as if a second day said nothing new of a user.
    # Else values are drawn for users anew, with replacement.
    keeps_values: bool = False


def results() -> Iterator[Result]:
    """Measures equal recipes, a worse one, and a better one, each over a thousand chains.

    Raises:
      SystemExit: If the log is not there.
    """
    mixed = recorded_differences(_log())
    alone = mixed[:1]
    equal, worse = Chain(_NUM_USERS, 14, exchanges=True), Chain(_NUM_USERS, 14, effect=-0.5)
    better = Chain(_NUM_USERS, 5, effect=2.0)
    for name, differences, chain, limit, is_wanted in (
        ("gate_equal", alone, equal, 0.95, False),
        ("gate_worse", alone, worse, 0.99, False),
        ("gate_better", alone, better, 0.80, True),
        ("gate_better_kept", alone, better._replace(keeps_values=True), 0.80, True),
        ("gate_equal_mixed", mixed, equal, 0.95, False),
        ("gate_worse_mixed", mixed, worse, 0.99, False),
        ("gate_better_mixed", mixed, better, 0.80, True),
    ):
        share = promoted_share(differences, chain, num_chains=_NUM_CHAINS)
        yield Result(
            name=name,
            ours=share if is_wanted else 1 - share,
            peer=limit,
            unit="of chains promoted" if is_wanted else "of chains kept",
            note=f"{_NUM_CHAINS:,} chains of {chain.num_days} days, {chain.num_users} of "
            f"{differences.shape[1]:,} users a day, "
            f"{'alone or mixed' if len(differences) > 1 else 'alone'}, effect "
            f"{'none, halves exchanged' if chain.exchanges else f'{chain.effect:+g} s.e.'}, "
            f"{'the same value' if chain.keeps_values else 'a new value'} for who comes again; "
            "peer: the limit",
        )


def recorded_differences(log: Path, day: datetime.date = _DAY) -> np.ndarray:
    """`[2, U]` float64: paired differences of NDCG@5 of a recommender and its mixture with another.

    Args:
      log: A file of KuaiRand.
      day: By its local time; at least two days before it are in the file.
    """
    names = ["user_id", "video_id", "date", "long_view"]
    table = csv.read_csv(log, convert_options=csv.ConvertOptions(include_columns=names))
    users, posts, dates, gains = (table[name].to_numpy() for name in names)
    today, yesterday = (int(f"{each:%Y%m%d}") for each in (day, day - datetime.timedelta(days=1)))
    rows = np.flatnonzero(dates == today)
    scores = [
        _rates(posts[is_past], gains[is_past], posts[rows])
        for is_past in (dates < today, dates == yesterday)
    ]
    odds = [np.log(rates / (1 - rates)) for rates in scores]
    scores.append((1 - _MIXTURE_SHARE) * odds[1] + _MIXTURE_SHARE * odds[0])
    own, other, mixed = (
        by_user.ndcg(users[rows], each, gains[rows].astype(float), 5).values for each in scores
    )
    return np.stack([own - other, mixed - other])


def _rates(posts: np.ndarray, gains: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """`[E]` the smoothed rates of the posts `asked` in an earlier log."""
    size = int(max(posts.max(), asked.max())) + 1
    shown, liked = np.bincount(posts, minlength=size), np.bincount(posts, gains, minlength=size)
    rates = (liked + _PRIOR * gains.mean()) / (shown + _PRIOR)
    return rates[asked]


def promoted_share(differences: np.ndarray, chain: Chain, *, num_chains: int) -> float:
    """Returns in which share of chains a recipe is promoted at least once, in any form.

    Args:
      differences: `[F, U]` of a recorded day.
      chain: What a chain draws.
      num_chains: How many; the same ones for equal arguments.
    """
    generator = np.random.default_rng(15)
    promoted = sum(_promotes(differences, chain, generator) for _ in range(num_chains))
    return promoted / num_chains


def _promotes(differences: np.ndarray, chain: Chain, generator: np.random.Generator) -> bool:
    """Whether a form is promoted; after the last day of a challenger it begins anew."""
    num_forms, num_users = differences.shape
    section = EvaluateConfig(mixture_share=_MIXTURE_SHARE if num_forms > 1 else 0)
    shift = chain.effect * differences.std(axis=1, ddof=1) / chain.num_users**0.5
    planted = differences - differences.mean(axis=1, keepdims=True) + shift[:, None]
    evidence = [Evidence.none()] * num_forms
    for _ in range(chain.num_days):
        # Users come again on other days, and are the same users then.
        users = np.sort(generator.choice(num_users, chain.num_users, replace=False))
        drawn = users if chain.keeps_values else generator.choice(num_users, chain.num_users)
        if chain.exchanges:
            sums = differences[:, drawn] * generator.choice((-1.0, 1.0), chain.num_users)
        else:
            sums = planted[:, drawn]
        for form, own in enumerate(sums):
            day = Evidence(users, own, np.ones(chain.num_users), num_days=1)
            evidence[form] = evidence[form] + day
            outcome = verdicts.of_improvement(evidence[form], section, min_gain=0.0).outcome
            if outcome is Outcome.PROMOTED:
                return True
            if outcome is Outcome.KEPT:
                evidence[form] = Evidence.none()
    return False


def draw(differences: np.ndarray, path: Path, *, num_chains: int = 200) -> None:
    """Draws the share of chains that are promoted within five days, over effect and users."""
    import matplotlib.pyplot as plt

    plt.rcParams |= {"svg.hashsalt": "phoenix", "svg.fonttype": "none"}
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for num_users in _SIZES:
        shares = [
            promoted_share(differences, Chain(num_users, 5, effect), num_chains=num_chains)
            for effect in _EFFECTS
        ]
        axes.plot(_EFFECTS, shares, marker="o", markersize=3, label=f"{num_users:,} users a day")
    axes.axhline(0.8, color="0.7", linewidth=0.8)
    axes.set_xlabel("true gain, in standard errors of one day's paired difference")
    axes.set_ylabel("promoted within five days")
    axes.set_ylim(-0.02, 1.02)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _log() -> Path:
    """The file of the log, where `learning_kuairand` looks for it.

    Raises:
      SystemExit: If it is not there.
    """
    source = Path(os.environ.get("SOURCE") or _SOURCE)
    if not (source / _LOG).is_file():
        raise SystemExit(
            f"gate_chains: expected {_LOG} of KuaiRand-Pure in {source}, found none: "
            "name its folder by SOURCE=DIR."
        )
    return source / _LOG


if __name__ == "__main__":
    draw(recorded_differences(_log())[:1], _DRAWING)
