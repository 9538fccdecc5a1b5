"""Each place in a feed carries the reasons for it."""

import datetime
from typing import Any

import numpy as np

from components.serving import feed_files
from components.serving.feed_files import Feeds, Origin

ORIGIN = Origin(datetime.date(2026, 1, 2))


def _feeds(**changes: np.ndarray) -> Feeds:
    shape = (2, 2)
    plain = Feeds(
        user_ids=np.array([5, 6]),
        post_ids=np.array([[1, 2], [3, 0]]),
        author_ids=np.array([[7, 7], [8, 0]]),
        scores=np.ones(shape, np.float32),
        base_scores=np.ones(shape, np.float32),
        multipliers=np.array([[1, 0.625], [1, 1]], np.float32),
        probabilities=np.full((*shape, 2), 0.5, np.float32),
        retrieval_scores=np.array([[0.9, 0.8], [np.nan, np.nan]], np.float32),
        is_unscored=np.array([False, True]),
        sources=np.array([[0, 0], [1, 1]]),
    )
    return plain._replace(**changes)


def _rows(feeds: Feeds, **options: Any) -> list[dict]:
    schema = feed_files.schema(["click", "share"], "r")
    return feed_files.to_table(feeds, ORIGIN, schema=schema, **options).to_pylist()


def test_places_beyond_the_end_are_left_out() -> None:
    assert [(row["user_id"], row["rank"], row["post_id"]) for row in _rows(_feeds())] == [
        (5, 1, 1),
        (5, 2, 2),
        (6, 1, 3),
    ]


def test_source_and_rules_say_where_a_place_comes_from() -> None:
    rows = _rows(_feeds())
    assert [row["source"] for row in rows] == ["retrieval", "retrieval", "popular"]
    assert [row["rules"] for row in rows] == [[], ["author_diversity"], ["popular_fallback"]]
    assert [row["retrieval_score"] is None for row in rows] == [False, False, True]
    named = _rows(_feeds(sources=np.array([[2, 0], [1, 1]])), source_names=["a", "b", "c"])
    assert [row["source"] for row in named] == ["c", "a", "b"]


def test_a_place_says_whether_mixtures_found_and_ranked_it() -> None:
    rows = _rows(_feeds(), mixtures=["retriever_mixture", "ranker_mixture"])
    assert [row["rules"] for row in rows] == [
        ["retriever_mixture", "ranker_mixture"],
        ["retriever_mixture", "ranker_mixture", "author_diversity"],
        ["popular_fallback"],
    ]


def test_a_broken_probability_is_zero_and_named() -> None:
    probabilities = np.full((2, 2, 2), 0.5, np.float32)
    probabilities[0, 0, 1] = np.nan
    row = _rows(_feeds(probabilities=probabilities))[0]
    assert row["probabilities"] == [0.5, 0.0]
    assert row["rules"] == ["broken_prediction"]
