"""Limits of places, by author and by what is known of posts."""

import numpy as np
import pytest
from pydantic import ValidationError

from components.release.corpus import Corpus
from components.serving import limits
from components.settings.config import Config
from tests.components.serving.sources.conftest import SETTINGS

DECLARED = [
    {"name": "length", "side": "post", "kind": "raw", "column": "length"},
    {
        "name": "topic",
        "side": "post",
        "kind": "vocabulary",
        "column": "topic",
        "words": ["art", "war"],
    },
]
CORPUS = Corpus(
    "a",
    np.array([3, 5, 8]),
    np.array([1, 1, 2]),
    np.ones(3, bool),
    np.zeros(3, np.int64),
    np.array([[0.5, 2], [0.5, 0], [np.nan, 3]], np.float32),
    np.ones((3, 1), np.float32),
)


def _config(**settings: object) -> Config:
    attributes = {"declared": DECLARED, "posts": {"files": "posts.csv", "id": "id"}}
    return Config.model_validate(
        {**SETTINGS, "attributes": attributes, "materialize_feeds": settings}
    )


@pytest.mark.parametrize("name", ["length", "nosuch"])
def test_a_limit_is_of_an_attribute_with_one_value_of_some(name: str) -> None:
    with pytest.raises(ValidationError, match=f"one value of some .topic., got '{name}'"):
        _config(attribute_places={name: 1})


def test_groups_are_authors_and_values_of_attributes() -> None:
    config = _config(author_places=3, attribute_places={"topic": 2})
    posts, authors = np.array([[8, 9, 3], [5, 0, 8]]), np.array([[2, 4, 1], [1, 0, 2]])
    of_author, of_topic = limits.of_posts(CORPUS, config, posts, authors)
    assert (of_author.rule, of_author.most) == ("author_places", 3)
    assert of_author.groups.tolist() == authors.tolist()
    assert (of_topic.rule, of_topic.most) == ("attribute_places", 2)
    assert of_topic.groups.tolist() == [[3, 0, 2], [0, 0, 3]]


def test_without_settings_there_are_no_limits() -> None:
    assert list(limits.of_posts(CORPUS, _config(), CORPUS.post_ids, CORPUS.author_ids)) == []
