"""Evidence that one model is better than another, from the users that both were measured on.

Two models are compared by one difference per user and day. Evidence adds up over days: a user who
came on several is one cluster, because the differences of one user say much the same, and counting
them as several users would make an interval too narrow.

Glossary of shapes:
  U: users.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from phoenix.metrics.by_user import UserValues


@dataclass(frozen=True)
class Evidence:
    """Differences of two models by user, added up over days.

    Attributes:
      user_ids: `[U]` int64, sorted.
      sums: `[U]` float64, the weighted differences of a user, summed over days.
      weights: `[U]` float64, the weights of a user, summed over days, > 0.
      num_days: How many days were added up, which is how often somebody may have looked.
    """

    user_ids: np.ndarray
    sums: np.ndarray
    weights: np.ndarray
    num_days: int

    @classmethod
    def of_day(cls, challenger: UserValues, champion: UserValues) -> Self:
        """The evidence of one day: challenger minus champion.

        Raises:
          ValueError: If the two were measured on different users.
        """
        if not np.array_equal(challenger.user_ids, champion.user_ids):
            raise ValueError("The two models were measured on different users.")
        differences = challenger.values - champion.values
        return cls(
            challenger.user_ids, differences * challenger.weights, challenger.weights, num_days=1
        )

    @classmethod
    def none(cls) -> Self:
        """No evidence at all."""
        return cls(np.empty(0, np.int64), np.empty(0), np.empty(0), num_days=0)

    def __add__(self, later: "Evidence") -> "Evidence":
        """The evidence of both, which are of different days.

        >>> users, weights = np.array([3, 8]), np.ones(2)
        >>> day = Evidence(users, np.array([0.1, 0.3]), weights, num_days=1)
        >>> both = day + Evidence(users[1:], np.array([0.2]), weights[1:], num_days=1)
        >>> both.weights.tolist(), both.num_days, round(both.mean, 3)
        ([1.0, 2.0], 2, 0.2)
        """
        users, rows = np.unique(
            np.concatenate([self.user_ids, later.user_ids]), return_inverse=True
        )
        return Evidence(
            users,
            np.bincount(rows, np.concatenate([self.sums, later.sums]), len(users)),
            np.bincount(rows, np.concatenate([self.weights, later.weights]), len(users)),
            self.num_days + later.num_days,
        )

    @property
    def mean(self) -> float:
        """The weighted mean difference; NaN without a user."""
        total = self.weights.sum()
        return float(self.sums.sum() / total) if total else float("nan")

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """The confidence interval of the mean difference, for one look at it.

        The mean is a ratio of two sums over clusters, whose variance is estimated with the
        correction HC2 for clusters of unequal weight (MacKinnon and White 1985). The quantile is
        that of Student's t, whose degrees of freedom are Satterthwaite's (1946) with the fourth
        moment of the clusters in place of that of a normal distribution: where few users differ at
        all, or a few of them weigh most, the variance itself is known badly, and the interval has
        to be wider.

        Args:
          confidence: The share of such intervals that shall hold the true difference.

        Returns:
          Its ends; None with fewer than two users, of whom nothing can be said.

        >>> generator = np.random.default_rng(0)
        >>> sums = 0.02 + 0.1 * generator.normal(size=400)
        >>> day = Evidence(np.arange(400), sums, np.ones(400), num_days=1)
        >>> [round(end, 3) for end in day.interval()]
        [0.007, 0.026]
        """
        if len(self.user_ids) < 2:
            return None
        total, mean = self.weights.sum(), self.mean
        # What each cluster moves the mean by; they sum to zero.
        leverage = self.weights / total
        moves = (self.sums - self.weights * mean) / total / np.sqrt(1 - leverage)
        variance = float((moves**2).sum())
        if variance == 0:
            return mean, mean
        num_users = len(self.user_ids)
        excess = float((moves**4).sum()) - variance**2 / num_users
        # 2 V^2 / Var(V): with normal clusters of equal weight, the number of users.
        freedom = num_users - 1.0
        if excess > 0:
            freedom = float(np.clip(2 * variance**2 / excess, 1.0, freedom))
        # Here, because every step draws pages of what was measured, and few measure anything.
        from scipy.special import stdtrit

        reach = float(stdtrit(freedom, (1 + confidence) / 2)) * variance**0.5
        return mean - reach, mean + reach

    def sequence(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """The interval of today in a confidence sequence, which holds however often one looks.

        Of the allowed error, the share 1 / (t (t + 1)) is spent on the t-th look; these shares sum
        to 1. By the union bound all intervals together hold the true difference with the stated
        confidence, and no assumption is made of how days depend on each other: users come again,
        so they do.

        Args:
          confidence: The share of such sequences of which every interval shall hold the true
            difference.

        Returns:
          The ends of the newest interval; None with fewer than two users.
        """
        share = 1 / (self.num_days * (self.num_days + 1))
        return self.interval(1 - (1 - confidence) * share)
