"""The contests of a day: its windows as they were known at its end, and the posts to retrieve."""

from dataclasses import replace

import numpy as np

from components.evaluation.day_users import sample_users
from components.evaluation.ranking_contest import RankingContest
from components.evaluation.retrieval_contest import RetrievalContest
from components.features import day_counts, log_actions, post_facts, shapes
from components.features.later_labels import LaterLabels
from components.features.negatives import day_posts, impression_marks
from components.features.windows_files import WindowsFiles
from components.release import eligible_posts
from components.run.context import Context
from components.store.artifacts import Artifact, Ref
from components.tables import data_files
from phoenix.data.days import midnight_ms
from phoenix.data.negatives.drawn_posts import DrawnPosts, LoggedNegatives
from phoenix.data.window_source import InMemoryWindows
from phoenix.data.windows import Windows
from phoenix.recommend.baselines import Collection
from phoenix.recommend.recommender import PostInputs

_DRAWN_STREAM = 1 << 41  # of what is random: far from the numbers of users


def contests_of(
    context: Context, features: Artifact, validated: Artifact, labels: LaterLabels
) -> dict[str, RetrievalContest | RankingContest]:
    """Returns the contest of each role, on the windows of the day as they were known at its end.

    Args:
      context: The run, of the day.
      features: Of the day.
      validated: Of the day.
      labels: That arrived for the day, by the moment at which it is judged.

    Raises:
      BadDataError: If a file is damaged.
    """
    config, day = context.config, str(context.day)
    actions = log_actions.of_partitions({day: features.manifest}, context)[day]
    files = WindowsFiles(
        features.folder,
        spec=shapes.hash_spec(config.hashing),
        known=labels.known(features.ref, features.facts),
        actions=actions,
        rates=day_counts.rates_before(features.folder, features.manifest, config),
    )
    # Other users every day: evidence adds up over more of them.
    seed = config.seed + context.day.toordinal()
    users = sample_users(files.users(), config.evaluate_models.max_users, seed=seed)
    windows = files.of_users(users)
    posts = validated.path(data_files.POSTS_FILE)
    collection = eligible_posts.collection_of(posts, config, context.day)
    collection = replace(collection, inputs=_inputs_of(context, collection, validated.ref))
    return {
        "retrieval": RetrievalContest(config, windows, collection),
        "ranker": _ranking_contest(context, features, windows, seed=seed),
    }


def _inputs_of(context: Context, posts: Collection, validated: Ref) -> PostInputs:
    """Returns what retrievers may read of posts, as it was before the day.

    The counts are those of all posts: the counts beside the windows of the day are of posts that
    were shown on it, and would tell which. Of a post of the day it is what was known of it when it
    was written.
    """
    counted = day_counts.counted_before(context, context.day)
    ids, start = (posts.post_ids, posts.author_ids), midnight_ms(context.day)
    return PostInputs(
        day_counts.popularity_of_posts(context, counted, *ids),
        *post_facts.attributes_and_ages(context, validated, posts.post_ids, start),
    )


def _ranking_contest(
    context: Context, features: Artifact, windows: Windows, *, seed: int
) -> RankingContest:
    """Returns the contest of rankers, beside drawn posts where the day has no negatives."""
    config = context.config
    number = config.evaluate_models.ranking_drawn_per_window
    if number == "auto":
        marks = impression_marks.of_config(config)
        logged = LoggedNegatives.of(InMemoryWindows(windows), marks=marks)
        number = config.build_features.num_candidates if logged.are_missing else 0
    if not number:
        return RankingContest(config, windows)
    drawn_posts = DrawnPosts(per_window=number, posts=day_posts.of_days(context, [features.ref]))
    generator = np.random.Generator(np.random.Philox(key=[seed % 2**63, _DRAWN_STREAM]))
    windows = drawn_posts.added_to(windows, generator, shapes.hash_spec(config.hashing))
    # Of windows whose posts were all new, there is nothing to compare.
    windows = windows.rows(np.flatnonzero(windows.candidate_mask.any(axis=1)))
    return RankingContest(config, windows, number)
