"""Public logs by the names and columns of their files, each with the settings that read it."""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from components.profiling import action_guesses, words
from components.profiling.pattern_guesses import pattern
from components.profiling.proposals import Proposal, ProposedAction
from components.profiling.samples import Sample

_Recognition = Callable[[Sequence[Sample]], Proposal | None]


def recognise(samples: Sequence[Sample]) -> Proposal | None:
    """Proposes the configuration of a public log that is known; None for any other log.

    Args:
      samples: The first rows of its files.
    """
    proposals = (recognition(samples) for recognition in _RECOGNITIONS)
    return next((proposal for proposal in proposals if proposal is not None), None)


def _kuairand(samples: Sequence[Sample]) -> Proposal | None:
    if _named(samples, r"log_(standard|random)_.*\.csv") is None:
        return None
    columns = ("is_like", "is_comment", "is_forward", "is_click", "is_follow", "is_hate")
    flags = [words.meaning_of(column) for column in columns]
    return Proposal(
        title="KuaiRand: a log of a short-video app, in which every row is an impression.",
        source={"layout": "kuairand", "path": str(_folder_of(samples, r"log_.*\.csv"))},
        actions=[
            *(
                ProposedAction(name=flag.name, column=column, is_positive=flag.is_positive)
                for flag, column in zip(flags, columns, strict=True)
            ),
            ProposedAction(name="long_view", published_as="vqv", is_positive=True),
            ProposedAction(name="profile_click", column="is_profile_enter"),
        ],
        sections={"build_features": {"history_length": 16, "num_candidates": 4}},
    )


def _movielens(samples: Sequence[Sample]) -> Proposal | None:
    ratings = r"ratings\.(csv|dat)|u\.data"
    sample = _named(samples, ratings)
    if sample is None or (
        sample.form.has_header and not {"userId", "movieId"} <= set(sample.rows.column_names)
    ):
        return None
    return Proposal(
        title="MovieLens: ratings of movies; whoever rates has watched.",
        source={"layout": "movielens", "path": str(_folder_of(samples, ratings))},
        actions=[
            ProposedAction(name="favorite", column="rating", at_least=4, is_positive=True),
            ProposedAction(name="not_interested", column="rating", at_most=2),
        ],
        sections={
            "build_features": {"history_length": 64, "num_candidates": 8, "window_minutes": 60}
        },
    )


def _gharchive(samples: Sequence[Sample]) -> Proposal | None:
    name = r"\d{4}-\d{2}-\d{2}-\d{1,2}\.json\.gz"
    if _named(samples, name) is None:
        return None
    replies = ("IssueCommentEvent", "CommitCommentEvent", "PullRequestReviewCommentEvent")
    changes = ("PushEvent", "PullRequestEvent", "IssuesEvent")
    return Proposal(
        title="GH Archive: what is done with public repositories, a row for each action.",
        source={
            "layout": "gharchive",
            "path": str(_folder_of(samples, name)),
            "rows": "actions",
        },
        reasons={
            "rows": "a row for each action: those on one repository within some minutes are folded"
        },
        actions=[
            ProposedAction(
                name="favorite", column="type", values=("WatchEvent",), is_positive=True
            ),
            ProposedAction(name="repost", column="type", values=("ForkEvent",), is_positive=True),
            ProposedAction(name="reply", column="type", values=replies, is_positive=True),
            ProposedAction(name="click", column="type", values=changes),
        ],
    )


def _retailrocket(samples: Sequence[Sample]) -> Proposal | None:
    sample = _with_columns(samples, "timestamp", "visitorid", "event", "itemid")
    if sample is None:
        return None
    columns = {"user_id": "visitorid", "post_id": "itemid", "author_id": "itemid"}
    settings = {"event_columns": {**columns, "shown_at": "timestamp"}, "time_unit": "ms"}
    title = "RetailRocket: views, carts and transactions of a shop, a row for each."
    return _shop(title, sample, settings, "event")


def _rees46(samples: Sequence[Sample]) -> Proposal | None:
    sample = _with_columns(samples, "event_time", "event_type", "product_id", "user_id")
    if sample is None:
        return None
    author = "category_id" if "category_id" in sample.rows.column_names else "product_id"
    columns = {"user_id": "user_id", "post_id": "product_id", "author_id": author}
    settings = {"event_columns": {**columns, "shown_at": "event_time"}, "time_unit": "iso"}
    title = "REES46: views, carts and purchases of a shop, a row for each."
    return _shop(title, sample, settings, "event_type")


def _taobao(samples: Sequence[Sample]) -> Proposal | None:
    behaviors = {"pv", "cart", "fav", "buy"}
    for sample in samples:
        values = [set(map(str, column.to_pylist())) for column in sample.rows.columns]
        if sample.form.has_header or len(values) != 5 or not values[3] or values[3] - behaviors:
            continue
        columns = {"user_id": "user", "post_id": "item", "author_id": "category"}
        settings = {
            "event_names": ["user", "item", "category", "behavior", "timestamp"],
            "event_columns": {**columns, "shown_at": "timestamp"},
            "time_unit": "s",
        }
        title = "Taobao: page views, favorites, carts and purchases of a shop, a row for each."
        return _shop(title, sample, settings, "behavior")
    return None


def _mind(samples: Sequence[Sample]) -> Proposal | None:
    news = [each for each in samples if each.first.name == "news.tsv"]
    parts = [each for each in samples if each.first.name == "behaviors.tsv"]
    # The part for the contest has no labels, and no pattern of paths leaves it out.
    behaviors = [each for each in parts if _has_labels(each)]
    if not news or not behaviors:
        return None
    if len(behaviors) < len(parts):
        behaviors = behaviors[:1]
    names = ["impression_id", "user_id", "time", "history", "impressions"]
    of_news = ("news_id", "category", "subcategory", "title", "abstract", "url")
    of_news = [*of_news, "title_entities", "abstract_entities"]
    of_news = of_news[: len(news[0].rows.column_names)]
    categories = {str(each) for part in news for each in part.rows[1].to_pylist()}
    return Proposal(
        title="MIND: lists of news that were shown together, each with what was clicked.",
        source={
            "layout": "columns",
            "events": _every(behaviors),
            "posts": _every(news),
            "event_names": names,
            "post_names": of_news,
            "delimiter": "\t",
            "quotes": False,
            "event_columns": {
                "user_id": "user_id",
                "post_id": "impressions.news",
                "shown_at": "time",
                "request_id": "impression_id",
            },
            "post_columns": {
                "post_id": "news_id",
                "author_id": "subcategory",
                "tag": "category",
                "title": "title",
            },
            "rows": "slates",
            "slates": {"lists": ["impressions"], "separator": " ", "parts": ["news", "click"]},
            "text_ids": {"user_id": "", "post_id": "", "author_id": ""},
            "time_format": "%m/%d/%Y %I:%M:%S %p",
        },
        actions=[ProposedAction(name="click", column="impressions.click", is_positive=True)],
        reasons={
            "quotes": "a quote in a title is a character of it",
            "post_columns": "nobody says who wrote a text; its subcategory stands for the author",
            "slates": "`N55689-1 N35729-0`: two news, the first was clicked",
            "time_format": "the zone is not told: UTC",
        },
        notes=()
        if len(behaviors) == len(parts)
        else (f"Of {len(parts)} parts one is read: {behaviors[0].first}.",),
        sections={
            "attributes": {
                "posts": {
                    "files": _every(news),
                    "id": "news_id",
                    "delimiter": "\t",
                    "quotes": False,
                    "names": of_news,
                },
                "declared": [
                    {
                        "name": "category",
                        "side": "post",
                        "column": "category",
                        "kind": "vocabulary",
                        "words": sorted(categories),
                    }
                ],
            }
        },
    )


def _has_labels(behaviors: Sample) -> bool:
    names = behaviors.rows.column_names
    slates = [each for each in behaviors.rows[names[-1]].to_pylist() if each]
    return len(names) == 5 and bool(slates) and all("-" in each for each in slates)


def _every(samples: Sequence[Sample]) -> str:
    """Returns the path of the files, which are called alike: their own, or that in all folders."""
    files = [file for sample in samples for file in sample.files]
    if len(files) == 1:
        return str(files[0])
    return f"{os.path.commonpath([file.parent.parent for file in files])}/*/{files[0].name}"


def _open_bandit(samples: Sequence[Sample]) -> Proposal | None:
    sample = _with_columns(samples, "timestamp", "item_id", "position", "click", "propensity_score")
    if sample is None:
        return None
    columns = {
        "user_id": "user_feature_0",
        "post_id": "item_id",
        "author_id": "item_id",
        "shown_at": "timestamp",
        "position": "position",
        "propensity": "propensity_score",
    }
    return Proposal(
        title="Open Bandit: recommendations of a fashion shop with their propensities.",
        source={
            "layout": "columns",
            "events": str(sample.first),
            "event_columns": columns,
            "text_ids": {"user_id": "", "post_id": "", "author_id": ""},
            "time_unit": "iso",
        },
        actions=[ProposedAction(name="click", is_positive=True)],
        reasons={
            "event_columns": "nobody says who the user is: a feature of the users stands for them",
            "text_ids": "items are numbered from 0, which as a number is no id",
        },
        notes=(
            "The log has no user: its users are groups with the same `user_feature_0`. Feeds for "
            "people need a log that says who they are.",
        ),
    )


def _shop(title: str, sample: Sample, settings: Mapping[str, Any], event: str) -> Proposal:
    """Returns the proposal for a log with a row for every action of a user on an item.

    Args:
      title: A sentence about the log.
      sample: Its events.
      settings: Of the source, beside its files.
      event: The source column that says what was done; a view is an impression alone.
    """
    names = settings.get("event_names", sample.rows.column_names)
    column = sample.rows[names.index(event)]
    is_own_author = settings["event_columns"]["author_id"] == settings["event_columns"]["post_id"]
    files = {"layout": "columns", "events": pattern(sample, [sample])}
    return Proposal(
        title=title,
        source={**files, **settings, "rows": "actions"},
        actions=action_guesses.actions_of_words(event, map(str, pc.unique(column).to_pylist())),
        reasons={
            "event_columns": "nobody says who made an item, so it is its own author"
            if is_own_author
            else "nobody says who made an item; its category stands for the author",
            "rows": "a row for each action: those on one item within some minutes are folded",
        },
    )


def _named(samples: Sequence[Sample], name: str) -> Sample | None:
    return next((each for each in samples if re.fullmatch(name, each.first.name)), None)


def _folder_of(samples: Sequence[Sample], name: str) -> Path:
    sample = _named(samples, name)
    assert sample is not None
    return sample.first.parent


def _with_columns(samples: Sequence[Sample], *names: str) -> Sample | None:
    return next((each for each in samples if set(names) <= set(each.rows.column_names)), None)


_RECOGNITIONS: Sequence[_Recognition] = (
    _kuairand,
    _movielens,
    _gharchive,
    _retailrocket,
    _rees46,
    _taobao,
    _mind,
    _open_bandit,
)
