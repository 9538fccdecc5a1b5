"""The quality of feeds, measured on the feeds themselves before anyone sees them.

Nothing here trusts the step that made the feeds: posts that were seen and posts that are eligible
are looked up again in the artifacts of the data steps and of the release.
"""

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from components.release.corpus import Corpus
from components.serving.feed_files import FRESH, KEPT, POPULAR, POPULAR_FALLBACK
from components.serving.seen import SeenPosts
from components.serving.variety import Places, Variety
from components.serving.withheld import BLOCKED, OWN, SEEN
from components.settings.config import Config
from phoenix.data import sorted_ids

_FAULTS: Mapping[str, str] = {  # of places, of which there may be none
    SEEN: "posts were shown to their user before",
    BLOCKED: "posts are of authors whom their user has blocked",
    OWN: "posts are their user's own",
    "not_eligible": "posts are not eligible",
    "bad_scores": "scores are not finite",
    "bad_order": "places have a higher score than the place above",
    "too_old": "places are of feeds too old to be kept",
}


@dataclass(frozen=True)
class Quality:
    """The measures of a day's feeds, and a sentence for each limit that they break."""

    report: dict[str, Any]
    breaches: Sequence[str]


class QualityMeasures:
    """The measures of the feeds of a day, which add up over parts of its users.

    Whatever no limit speaks of is for people who watch how feeds change.
    """

    def __init__(self, corpus: Corpus, config: Config, day: datetime.date) -> None:
        """Begins without feeds.

        Args:
          corpus: Of the release.
          config: With the limits.
          day: Of the feeds.
        """
        self._corpus, self._config, self._day = corpus, config, np.datetime64(day)
        self._sources = Counter[str]()  # places
        self._ages = Counter[int]()  # users by the age of the feed that they keep
        self._counts = Counter[str]()
        self._variety = Variety(corpus, day)
        # Of all places, 4 bytes each: quantiles do not add up.
        self._scores = [np.empty(0, np.float32)]

    def add(self, feeds: pa.Table, withheld: Mapping[str, SeenPosts], earlier: SeenPosts) -> None:
        """Measures the feeds of some users.

        Args:
          feeds: In the schema of `schemas.feeds`, sorted by user and rank.
          withheld: Posts that may not be shown to these users, and maybe to others, by rule.
          earlier: What stood in the published feeds of these users before.
        """
        users, posts = feeds["user_id"].to_numpy(), feeds["post_id"].to_numpy()
        authors, scores = feeds["author_id"].to_numpy(), feeds["score"].to_numpy()
        _, first, lengths = np.unique(users, return_index=True, return_counts=True)
        kinds = feeds["kind"].to_numpy()
        ages = (self._day - feeds["made_on"].to_numpy()).astype(np.int64)
        is_kept, is_fresh = kinds == KEPT, kinds == FRESH
        unscored = users[is_fresh & _has_rule(feeds["rules"], POPULAR_FALLBACK)]
        self._ages.update(ages[first[is_kept[first]]].tolist())
        most_days = self._config.materialize_feeds.keep_feed_days
        names, places = np.unique(feeds["source"].to_numpy().astype(str), return_counts=True)
        self._sources.update(dict(zip(names.tolist(), places.tolist(), strict=True)))
        same_user, length = users[1:] == users[:-1], self._config.materialize_feeds.feed_length
        self._counts.update(
            users_with_feed=len(lengths),
            positions=len(users),
            full=int((lengths[~is_kept[first]] >= length).sum()),
            too_old=int((ages > np.where(is_kept, most_days, 0)).sum()),
            pairs=_num_pairs(users, posts),
            **{rule: _num_common(users, posts, pairs) for rule, pairs in withheld.items()},
            not_eligible=_num_not_eligible(posts, self._corpus),
            bad_scores=int((~np.isfinite(scores)).sum()),
            bad_order=int((same_user & (scores[1:] > scores[:-1])).sum()),
            unscored=len(np.unique(unscored)),
        )
        self._variety.add(Places(users, posts, authors, is_fresh), withheld[SEEN], earlier)
        self._scores.append(scores)

    def quality(self, num_users_by_kind: Mapping[str, int]) -> Quality:
        """Returns the quality of all feeds, to be made for so many users of each kind."""
        counts, num_rows = self._counts, self._counts["positions"]
        num_users, num_fresh = sum(num_users_by_kind.values()), num_users_by_kind[FRESH]
        num_made = num_users - num_users_by_kind[KEPT]
        report = {
            "users": num_users,
            "users_with_feed": counts["users_with_feed"],
            "positions": num_rows,
            "users_by_kind": dict(num_users_by_kind),
            "kept_by_age": {str(age): self._ages[age] for age in sorted(self._ages)},
            "coverage": counts["full"] / num_made if num_made else 1.0,
            "duplicates": num_rows - counts["pairs"],
            **{name: counts[name] for name in _FAULTS},
            "fallback_share": counts["unscored"] / num_fresh if num_fresh else 0.0,
            "popular_share": self._sources[POPULAR] / num_rows if num_rows else 0.0,
            "places_by_source": {name: self._sources[name] for name in sorted(self._sources)},
            **self._variety.report(num_users),
            "score_quantiles": _quantiles(np.concatenate(self._scores)),
        }
        return Quality(report, _breaches(report, self._config))


def _breaches(report: dict[str, Any], config: Config) -> list[str]:
    section = config.publish_feeds
    num_made = report["users"] - report["users_by_kind"][KEPT]  # the others lose places by rules
    breaches = [
        f"{report[name]} {fault}, expected none"
        for name, fault in {"duplicates": "posts stand twice in a feed", **_FAULTS}.items()
        if report[name]
    ]
    if report["coverage"] < section.min_coverage:
        breaches.append(
            f"{report['coverage']:.3f} of {num_made} users have a full feed of "
            f"{config.materialize_feeds.feed_length} posts (materialize_feeds.feed_length), "
            f"expected at least publish_feeds.min_coverage, {section.min_coverage}: where posts "
            "are few, as in a small log, lower one of them"
        )
    if report["fallback_share"] > section.max_fallback_share:
        breaches.append(
            f"{report['fallback_share']:.3f} of the active users could not be scored, expected at "
            f"most max_fallback_share {section.max_fallback_share}"
        )
    limits = (
        ("largest_post_share", 1, "of the users have the same post in their feed"),
        ("gini", 1, "is the Gini index of places over eligible posts"),
        ("repeated_share", 1, "of the places of feeds ranked anew stood in the feed before"),
        ("new_share", -1, "of the places are posts of the day"),
    )
    for name, sign, words in limits:
        setting = f"{'max' if sign > 0 else 'min'}_{name}"
        limit, value = getattr(section, setting), report[name]
        if value is not None and sign * value > sign * limit:
            breaches.append(
                f"{value:.3f} {words}, expected at {'most' if sign > 0 else 'least'} "
                f"publish_feeds.{setting}, {limit}"
            )
    return breaches


def _num_pairs(first: np.ndarray, second: np.ndarray) -> int:
    """The number of distinct pairs of two columns of ids.

    >>> _num_pairs(np.array([1, 1, 2]), np.array([5, 5, 5]))
    2
    """
    return len(sorted_ids.distinct_pairs(first, second)[0])


def _num_common(users: np.ndarray, posts: np.ndarray, seen_posts: SeenPosts) -> int:
    """The number of pairs that were seen: those that stand twice when both sets are joined."""
    both_users = np.concatenate([users, seen_posts.user_ids])
    both_posts = np.concatenate([posts, seen_posts.post_ids])
    num_pairs = _num_pairs(users, posts) + len(seen_posts.user_ids)
    return num_pairs - _num_pairs(both_users, both_posts)


def _num_not_eligible(posts: np.ndarray, corpus: Corpus) -> int:
    rows = corpus.rows_of(posts)
    # A post that the corpus does not know is as bad as one that it holds back.
    is_eligible = np.append(corpus.is_eligible, False)  # row -1: not in the corpus
    return int((~is_eligible[rows]).sum())


def _quantiles(scores: np.ndarray) -> list[float] | None:
    """Minimum, quartiles and maximum of the finite scores; None if there are none."""
    finite = scores[np.isfinite(scores)]
    if not len(finite):
        return None
    return [float(value) for value in np.quantile(finite, [0, 0.25, 0.5, 0.75, 1])]


def _has_rule(rules: pa.ChunkedArray, name: str) -> np.ndarray:
    """`[R]` bool: whether each row lists the rule."""
    flags = np.zeros(len(rules), bool)
    start = 0
    for chunk in rules.chunks:
        places = np.flatnonzero(chunk.flatten().to_numpy(zero_copy_only=False) == name)
        row = np.repeat(np.arange(len(chunk)), chunk.value_lengths().to_numpy())
        flags[start + row[places]] = True
        start += len(chunk)
    return flags
