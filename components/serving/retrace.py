"""The way of a post that is not in a feed: the same release asked again, for one user.

A feed keeps its places and not the thousands of posts that did not make it. So this loads the
release that made the feed, makes the user's request again from the same history, and looks where
the post came.
"""

import dataclasses
import datetime
from dataclasses import dataclass

import numpy as np

from components import contract
from components.features import day_counts
from components.features.log_actions import LogActions
from components.features.requests import RequestLog
from components.release import eligible_posts, releases
from components.release.corpus import Corpus
from components.run import compilation
from components.run.context import Context
from components.serving import audience
from components.serving.seen import SeenPairs
from components.serving.server import Server
from components.serving.withheld import Withheld, without_withdrawn
from components.settings.actions import Action
from components.settings.config import Config
from components.store.artifacts import Ref, Store
from components.tables import bucket_files
from components.tables.action_lists import ActionList
from components.tables.data_files import IMPRESSIONS_FILE
from phoenix.data.windows import Windows


@dataclass(frozen=True, kw_only=True)
class Retrace:
    """The places of one post for one user, as far as it came."""

    is_eligible: bool
    is_seen: bool  # or withheld by another rule, of which `why` tells without the models
    retrieval_place: int | None  # from 1; None if it was never compared
    num_compared: int  # eligible posts that the user had not seen
    num_retrieved: int  # how many of them were scored, beside those of other sources
    score: float | None  # after author diversity; None if it was not scored
    base_score: float | None
    score_place: int | None  # from 1
    feed_length: int

    def reasons(self) -> list[str]:
        """Returns sentences that say what kept the post out of the feed."""
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
            f"place {self.score_place}; the feed has {self.feed_length}"
            + (", some for other sources." if self.score_place <= self.feed_length else "."),
        ]


def retrace(
    store: Store, config: Config, *, release_digest: str, user_id: int, post_id: int
) -> Retrace:
    """Asks the release that made a feed for the places of a post for a user.

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
    config = _with_actions_of(store, ref, config)
    section = config.materialize_feeds
    compilation.use_cache(store)
    server = Server.open(store.read(ref).folder, _with_long_feeds(config))
    context = Context(contract.MATERIALIZE_FEEDS, config, day, store)
    if server.reads_evidence:
        features = context.read(contract.BUILD_FEATURES.name, day)
        rates = day_counts.rates_after(features.folder, features.manifest, config)
        server = dataclasses.replace(server, rates=rates)
    corpus = without_withdrawn(server.corpus, config)
    server = dataclasses.replace(server, corpus=corpus)
    windows, seen_pairs = _request(context, corpus, user_id)
    # The whole corpus in order gives the place of a post that retrieval left far behind.
    whole_order = server.retrieve(windows, seen_pairs, count=len(corpus.post_ids))
    candidates = server.collect(windows, seen_pairs)
    ranked = server.cut(windows, candidates, server.rank(windows, candidates))
    row = corpus.rows_of(np.array([post_id]))[0]
    score_place = _place(ranked.post_ids[0], post_id)
    return Retrace(
        is_eligible=bool(row >= 0 and corpus.is_eligible[row]),
        is_seen=post_id in seen_pairs.post_ids,
        retrieval_place=_place(whole_order.post_ids[0], post_id),
        num_compared=int((whole_order.post_ids[0] != 0).sum()),
        num_retrieved=section.num_retrieved,
        score=None if score_place is None else float(ranked.scores[0, score_place - 1]),
        base_score=None if score_place is None else float(ranked.base_scores[0, score_place - 1]),
        score_place=score_place,
        feed_length=section.feed_length,
    )


def _with_actions_of(store: Store, release: Ref, config: Config) -> Config:
    """Returns the configuration with the actions that a release was made for, as they were then.

    The list may be another one by now; the feed was made with this one.
    """
    facts = store.manifest(release)["facts"]
    if tuple(facts["actions"]) == config.action_names:
        return config
    features = store.head(contract.BUILD_FEATURES.name, release.partition)
    recorded = () if features is None else ActionList.of_manifest(store.manifest(features)).actions
    meanings = {each.name: each.meaning for each in recorded if each.meaning}
    now = {action.name: action.model_dump() for action in config.actions}
    actions = [
        Action(**{**now.get(name, {"name": name}), **meanings.get(name, {}), "weight": weight})
        for name, weight in zip(facts["actions"], facts["weights"], strict=True)
    ]
    return config.model_copy(update={"actions": actions})


def _with_long_feeds(config: Config) -> Config:
    """Returns a configuration whose feeds hold every candidate, so that each gets a place."""
    section = config.materialize_feeds
    long_feeds = section.model_copy(update={"feed_length": section.num_retrieved})
    return config.model_copy(update={"materialize_feeds": long_feeds})


def _request(context: Context, corpus: Corpus, user_id: int) -> tuple[Windows, SeenPairs]:
    """Makes the request of one user again, from the same history as materialize_feeds."""
    users = np.array([user_id])
    features = context.read(contract.BUILD_FEATURES.name, context.day)
    log = RequestLog(
        features.paths(IMPRESSIONS_FILE),
        context.config,
        at=eligible_posts.feed_moment(context.day),
        actions=LogActions.of_features(features.manifest, context.config),
    )
    refs = audience.event_partitions(context, context.config.materialize_feeds.seen_days)
    withheld = Withheld.of(corpus, [context.store.read(ref) for ref in refs], context.config)
    return log.windows(users), withheld.of_slots(bucket_files.span(users)).of_users(users)


def _place(post_ids: np.ndarray, post_id: int) -> int | None:
    """The place of a post from 1, or None."""
    places = np.flatnonzero(post_ids == post_id)
    return int(places[0]) + 1 if len(places) else None
