"""Exact search: for each query, the k rows of a corpus with the largest inner product.

Exact means what a full sort would give: largest score first, equal scores by lower row, no row
that is ineligible or excluded, and fewer rows where fewer exist. A fast library (faiss on a CPU,
JAX on accelerators, each of which holds a part of the corpus) proposes rows by a matrix product;
their scores are then computed again row by row, so that a score does not depend on what else is in
the batch, and a query whose border is too close to call is searched in full.

Glossary of shapes:
  N: queries, U: distinct queries, M: rows of the corpus, D: size of a vector, K: min(k, M).
"""

import sys
import threading
from typing import Literal, NamedTuple, Protocol

import numpy as np

from phoenix.buckets import power_of_two
from phoenix.config import check_count
from phoenix.data import sorted_ids

Backend = Literal["auto", "faiss", "jax"]
_BLOCK = 1024  # Queries per call of the library; bounds the memory.
_SLACK = 8  # Rows fetched beyond k, to see past ties of the border.
_RESCORED = 1 << 18  # Products at once when proposals are scored again: they fit the cache.
_PRODUCTS = 1 << 24  # Products of a matrix at once when equal scores are counted: 64 MB.
_FAISS_ROWS = 4096  # Rows per matrix product; its default of 1024 leaves a tenth of the speed.
_FAISS_SETTINGS = threading.Lock()  # They are global; a search uses all cores anyway.
_MIN_QUERIES, _MIN_COUNT = 16, 128  # Smallest shapes that JAX compiles; others are powers of two.


class SearchResult(NamedTuple):
    """The best rows of each query, best first."""

    rows: np.ndarray  # [N, K] int64, -1 where there are no more
    scores: np.ndarray  # [N, K] float32, -inf where there are no more


class Standing(NamedTuple):
    """How some rows stand among those that may be found, by score alone."""

    above: np.ndarray  # [E] int64: rows with a higher score; K where those are K or more
    tied: np.ndarray  # [E] int64: rows with the same score, the row itself among them


class _Library(Protocol):
    """A fast search, which may round: it proposes rows."""

    def search(self, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Scores and places `[n, count]` of the best rows by a matrix product, best first."""
        ...


class ExactIndex:
    """A corpus of vectors that can be searched.

    >>> index = ExactIndex(np.array([[1, 0], [0, 1], [1, 1]], np.float32))
    >>> index.search(np.array([[2, 1]], np.float32), k=2).rows
    array([[2, 0]])
    """

    def __init__(
        self,
        vectors: np.ndarray,
        is_eligible: np.ndarray | None = None,
        *,
        backend: Backend = "auto",
    ) -> None:
        """Keeps the eligible rows.

        Args:
          vectors: `[M, D]` float32.
          is_eligible: `[M]` bool; None means all.
          backend: Who proposes rows; "auto" is JAX where JAX runs on an accelerator, else faiss.

        Raises:
          ValueError: If an eligible vector is not finite or the shapes differ.
        """
        if is_eligible is None:
            is_eligible = np.ones(len(vectors), bool)
        if vectors.ndim != 2 or is_eligible.shape != vectors.shape[:1]:
            raise ValueError(
                f"Expected vectors [M, D] and eligibility [M], got {vectors.shape} and "
                f"{is_eligible.shape}."
            )
        self.num_rows = len(vectors)
        self._rows = np.flatnonzero(is_eligible)  # eligible place -> row, both rising
        self._vectors = np.ascontiguousarray(vectors[self._rows], np.float32)
        if not np.isfinite(self._vectors).all():
            rows = self._rows[~np.isfinite(self._vectors).all(axis=1)]
            raise ValueError(f"The vectors of the rows {rows[:5]} are not finite.")
        norms = np.linalg.norm(self._vectors.astype(np.float64), axis=1)
        self._longest = float(norms.max(initial=0.0))
        self._backend = backend
        self._library: _Library | None = None  # Made by the first search that needs it.
        # Distinct vectors and how often each is there; made when ties have to be counted.
        self._distinct: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def num_eligible(self) -> int:
        """Rows that can be found."""
        return len(self._rows)

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        excluded: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> SearchResult:
        """Returns the best `k` rows of each query.

        Args:
          queries: `[N, D]` float32; a query that is not finite finds nothing.
          k: At least 0; more than there are rows means all rows.
          excluded: Pairs of (query, row), two integer arrays of one length; these rows are not
            returned for these queries. Rows outside the corpus are ignored.

        Raises:
          ValueError: If `k` is no count or the shapes differ.
        """
        check_count("k", k, minimum=0)
        if queries.ndim != 2 or queries.shape[1] != self._vectors.shape[1]:
            raise ValueError(
                f"Expected queries [N, {self._vectors.shape[1]}], got {queries.shape}."
            )
        width = min(k, self.num_rows)
        rows = np.full((len(queries), width), -1, np.int64)
        scores = np.full((len(queries), width), -np.inf, np.float32)
        finite = np.flatnonzero(np.isfinite(queries).all(axis=1))
        if not (width and len(self._rows) and len(finite)):
            return SearchResult(rows, scores)
        pairs = self._excluded_pairs(excluded, len(queries))
        per_query = np.bincount(pairs // self.num_rows, minlength=len(queries))
        # Equal queries are searched once: the most popular posts are the same for everybody.
        distinct, inverse = np.unique(
            queries[finite].astype(np.float32), axis=0, return_inverse=True
        )
        # So deep that `width` rows are left even if all that is excluded for a query is on top.
        depth = np.zeros(len(distinct), np.int64)
        np.maximum.at(depth, inverse, width + per_query[finite])
        order = np.argsort(depth, kind="stable")  # like depths share a block
        askers = np.argsort(inverse, kind="stable")
        starts = np.searchsorted(inverse[askers], np.arange(len(distinct) + 1))
        for start in range(0, len(order), _BLOCK):
            block = order[start : start + _BLOCK]
            best, values = self._best(distinct[block], min(int(depth[block[-1]]), len(self._rows)))
            for place, members in _in_groups(askers, starts, block):
                index = finite[members]
                is_allowed = _is_allowed(best[place], index, pairs, self.num_rows)
                _fill(rows, scores, index, is_allowed, (best[place], values[place]))
        return SearchResult(rows, scores)

    def standing(
        self,
        queries: np.ndarray,
        result: SearchResult,
        pairs: tuple[np.ndarray, np.ndarray],
        *,
        excluded: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> Standing:
        """Returns how rows stand by score, where a search has to decide between equal ones.

        Args:
          queries: `[N, D]` float32, as they were searched.
          result: Of that search, `[N, K]`.
          pairs: `[E]` queries and `[E]` rows of the corpus. A row that cannot be found has K above.
          excluded: As in that search.

        >>> index = ExactIndex(np.array([[1], [5], [1], [1]], np.float32))
        >>> query = np.ones((1, 1), np.float32)
        >>> found = index.search(query, k=2)
        >>> index.standing(query, found, (np.zeros(3, int), np.array([0, 1, 3])))
        Standing(above=array([1, 0, 1]), tied=array([3, 1, 3]))
        """
        query, row = pairs
        width = result.scores.shape[1]
        above, tied = np.full(len(query), width), np.ones(len(query), np.int64)
        keys = self._excluded_pairs(excluded, len(queries))
        places, is_eligible = sorted_ids.find(self._rows, row)
        is_excluded = sorted_ids.find(keys, query * self.num_rows + row).is_there
        is_finite = np.isfinite(queries[query]).all(axis=1)
        there = np.flatnonzero(is_eligible & ~is_excluded & is_finite)
        if not (len(there) and width):
            return Standing(above, tied)
        own = self._pair_scores(self._vectors[places[there]], queries[query[there]])
        border = result.scores[query[there], -1]  # -inf where all rows were found
        is_inside = own >= border
        there, own, border = there[is_inside], own[is_inside], border[is_inside]
        per_call = max(1, _RESCORED // width)
        for start in range(0, len(there), per_call):
            part = slice(start, start + per_call)
            scores = result.scores[query[there[part]]]
            above[there[part]] = (scores > own[part, None]).sum(axis=1)
            tied[there[part]] = (scores == own[part, None]).sum(axis=1)
        # Equal scores of the last place may go on beyond it.
        at_border = own == border
        if at_border.any():
            tied[there[at_border]] = self._num_at(
                queries, query[there[at_border]], own[at_border], keys
            )
        return Standing(above, tied)

    def _num_at(
        self, queries: np.ndarray, query: np.ndarray, scores: np.ndarray, excluded: np.ndarray
    ) -> np.ndarray:
        """`[n]` int64: how many rows have a score for a query, less those excluded for it.

        Args:
          queries: `[N, D]`.
          query: `[n]` places in `queries`.
          scores: `[n]`.
          excluded: Keys of excluded pairs.
        """
        if self._distinct is None:
            self._distinct = np.unique(self._vectors, axis=0, return_counts=True)
        vectors, counts = self._distinct
        asked = np.column_stack([queries[query].astype(np.float32), scores])
        asked, inverse = np.unique(asked, axis=0, return_inverse=True)
        totals = np.empty(len(asked), np.int64)
        sizes = np.linalg.norm(asked[:, :-1].astype(np.float64), axis=1)
        rounding = 4 * np.finfo(np.float32).eps * vectors.shape[1] * sizes * self._longest
        per_call = max(1, _PRODUCTS // len(vectors))
        for start in range(0, len(asked), per_call):
            part = slice(start, start + per_call)
            own, borders = asked[part, :-1], asked[part, -1]
            # A matrix product says which vectors could have the score; the scores say which have.
            distances = np.abs(own @ vectors.T - borders[:, None])
            near, place = np.nonzero(distances <= rounding[part, None])
            is_equal = self._pair_scores(vectors[place], own[near]) == borders[near]
            totals[part] = np.bincount(near[is_equal], counts[place[is_equal]], len(own))
        totals = totals[inverse]
        pair_query, pair_row = np.divmod(excluded, self.num_rows)
        places, is_eligible = sorted_ids.find(self._rows, pair_row)
        is_asked = is_eligible & np.isin(pair_query, query)
        pair_query, places = pair_query[is_asked], places[is_asked]
        pair_scores = self._pair_scores(self._vectors[places], queries[pair_query])
        border_of = np.full(len(queries), np.nan, np.float32)
        border_of[query] = scores
        is_tied = pair_scores == border_of[pair_query]
        return totals - np.bincount(pair_query[is_tied], minlength=len(queries))[query]

    @staticmethod
    def _pair_scores(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
        """`[n]` float32: the score of each pair, to the bit as a search computes it."""
        scores = np.empty(len(vectors), np.float32)
        per_call = max(1, _RESCORED // max(1, vectors.shape[1]))
        for start in range(0, len(vectors), per_call):
            part = slice(start, start + per_call)
            scores[part] = (vectors[part] * queries[part].astype(np.float32)).sum(axis=-1)
        return scores

    def _excluded_pairs(
        self, excluded: tuple[np.ndarray, np.ndarray] | None, num_queries: int
    ) -> np.ndarray:
        """Sorted distinct keys `query * M + row` of the excluded pairs that matter."""
        if excluded is None:
            return np.empty(0, np.int64)
        query, row = (np.asarray(part, np.int64) for part in excluded)
        if query.ndim != 1 or query.shape != row.shape:
            raise ValueError(
                f"`excluded`: expected two arrays [E], got {query.shape} and {row.shape}."
            )
        is_inside = (row >= 0) & (row < self.num_rows) & (query >= 0) & (query < num_queries)
        # One number per pair, so that a pair is looked up by bisection.
        return np.unique(query[is_inside] * self.num_rows + row[is_inside])

    def _best(self, queries: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
        """The best `depth` eligible rows of each query and their scores, exactly."""
        num_proposals = min(depth + _SLACK, len(self._rows))
        if 2 * num_proposals >= len(
            self._rows
        ):  # most of the corpus is asked for: no need to propose
            places = np.broadcast_to(np.arange(len(self._rows)), (len(queries), len(self._rows)))
            return self._best_of(places, queries, depth)
        bounds, places = self._propose(queries, num_proposals)
        rows, scores = self._best_of(places, queries, depth)
        # What was not proposed scores at most the last proposal, up to rounding.
        sizes = np.linalg.norm(queries.astype(np.float64), axis=1)
        rounding = 4 * np.finfo(np.float32).eps * queries.shape[1] * sizes * self._longest
        for query in np.flatnonzero(scores[:, -1] <= bounds[:, -1] + rounding):
            everything = np.arange(len(self._rows))[None]
            one = slice(query, query + 1)
            rows[one], scores[one] = self._best_of(everything, queries[one], depth)
        return rows, scores

    def _best_of(
        self, places: np.ndarray, queries: np.ndarray, depth: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores `places` `[n, f]` and returns the best `depth` as rows and scores."""
        # A sum per pair, not a matrix product: that adds in an order which depends on the batch.
        scores = np.empty(places.shape, np.float32)
        per_call = max(1, _RESCORED // max(1, places.shape[1] * queries.shape[1]))
        for start in range(0, len(queries), per_call):
            part = slice(start, start + per_call)
            products = self._vectors[places[part]] * queries[part, None]
            scores[part] = products.sum(axis=-1)
        order = np.lexsort((places, -scores), axis=-1)[:, :depth]
        rows = self._rows[np.take_along_axis(places, order, axis=1)]
        return rows, np.take_along_axis(scores, order, axis=1)

    def _propose(self, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The `count` best places of each query by a matrix product, best score first."""
        if self._library is None:
            uses_jax = self._backend == "jax" or (self._backend == "auto" and _has_accelerator())
            self._library = (_JaxLibrary if uses_jax else _FaissLibrary)(self._vectors)
        return self._library.search(queries, count)


class _FaissLibrary:
    """Faiss on the cores of this machine."""

    def __init__(self, vectors: np.ndarray) -> None:
        # Here, because whoever searches with JAX needs no faiss, and it takes long to import.
        import faiss

        self._settings = faiss.cvar
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)

    def search(self, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Scores and places `[n, count]`, see `_Library`."""
        with _FAISS_SETTINGS:
            before = self._settings.distance_compute_blas_database_bs
            self._settings.distance_compute_blas_database_bs = _FAISS_ROWS
            try:
                return self._index.search(np.ascontiguousarray(queries), count)
            finally:
                self._settings.distance_compute_blas_database_bs = before


class _JaxLibrary:
    """Every local device holds a part of the corpus; odd sizes do not compile again."""

    def __init__(self, vectors: np.ndarray) -> None:
        from phoenix.search import top_rows

        mesh = top_rows.corpus_mesh()
        self._corpus, self._mask = top_rows.put_corpus(vectors, mesh)
        self._top_rows = top_rows.jitted(mesh)

    def search(self, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Scores and places `[n, count]`, see `_Library`."""
        num_queries, top_k = len(queries), power_of_two(count, at_least=_MIN_COUNT)
        num_empty = power_of_two(num_queries, at_least=_MIN_QUERIES) - num_queries
        slots = np.pad(queries, [(0, num_empty), (0, 0)])
        places, scores = self._top_rows(slots, self._corpus, top_k, self._mask)
        scores, places = (np.asarray(part)[:num_queries, :count] for part in (scores, places))
        return scores, places.astype(np.int64)


def _has_accelerator() -> bool:
    """Whether this process runs JAX on an accelerator; never imports JAX to find out."""
    jax = sys.modules.get("jax")
    return jax is not None and jax.default_backend() != "cpu"


def _in_groups(
    askers: np.ndarray, starts: np.ndarray, block: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of (place of the query in `block`, asker), cut into pieces of bounded size."""
    sizes = starts[block + 1] - starts[block]
    place = np.repeat(np.arange(len(block)), sizes)
    members = np.concatenate([askers[starts[query] : starts[query + 1]] for query in block])
    # Many may ask one query, and each of them has an output of full depth.
    cuts = range(_BLOCK, len(members), _BLOCK)
    return list(zip(np.split(place, cuts), np.split(members, cuts), strict=True))


def _is_allowed(best: np.ndarray, index: np.ndarray, pairs: np.ndarray, stride: int) -> np.ndarray:
    """`[n, depth]` bool: whether a row of `best` is not excluded for the query at `index`."""
    return ~sorted_ids.find(pairs, index[:, None] * stride + best).is_there


def _fill(
    rows: np.ndarray,
    scores: np.ndarray,
    index: np.ndarray,
    is_allowed: np.ndarray,
    results: tuple[np.ndarray, np.ndarray],
) -> None:
    """Writes the first results `[n, depth]` that are allowed to the rows `index` of the output."""
    target = np.cumsum(is_allowed, axis=1) - 1
    query, place = np.nonzero(is_allowed & (target < rows.shape[1]))
    column = target[query, place]
    rows[index[query], column] = results[0][query, place]
    scores[index[query], column] = results[1][query, place]
