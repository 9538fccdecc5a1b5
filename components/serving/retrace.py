"""How far a post came that is not in a feed: the same release asked again, for one user.

A feed keeps its places and not the thousands of posts that did not make it. So this loads the
release that made the feed, makes the user's request again from the same history, and looks where
the post came.
"""

import datetime
from dataclasses import dataclass

import numpy as np

from components import contract
from components.features import requests
from components.release import eligible_posts, releases
from components.run import compilation
from components.run.context import Context
from components.serving import audience
from components.serving.server import Candidates, Server
from components.settings.config import Config
from components.store.artifacts import Store
from components.tables.data_files import IMPRESSIONS_FILE


@dataclass(frozen=True, kw_only=True)
class Retrace:
    """How far one post came for one user."""

    is_eligible: bool
    is_seen: bool
    retrieval_place: int | None  # from 1; None if it was never compared
    num_compared: int  # eligible posts that the user had not seen
    num_retrieved: int  # how many of them were scored
    score: float | None  # after author diversity; None if it was not scored
    base_score: float | None
    score_place: int | None  # from 1
    feed_length: int

    def reasons(self) -> list[str]:
        """Says in sentences what kept the post out of the feed."""
        if not self.is_eligible:
            return ["The post was not eligible in the corpus of the release."]
        if self.is_seen:
            return ["The user was shown it before."]
        if self.score_place is None:
            return [
                f"Retrieval put it at place {self.retrieval_place} of {self.num_compared} posts; "
                f"the first {self.num_retrieved} were scored."
            ]
        return [
            f"It was retrieved at place {self.retrieval_place} of {self.num_compared}.",
            f"Its score of {self.score:.4f} (before author diversity {self.base_score:.4f}) is "
            f"place {self.score_place}; the feed has {self.feed_length}.",
        ]


def retrace(
    store: Store, config: Config, *, release_digest: str, user_id: int, post_id: int
) -> Retrace:
    """Asks the release that made a feed for everything that it thinks of a post for a user.

    Args:
      store: The store.
      config: Of the deployment.
      release_digest: Of the release, as the feeds name it.
      user_id: The user.
      post_id: The post.

    Raises:
      BadDataError: If the release or the history is gone or damaged.
    """
    ref = releases.find(store, release_digest)
    day = datetime.date.fromisoformat(ref.partition)
    section = config.materialize_feeds
    # Every candidate gets a place, not only those that a feed holds.
    deep = config.model_copy(
        update={
            "materialize_feeds": section.model_copy(update={"feed_length": section.num_retrieved})
        }
    )
    compilation.use_cache(store)
    server = Server.open(store.read(ref).folder, deep)
    context = Context(contract.MATERIALIZE_FEEDS, config, day, store)
    users = np.array([user_id])
    windows = requests.request_windows(
        context.read("build_features", day).path(IMPRESSIONS_FILE),
        config,
        user_ids=users,
        at=eligible_posts.feed_moment(day),
    )
    refs = audience.event_partitions(context, section.seen_days)
    seen = audience.seen_posts([store.read(each) for each in refs]).of_users(users)
    everything = server.retrieve(windows, seen, count=len(server.corpus.post_ids))
    row = server.corpus.rows_of(np.array([post_id]))[0]
    place = _place(everything.post_ids[0], post_id)
    candidates = Candidates(
        everything.post_ids[:, : section.num_retrieved],
        everything.author_ids[:, : section.num_retrieved],
        everything.retrieval_scores[:, : section.num_retrieved],
        everything.is_unscored,
    )
    ranked = server.cut(windows, candidates, server.rank(windows, candidates))
    score_place = _place(ranked.post_ids[0], post_id)
    return Retrace(
        is_eligible=bool(row >= 0 and server.corpus.is_eligible[row]),
        is_seen=post_id in seen[1],
        retrieval_place=place,
        num_compared=int((everything.post_ids[0] != 0).sum()),
        num_retrieved=section.num_retrieved,
        score=None if score_place is None else float(ranked.scores[0, score_place - 1]),
        base_score=None if score_place is None else float(ranked.base_scores[0, score_place - 1]),
        score_place=score_place,
        feed_length=section.feed_length,
    )


def _place(post_ids: np.ndarray, post_id: int) -> int | None:
    """The place of a post from 1, or None."""
    found = np.flatnonzero(post_ids == post_id)
    return int(found[0]) + 1 if len(found) else None
