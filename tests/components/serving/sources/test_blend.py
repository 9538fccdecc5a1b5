"""Sources add their share to retrieval, and nothing is named that is not allowed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import BadConfigurationError
from components.serving.sources import blend
from components.serving.sources.blend import Blend, Blended
from components.serving.sources.source import Catalogue, Requests
from components.settings.feeds import FeedSource
from tests.components.serving.sources.conftest import with_settings

SHARES = st.lists(st.sampled_from([0.1, 0.3, 0.5]), min_size=2, max_size=2)


class Wild:
    """A source of a deployment that names everything, twice, and what is no row."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.count = len(catalogue.corpus.post_ids)

    def find(self, requests: Requests, count: int) -> np.ndarray:
        rows = np.array([7, 99, -5, *range(self.count), *range(self.count)])
        return np.repeat(rows[None, :], len(requests.queries), axis=0)


def _blend(small, *sources: FeedSource) -> Blend:
    config = with_settings(small.catalogue.config, sources=sources)
    return Blend.of(small.catalogue._replace(config=config))


def _retrieved(num_users: int, rows: list[int]) -> Blended:
    table = np.repeat(np.array(rows)[None, :], num_users, axis=0)
    scores = (10.0 - np.arange(len(rows), dtype=np.float32))[None, :]
    return Blended(table, np.repeat(scores, num_users, axis=0), np.zeros(table.shape, np.int64))


def test_a_source_adds_its_share_and_all_of_retrieval_stay(small) -> None:
    blended = _blend(small, FeedSource(source="fresh", candidates=0.02)).add(
        _retrieved(1, [1, 3, 0, 5]), small.requests([[1]])
    )
    # Two of a hundred: the nearest new posts, rows 0 and 2; retrieval knows row 0, too, with 8.
    assert blended.rows.tolist() == [[0, 2, 1, 3, -1, 5]]
    assert blended.sources[blended.rows >= 0].tolist() == [2, 2, 0, 0, 0]
    np.testing.assert_array_equal(blended.scores, [[8, np.nan, 10, 9, np.nan, 7]])


def test_a_source_may_have_little(small) -> None:
    blended = _blend(small, FeedSource(source="authors", candidates=0.02)).add(
        _retrieved(2, [1, 3, 0, 5]), small.requests([[4], [0]])
    )
    assert blended.rows.tolist() == [[4, 3, 1, -1, 0, 5], [-1, -1, 1, 3, 0, 5]]


@settings(max_examples=40)
@given(
    shares=SHARES,
    pairs=st.sets(st.tuples(st.integers(0, 2), st.integers(0, 7)), max_size=12),
    order=st.permutations(range(7)),
    names=st.permutations(["fresh", "authors", "popular", f"{__name__}:Wild"]),
)
def test_no_candidate_is_excluded_held_back_or_there_twice(
    shares, pairs, order, names, small
) -> None:
    excluded = [user for user, _ in pairs], [row for _, row in pairs]
    sections = [
        FeedSource.model_construct(source=name, candidates=share, places=0.0)
        for name, share in zip(names[:2], shares, strict=True)
    ]
    own = Wild(small.catalogue)
    blended = _blend(small, *(each for each in sections if ":" not in each.source))
    sources = [own if ":" in each.source else None for each in sections]
    built = iter(blended.sources)
    blended = Blend(sections, [each or next(built) for each in sources], small.catalogue)
    requests = small.requests([[1, 4], [0, 0], [6, 5]], excluded)
    retrieved = _retrieved(3, order[:5])
    is_excluded = np.array([[(u, r) in pairs for r in order[:5]] for u in range(3)])
    retrieved = retrieved._replace(rows=np.where(is_excluded, -1, retrieved.rows))
    for user, rows in enumerate(blended.add(retrieved, requests).rows.tolist()):
        real = [row for row in rows if row >= 0]
        assert len(set(real)) == len(real)
        assert 7 not in real
        assert all((user, row) not in pairs and row < 7 for row in real)
        assert {*real} >= {*retrieved.rows[user].tolist()} - {-1}


def test_a_share_of_places_is_rounded_up(small) -> None:
    blended = _blend(small, FeedSource(source="fresh", places=0.1), FeedSource(source="authors"))
    assert (blended.least(20), blended.least(5)) == ({2: 2, 3: 0}, {2: 1, 3: 0})


@pytest.mark.parametrize(
    ("path", "message"),
    [("acme.nothing:Own", "no module acme.nothing"), ("json:JSONDecoder", "is no source")],
)
def test_an_import_path_that_leads_to_no_source_is_refused(path, message, small) -> None:
    with pytest.raises(BadConfigurationError, match=message):
        _blend(small, FeedSource(source=path))


def test_code_of_the_deployment_is_in_the_recipe(small, tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "acme_feeds.py"
    path.write_text("class Own:\n    def __init__(self, catalogue): ...\n    def find(self): ...\n")
    config = with_settings(small.catalogue.config, sources=(FeedSource(source="acme_feeds:Own"),))
    before = blend.recipe(config)
    path.write_text(path.read_text() + "\n# another one\n")
    assert blend.recipe(config) != before
    assert blend.recipe(small.catalogue.config) == {}
