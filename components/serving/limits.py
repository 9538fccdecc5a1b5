"""Most places of a feed for an author, or for a value of an attribute."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from components.release.corpus import Corpus
from components.settings.config import Config
from phoenix.data import attributes

AUTHOR_PLACES, ATTRIBUTE_PLACES = "author_places", "attribute_places"  # the rules


class PostLimit(NamedTuple):
    """The groups of some posts, of which a feed holds a number at most."""

    rule: str
    groups: np.ndarray  # [...] int64, 0 = of none
    most: int


def of_posts(
    corpus: Corpus, config: Config, post_ids: np.ndarray, author_ids: np.ndarray
) -> Iterator[PostLimit]:
    """Yields the configured limits for some posts: that of authors first.

    Args:
      corpus: Knows the attributes of posts.
      config: Says how many.
      post_ids: `[...]` int64; of one that is not in the corpus no value is known.
      author_ids: `[...]` int64, 0 = unknown.
    """
    section = config.materialize_feeds
    if section.author_places is not None:
        yield PostLimit(AUTHOR_PLACES, author_ids, section.author_places)
    declared = config.attributes.post_attributes
    names, rows = [each.name for each in declared], None
    for name, most in section.attribute_places.items():
        rows = corpus.rows_of(post_ids) if rows is None else rows
        column = attributes.width(declared[: names.index(name)])
        values = np.append(corpus.attributes[:, column], 0).astype(np.int64)
        yield PostLimit(ATTRIBUTE_PLACES, values[rows], most)
