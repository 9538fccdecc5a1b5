"""Candidates of several sources: those of retrieval, and some of each configured source.

A source says which posts it would show, and has as many of them among the candidates as its share
is; all of retrieval stay, so that nothing is found less often for its sake. A post that two of them
name belongs to the first one, and to retrieval last.

Glossary of shapes:
  N: requests, K: candidates of retrieval, J: of all.
"""

import hashlib
import importlib
import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from components.errors import BadConfigurationError
from components.serving.feed_files import POPULAR, RETRIEVAL
from components.serving.sources.histories import Authors, Similar
from components.serving.sources.lists import Fresh, Listed, Popular
from components.serving.sources.source import Catalogue, Requests, Source
from components.settings.config import Config
from components.settings.feeds import FeedSource
from phoenix.data import sorted_ids

BUILT_IN: Mapping[str, type[Source]] = {
    POPULAR: Popular,
    "fresh": Fresh,
    "authors": Authors,
    "similar": Similar,
    "listed": Listed,
}


class Blended(NamedTuple):
    """Candidates of several sources."""

    rows: np.ndarray  # [N, J] int64 rows of the corpus, -1 where there are no more
    scores: np.ndarray  # [N, J] float32 of retrieval, NaN where it did not find the post
    sources: np.ndarray  # [N, J] int64 places among the names


@dataclass(frozen=True)
class Blend:
    """The configured sources, made for a release."""

    sections: Sequence[FeedSource]
    sources: Sequence[Source]
    catalogue: Catalogue

    @classmethod
    def of(cls, catalogue: Catalogue) -> "Blend":
        """Makes the sources of the configuration.

        Raises:
          BadConfigurationError: If one is named by an import path that leads to none.
        """
        sections = catalogue.config.materialize_feeds.sources
        made = [_class_of(section)(catalogue) for section in sections]
        return cls(sections, made, catalogue)

    @property
    def names(self) -> list[str]:
        """The names of all sources of a feed: retrieval, popular, and the configured ones."""
        return list(dict.fromkeys((RETRIEVAL, POPULAR, *(each.source for each in self.sections))))

    def least(self, length: int) -> dict[int, int]:
        """Returns the places of a feed that each source has at least, by its code."""
        names = self.names
        return {names.index(each.source): _of(each.places, length) for each in self.sections}

    def add(self, retrieved: Blended, requests: Requests) -> Blended:
        """Returns the candidates of retrieval with those of the sources, which come first.

        Args:
          retrieved: K candidates of retrieval, best first.
          requests: N requests.
        """
        names, width = self.names, retrieved.rows.shape[1]
        num_retrieved = self.catalogue.config.materialize_feeds.num_retrieved
        parts, codes = list[np.ndarray](), list[np.ndarray]()
        for section, source in zip(self.sections, self.sources, strict=True):
            count = _of(section.candidates, num_retrieved)
            found = self._checked(source.find(requests, count)[:, :count], requests)
            requests = requests.without(found)
            parts.append(found)
            codes.append(np.full(found.shape, names.index(section.source)))
        rows = np.concatenate([*parts, retrieved.rows], axis=1)
        sources = np.concatenate([*codes, retrieved.sources], axis=1)
        nothing = np.full((len(rows), rows.shape[1] - width), np.nan, np.float32)
        scores = np.concatenate([nothing, retrieved.scores], axis=1)
        return _once(Blended(rows, scores, sources))

    def _checked(self, rows: np.ndarray, requests: Requests) -> np.ndarray:
        """Returns rows without those that may not be shown: sources of a deployment may err."""
        rows = np.asarray(rows, np.int64)
        is_eligible = np.append(self.catalogue.corpus.is_eligible, False)
        is_known = (rows >= 0) & (rows < len(is_eligible) - 1)
        is_allowed = is_known & is_eligible[np.where(is_known, rows, -1)]
        place = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)
        keys = [place.reshape(-1), rows.reshape(-1)]
        is_excluded = sorted_ids.find_keys(keys, requests.excluded).is_there.reshape(rows.shape)
        rows = np.where(is_allowed & ~is_excluded, rows, -1)
        return _once(Blended(rows, np.zeros(rows.shape, np.float32), np.zeros_like(rows))).rows


def recipe(config: Config) -> dict[str, dict[str, str]]:
    """Returns the part of a recipe that names code of the deployment: digests of its files.

    Raises:
      BadConfigurationError: If a module has no file.
    """
    own = [each.source for each in config.materialize_feeds.sources if ":" in each.source]
    digests = {name: hashlib.sha256(_file_of(name).read_bytes()).hexdigest() for name in own}
    return {"source_files": digests} if own else {}


def _of(share: float, whole: int) -> int:
    """Returns a share of some places, rounded up: of a short feed too, a source has one."""
    return math.ceil(round(share * whole, 6))


def _once(blended: Blended) -> Blended:
    """Returns candidates of which each is there once, at its first place, with a score it has."""
    order = np.argsort(blended.rows, axis=1, kind="stable")
    rows, scores = (np.take_along_axis(each, order, 1) for each in blended[:2])
    is_again = (rows[:, 1:] == rows[:, :-1]) & (rows[:, 1:] >= 0)
    # Of retrieval, which comes last: what a source names, too, keeps the score.
    request, place = np.nonzero(is_again)
    scores[request, place] = scores[request, place + 1]
    rows[request, place + 1] = -1
    back = np.argsort(order, axis=1)
    rows, scores = (np.take_along_axis(each, back, 1) for each in (rows, scores))
    return Blended(rows, np.where(rows < 0, np.nan, scores), blended.sources)


def _class_of(section: FeedSource) -> type[Source]:
    """Returns the class of a source.

    Raises:
      BadConfigurationError: If its import path leads to none.
    """
    if section.source in BUILT_IN:
        return BUILT_IN[section.source]
    module, _, name = section.source.partition(":")
    _file_of(section.source)
    made = getattr(importlib.import_module(module), name, None)
    if made is None or not callable(getattr(made, "find", None)):
        raise BadConfigurationError(
            f"materialize_feeds.sources: {section.source} is no source: expected a class {name} "
            f"with a method `find` in the module {module}."
        )
    return made


def _file_of(import_path: str) -> Path:
    module = import_path.partition(":")[0]
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise BadConfigurationError(
            f"materialize_feeds.sources: {import_path}: there is no module {module}; put its "
            "folder into PYTHONPATH, or install it."
        )
    return Path(spec.origin)
