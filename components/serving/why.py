"""Reasons for the place of a post in a feed, or for its absence.

Only for a post that might have come into the feed and did not is the release loaded and asked
again.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from components import contract
from components.release import releases
from components.serving import rule_lists
from components.serving.feed_files import (
    FRESH,
    KEPT,
    POPULAR,
    POPULAR_FALLBACK,
    RANKER_MIXTURE,
    RETRIEVAL,
    RETRIEVER_MIXTURE,
)
from components.serving.published import (
    DEFAULT,
    Feed,
    Item,
    decisive_contributions,
    feed,
    feeds_of,
)
from components.serving.rule_lists import PAIR
from components.settings.config import Config
from components.store.artifacts import Store
from components.tables import id_texts
from components.tables.data_files import ACCEPTED_FILE, POSTS_FILE

_SOURCES = {
    "fresh": "It is fresh: new posts have places of their own in every feed.",
    "authors": "It is among the newest posts of an author with whom the user engaged or whom they "
    "follow.",
    "listed": "It is on the list of posts to show.",
    "similar": "It is like the last posts with which the user engaged.",
}


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The place of a post in a feed, if it has one, and the reasons for that."""

    user: str  # the ids as the source writes them
    post: str
    title: str | None
    day: str
    release: str
    is_live: bool
    kind: str  # of the feed
    made_on: str
    item: Item | None
    num_items: int
    lowest_score: float | None  # of the feed
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the explanation as JSON-able values."""
        item = self.item.to_json() if self.item else None
        values = {**vars(self), "item": item, "reasons": list(self.reasons)}
        return {**values, "user_id": values.pop("user"), "post_id": values.pop("post")}


def why(
    store: Store, config: Config, user: str, post: str, day: datetime.date | None = None
) -> Explanation:
    """Returns the reasons why a post has its place in a user's feed, or why it has none.

    Args:
      store: Of the deployment.
      config: Of the deployment.
      user: The id as the source writes it.
      post: The same of a post.
      day: UTC day; the one that is live by default.

    Raises:
      BadConfigurationError: If one of the two is no id.
      BadDataError: If nothing was published, or there is no feed for this user.
    """
    # Who has no feed of their own has the default one, and reasons, too.
    user_feed = feed(store, config, user, day)
    post_id = id_texts.parse_id(post, "post_id", config)
    item = next((item for item in user_feed.items if item.post_id == post_id), None)
    if item:
        reasons = [*_reasons_for(item), *_meaning_of_probabilities(store, user_feed)]
    else:
        reasons = _reasons_against(store, config, user_feed, post_id)
    if user_feed.kind != FRESH:
        reasons = [f"The feed is {user_feed.kind_in_words}.", *reasons]
    return Explanation(
        user=user_feed.user,
        post=item.post if item else post,
        title=item.title if item else None,
        day=user_feed.day,
        release=user_feed.release,
        is_live=user_feed.is_live,
        kind=user_feed.kind,
        made_on=user_feed.made_on,
        item=item,
        num_items=len(user_feed.items),
        lowest_score=user_feed.items[-1].score if user_feed.items else None,
        reasons=tuple(reasons),
    )


def _reasons_for(item: Item) -> list[str]:
    if POPULAR_FALLBACK in item.rules:
        reasons = ["Too little is known about the user, so the most popular posts are shown."]
    elif item.source == POPULAR:
        reasons = ["It is one of the most popular posts."]
    elif item.source == RETRIEVAL:
        score = "" if item.retrieval_score is None else f" with {item.retrieval_score:.3f}"
        mixed = " and popular, by a mixture of both," if RETRIEVER_MIXTURE in item.rules else ""
        reasons = [f"Retrieval found it near the user's interests{mixed}{score}."]
    else:
        reasons = [_SOURCES.get(item.source, f"It comes from the source {item.source}.")]
    if RANKER_MIXTURE in item.rules:
        reasons.append("Its probabilities are a mixture of the model's and most popular's.")
    for each in decisive_contributions(item):
        reasons.append(
            f"{each.action}: probability {each.probability:.1%} times weight {each.weight:g} "
            f"gives {each.value:+.4f}."
        )
    if item.diversity_multiplier < 1:
        reasons.append(
            f"Its author is above it already, so its score is multiplied by "
            f"{item.diversity_multiplier:.2f}."
        )
    return reasons


def _meaning_of_probabilities(store: Store, user_feed: Feed) -> list[str]:
    """Returns a sentence where the probabilities are none of the log; often none."""
    ref = store.head(releases.RELEASE, user_feed.made_on)
    if ref is None or ref.digest != user_feed.release:  # it is gone
        return []
    number = store.manifest(ref)["facts"]["ranker"].get("drawn_per_window", 0)  # since format 6
    if not number:
        return []
    return [
        "The log has no impressions without an action, so the ranker learned beside drawn posts: "
        f"its probabilities are those of an action among {number} posts drawn per window, and "
        "compare posts; they are no rates of the log."
    ]


def _reasons_against(store: Store, config: Config, user_feed: Feed, post: int) -> list[str]:
    """Returns what kept a post out: unknown, not eligible, seen before, or not good enough.

    In the order of what it costs to look up: a file of posts, a few files of events, the models.
    """
    day = datetime.date.fromisoformat(user_feed.day)
    posts = _read_rows(store, user_feed.day, POSTS_FILE, post_id=post)
    if not posts:
        return [f"The post is not among those known by the end of {user_feed.day}."]
    if not posts[0]["eligible"]:
        return ["The post is marked as not eligible."]
    if reasons := _reasons_of_rules(config, user_feed.user_id, posts[0]):
        return reasons
    for back in range(config.materialize_feeds.seen_days):
        earlier = (day - datetime.timedelta(days=back)).isoformat()
        if earlier >= config.first_day.isoformat() and _read_rows(
            store, earlier, ACCEPTED_FILE, post_id=post, user_id=user_feed.user_id
        ):
            return [f"The user was shown it on {earlier} already."]
    if user_feed.kind in (POPULAR, DEFAULT):
        return ["Other posts are more popular among those that may be shown."]
    if user_feed.kind == KEPT and (reasons := _reasons_since(store, config, user_feed, post)):
        return reasons
    from components.serving import retrace  # it loads the models: only for a post that came close

    return retrace.retrace(
        store,
        config,
        release_digest=user_feed.release,
        user_id=user_feed.user_id,
        post_id=post,
    ).reasons()


def _reasons_of_rules(config: Config, user: int, post: Mapping[str, Any]) -> list[str]:
    """Returns the rule of the configuration that withholds a post from a user; often none."""
    if post["post_id"] in rule_lists.withdrawn_posts(config):
        return ["It is withdrawn: it is on the list `materialize_feeds.withdrawn_posts`."]
    if config.materialize_feeds.authors_are_users and post["author_id"] == user:
        return ["It is the user's own (`materialize_feeds.authors_are_users`)."]
    users, authors = (rule_lists.blocked_authors(config)[name].to_numpy() for name in PAIR)
    if np.any((users == user) & (authors == post["author_id"])):
        return [
            "The user has blocked its author: the pair is on the list "
            "`materialize_feeds.blocked_authors`."
        ]
    return []


def _reasons_since(store: Store, config: Config, user_feed: Feed, post: int) -> list[str]:
    """Returns why a post is in a kept feed no more; nothing if it never was."""
    ref = store.head(releases.FEEDS, user_feed.made_on)
    before = [] if ref is None else feeds_of(store, config, ref, [user_feed.user_id])
    if not any(item.post_id == post for each in before for item in each.items):
        return []
    return [
        f"It was in the feed of {user_feed.made_on} and has been taken out since: it was too old "
        "(`export_corpus.max_age_days`), held back or shown on one of the days after."
    ]


def _read_rows(store: Store, partition: str, name: str, **equal: int) -> list[dict[str, Any]]:
    """Returns the rows of a file of validate_events with these values; none without an artifact."""
    ref = store.head(contract.VALIDATE_EVENTS.name, partition)
    if ref is None:
        return []
    paths = store.read_files(ref, name)
    filters = [(column, "=", value) for column, value in equal.items()]
    return pq.read_table(paths, filters=filters).to_pylist()
