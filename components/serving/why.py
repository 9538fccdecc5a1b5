"""Why a post is where it is in a feed, or is not there.

Only for a post that might have come into the feed and did not is the release loaded and asked
again.
"""

import datetime
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from components.serving.published import Feed, Item, decisive_contributions, feed
from components.settings.config import Config
from components.store.artifacts import Store


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a post has its place in a feed, or has none."""

    user_id: int
    post_id: int
    day: str
    release: str
    is_live: bool
    item: Item | None
    num_items: int
    lowest_score: float | None  # of the feed
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the explanation as JSON-able values."""
        item = self.item.to_json() if self.item else None
        return {**vars(self), "item": item, "reasons": list(self.reasons)}


def why(
    store: Store, config: Config, user: int, post: int, day: datetime.date | None = None
) -> Explanation:
    """Returns why a post has its place in a user's feed, or what kept it out.

    Raises:
      BadDataError: If nothing was published, or there is no feed for this user.
    """
    found = feed(store, config, user, day)
    item = next((item for item in found.items if item.post_id == post), None)
    reasons = _reasons_for(item) if item else _reasons_against(store, config, found, post)
    return Explanation(
        user_id=user,
        post_id=post,
        day=found.day,
        release=found.release,
        is_live=found.is_live,
        item=item,
        num_items=len(found.items),
        lowest_score=found.items[-1].score if found.items else None,
        reasons=tuple(reasons),
    )


def _reasons_for(item: Item) -> list[str]:
    if "popular_fallback" in item.rules:
        reasons = ["Too little is known about the user, so the most popular posts are shown."]
    elif item.source == "popular":
        reasons = ["The release recommends the most popular posts, and it is one of them."]
    else:
        score = "" if item.retrieval_score is None else f" with {item.retrieval_score:.3f}"
        reasons = [f"Retrieval found it near the user's interests{score}."]
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


def _reasons_against(store: Store, config: Config, found: Feed, post: int) -> list[str]:
    """What kept a post out: unknown, not eligible, seen before, or not good enough."""
    day = datetime.date.fromisoformat(found.day)
    known = _rows(store, "validate_events", found.day, "posts.parquet", post_id=post)
    if not known:
        return [f"The post is not among those known by the end of {found.day}."]
    if not known[0]["eligible"]:
        return ["The post is marked as not eligible."]
    for back in range(config.materialize_feeds.seen_days):
        shown = (day - datetime.timedelta(days=back)).isoformat()
        if shown >= config.first_day.isoformat() and _rows(
            store, "validate_events", shown, "accepted.parquet", post_id=post, user_id=found.user_id
        ):
            return [f"The user was shown it on {shown} already."]
    from components.serving import retrace  # it loads the models: only for a post that came close

    return retrace.retrace(
        store, config, release_digest=found.release, user_id=found.user_id, post_id=post
    ).reasons()


def _rows(store: Store, kind: str, partition: str, name: str, **equal: int) -> list[dict[str, Any]]:
    ref = store.head(kind, partition)
    if ref is None:
        return []
    path = store.read_file(ref, name)
    filters = [(column, "=", value) for column, value in equal.items()]
    return pq.read_table(path, filters=filters).to_pylist()
