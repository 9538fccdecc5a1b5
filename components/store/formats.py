"""The versions of the formats in which a store is written and read again.

Whoever changes a format raises its number here and, in the same commit, gives the reader a
migration from the version before: a store is never left behind (`tests/stores` holds old ones).
"""

from collections.abc import Mapping

from components import contract
from components.errors import BadDataError

FIRST = 1  # of everything that names no version

# By kind, of all files of an artifact together, and of the facts in its manifest. Model folders
# (`phoenix.recommend.checkpoint`) and lists of attributes (`phoenix.data.attributes`) have versions
# of their own besides, because they are also written and read without a store.
ARTIFACTS: Mapping[str, int] = {
    # Events, posts, rejected and late rows, attributes; 2: texts of ids that are text; 3: actions;
    # 4: rows of users in order of slots, in one file or several; 5: of posts what files describe,
    # where those that rows show were among them (`components.rows.known_posts` reads both).
    contract.INGEST_EVENTS.name: 5,
    # The same, checked; statistics, expectations; 2: texts of ids that are text; 3: labels; before,
    # there were none, since rows that say more of an impression were merged into it; 4: actions;
    # 5: rows of users in order of slots, in one file or several; 6: the events' own ids, where the
    # source says some; of a day before, none is told again. 7: the posts that accepted rows show;
    # before, those of `posts.parquet` stand for them (`components.rows.known_posts`).
    contract.VALIDATE_EVENTS.name: 7,
    # Log (the state), windows, attributes, statistics; 2: texts of users whose ids are text; 3: an
    # impression may have several states, where it had its only one; 4: actions. With them, an
    # artifact says which action a bit is, and what it meant; of the formats before, the recipes say
    # which list it was (`components.tables.action_lists`).
    # 5: weights, where the source says some; 6: counts, which begin at zero after an earlier one;
    # 7: rows of users in order of slots, in one file or several.
    contract.BUILD_FEATURES.name: 7,
    # Model, curve; 2: actions; 3: numbers of what was `auto`; 4: between how many rows these are
    # kept, a quarter and four times as many before (`components.training.auto` reads both), and
    # where the optimizer began.
    contract.TRAIN_RETRIEVAL.name: 4,
    contract.TRAIN_RANKER.name: 5,  # the same; 4: whence it had its negatives; 5: as 4 of the other
    # Decision, metrics, fallback, evidence; 2: actions; 3: challengers, recipe and question;
    # 4: the figure of the decision; 5: the fallback is counts, where it was rates and likes;
    # 6: vetoes; 7: the fallback may be among drawn posts, which it never was before; 8: examples;
    # 9: the share of a model in a mixture; before, a model was alone. 10: whose the gain is, which
    # was the candidate's.
    contract.EVALUATE_MODELS.name: 10,
    contract.EXPORT_CORPUS.name: 1,  # vectors and facts of posts, description
    # Models, corpus, decision, fallback, description; 2: actions of each model; 3: its recipe;
    # 4: the figure of the decision; 5: the fallback is counts; 6: posts drawn for its training.
    # 7: the same as of evaluate_models. 8: who approved, where somebody was asked. 9: the share of
    # a model in a mixture. 10: the same as of evaluate_models.
    contract.PUBLISH_RELEASE.name: 10,
    # Measures by release, source and rank; sums by user; 2: comparisons beside a control.
    contract.MEASURE_FEEDS.name: 2,
    # Feeds of a shard, statistics; 2: texts of ids, titles; 3: feeds in order of slots, in one file
    # or several; 4: kind, day and release of each feed, feeds that were not ranked anew, and the
    # default feed. All feeds before are fresh (`components.serving.feed_files.with_origin`).
    contract.MATERIALIZE_FEEDS.name: 4,
    contract.PUBLISH_FEEDS.name: 4,  # feeds, quality, skew; 2, 3, 4: the same
}
POINTER_ENTRY = 1
RECORD = 1
# Of what is kept below `work/source`. It is part of the names there: another version is not read,
# the source is sorted again.
# 2: texts of posts and authors; 3: columns with values; 4: times; 5: no posts, no texts.
SORTED_SOURCE = 5


class UnknownFormatError(BadDataError):
    """An undamaged artifact or entry whose format this code does not know: a later one wrote it."""


def check(name: str, version: object, *, newest: int) -> None:
    """Refuses a format that is not known here.

    Args:
      name: What has the format, for the message.
      version: The version that it names, or `FIRST`.
      newest: The version that is written today; all before it are read, too.

    Raises:
      UnknownFormatError: If `version` is none from `FIRST` to `newest`.

    >>> check("train_ranker of 2026-01-03", 1, newest=2)
    >>> check("train_ranker of 2026-01-03", 3, newest=2)
    Traceback (most recent call last):
    ...
    components.store.formats.UnknownFormatError: train_ranker of 2026-01-03 has format 3, but this \
version of phoenix reads formats 1 to 2: use the version that wrote it, or a later one.
    """
    if version not in range(FIRST, newest + 1):
        readable = f"format {FIRST}" if newest == FIRST else f"formats {FIRST} to {newest}"
        raise UnknownFormatError(
            f"{name} has format {version}, but this version of phoenix reads {readable}: use the "
            "version that wrote it, or a later one."
        )
