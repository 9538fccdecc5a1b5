"""Feeds as they were published, with the contributions that gave each post its place.

Everything is read from verified files of published feeds: it is about what was served, not about
what the models would say today, and takes a moment.
"""

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components import contract
from components.errors import BadDataError
from components.release import releases
from components.serving import feed_files
from components.serving.feed_files import DEFAULT_FILE, FEEDS_FILE, KEPT, POPULAR, RETRIEVAL
from components.settings.config import Config
from components.store.artifacts import Ref, Store
from components.tables import id_texts
from components.tables.bucket_files import BucketFiles

DEFAULT = "default"  # the kind of the feed of a user who has none of their own


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """One predicted action's part of the score of a post."""

    action: str
    probability: float
    weight: float

    @property
    def value(self) -> float:
        """Probability times weight."""
        return self.probability * self.weight


@dataclass(frozen=True, kw_only=True)
class Item:
    """One place in a feed."""

    rank: int
    post_id: int
    post: str  # the id as the source writes it
    author: str  # the same
    title: str | None
    score: float
    base_score: float
    diversity_multiplier: float
    source: str
    retrieval_score: float | None
    rules: tuple[str, ...]
    contributions: tuple[Contribution, ...]  # the largest first

    @property
    def weighted_sum(self) -> float:
        """The sum of the contributions, which `phoenix.recommend.scoring` moves above 0."""
        return sum(each.value for each in self.contributions)

    def to_json(self) -> dict[str, Any]:
        """Returns the place as JSON-able values."""
        contributions = [asdict(each) | {"value": each.value} for each in self.contributions]
        values = asdict(self)
        # Ids are text, whole numbers of 64 bits too: JavaScript would round them.
        return {
            **values,
            "post_id": values.pop("post"),
            "author_id": values.pop("author"),
            "weighted_sum": self.weighted_sum,
            "contributions": contributions,
            "rules": list(self.rules),
        }


@dataclass(frozen=True, kw_only=True)
class Feed:
    """The feed of one user on one day."""

    user_id: int
    user: str  # the id as the source writes it
    day: str
    release: str  # digest of the release that made it
    is_live: bool
    items: tuple[Item, ...]
    kind: str  # fresh, kept, popular, or DEFAULT
    made_on: str  # the day of the ranking

    @property
    def age_days(self) -> int:
        """Days since it was ranked; 0 but for a kept feed."""
        return (contract.parse_day(self.day) - contract.parse_day(self.made_on)).days

    @property
    def kind_in_words(self) -> str:
        """The kind, as people are told."""
        if self.kind == KEPT:
            return f"kept from {self.made_on}, age {self.age_days} d"
        return {
            POPULAR: "popular posts: the user was not active, and keeps no feed",
            DEFAULT: "the default feed: the user has none of their own",
        }.get(self.kind, self.kind)

    def to_json(self) -> dict[str, Any]:
        """Returns the feed as JSON-able values."""
        items = [item.to_json() for item in self.items]
        values = {**vars(self), "age_days": self.age_days, "items": items}
        return {**values, "user_id": values.pop("user")}


def feed(store: Store, config: Config, user: str, day: datetime.date | None = None) -> Feed:
    """Returns the feed of a user: the live one, or the one published for `day`.

    Who has none of their own, an unknown user too, has the default feed.

    Args:
      store: Of the deployment.
      config: Of the deployment.
      user: The id as the source writes it.
      day: UTC day.

    Raises:
      BadConfigurationError: If `user` is no id.
      BadDataError: If nothing was published, or these feeds are older than default feeds and have
        none for this user.
    """
    ref, user_id = _published(store, day), id_texts.parse_id(user, "user_id", config)
    feeds = feeds_of(store, config, ref, [user_id])
    if feeds:
        return feeds[0]
    default = default_feed(store, config, ref)
    if default is None:
        raise BadDataError(
            f"There is no feed for user {user} in the feeds of {ref.partition}: the user was not "
            "active, or is not known, and they were made by a version without a default feed."
        )
    return replace(default, user_id=user_id, user=user)


def feeds_of(store: Store, config: Config, feeds: Ref, users: Sequence[int]) -> list[Feed]:
    """Returns the feeds of some users, in their order; nothing for a user without one."""
    file = BucketFiles(store.read_files(feeds, FEEDS_FILE))
    tables = [(user, file.of_user(user)) for user in users]
    return [_feed(store, config, feeds, user, rows) for user, rows in tables if len(rows)]


def default_feed(store: Store, config: Config, feeds: Ref) -> Feed | None:
    """Returns the feed of users without one of their own; None before there was one."""
    if DEFAULT_FILE not in store.manifest(feeds)["files"]:
        return None
    rows = pq.read_table(store.read_file(feeds, DEFAULT_FILE))
    return replace(_feed(store, config, feeds, feed_files.NOBODY, rows), kind=DEFAULT)


def _feed(store: Store, config: Config, feeds: Ref, user: int, rows: pa.Table) -> Feed:
    """Returns the rows of a user's feed as a feed."""
    actions = rows.schema.metadata[b"actions"].decode().split(",")
    release = rows.schema.metadata[b"release"].decode()
    places = feed_files.with_origin(rows, feeds.partition).to_pylist()
    # A corpus without a post that anybody may be shown makes an empty default feed.
    first = places[0] if places else {"kind": POPULAR, "made_on": feeds.partition}
    release, made_on = str(first.get("release", release)), str(first["made_on"])
    weights, live = _weights(store, config, made_on, release), releases.live(store)
    return Feed(
        user_id=user,
        user=first.get("user", str(user)),
        day=feeds.partition,
        release=release,
        is_live=live is not None and live.feeds == feeds,
        items=tuple(_item(row, actions, weights) for row in places),
        kind=first["kind"],
        made_on=made_on,
    )


def example_users(store: Store, feeds: Ref, count: int) -> list[int]:
    """Returns users spread evenly over those who have a feed, by their ids."""
    if not count:
        return []
    users = BucketFiles(store.read_files(feeds, FEEDS_FILE)).users().tolist()
    last = len(users) - 1
    # A set: with fewer users than asked for, several parts fall on the same user.
    places = {last * part // max(count - 1, 1) for part in range(count)}
    return [users[place] for place in sorted(places)] if users else []


def short_reason(item: Item) -> str:
    """Returns a few words on why a post has its place."""
    if item.source == POPULAR:
        words = ["popular"]
    else:
        best = [each for each in decisive_contributions(item) if each.value > 0]
        words = [f"{each.action} {each.probability:.1%}" for each in best]
        words += [] if item.source == RETRIEVAL else [f"from {item.source}"]
    if item.diversity_multiplier < 1:
        words.append(f"author again, times {item.diversity_multiplier:.2f}")
    return ", ".join(words)


def _published(store: Store, day: datetime.date | None) -> Ref:
    """Returns the live feeds, or those published for a day."""
    if day is None:
        live = releases.live(store)
        if live is None:
            raise BadDataError("Nothing is published yet: `phoenix demo` or a backfill does it.")
        return live.feeds
    feeds = store.head(releases.FEEDS, day.isoformat())
    if feeds is None:
        days = store.partitions(releases.FEEDS)
        others = f"there are feeds of {days[0]} to {days[-1]}" if days else "there are none yet"
        raise BadDataError(f"No feeds were published for {day}; {others}.")
    return feeds


def _weights(store: Store, config: Config, day: str, digest: str) -> dict[str, float]:
    """Returns the weights with which a release scored; the configured ones if it is gone."""
    ref = store.head(releases.RELEASE, day)
    if ref is not None and ref.digest == digest:
        facts = store.manifest(ref)["facts"]
        return dict(zip(facts["actions"], facts["weights"], strict=True))
    return {action.name: action.score_weight for action in config.actions}


def _item(row: dict[str, Any], actions: list[str], weights: dict[str, float]) -> Item:
    """Returns one row of a file of feeds as a place; an action without a weight counts nothing."""
    contributions = [
        Contribution(action=action, probability=value, weight=weights.get(action, 0.0))
        for action, value in zip(actions, row["probabilities"], strict=False)
    ]
    contributions.sort(key=lambda each: -abs(each.value))
    numbers = ("rank", "post_id", "score", "base_score", "diversity_multiplier")
    return Item(
        **{name: row[name] for name in numbers},
        post=row.get("post", str(row["post_id"])),
        author=row.get("author", str(row["author_id"])),
        title=row.get("title"),
        source=row["source"],
        retrieval_score=row["retrieval_score"],
        rules=tuple(row["rules"] or ()),
        contributions=tuple(contributions),
    )


def decisive_contributions(item: Item) -> list[Contribution]:
    """Returns the two contributions that speak most for a post, then the one most against it."""
    speaking_for = [each for each in item.contributions if each.value > 0]
    against = [each for each in item.contributions if each.value < 0]
    return [*speaking_for[:2], *against[:1]]
