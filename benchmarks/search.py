"""Exact top-k against faiss alone, which promises neither the order of ties nor exact scores."""

from collections.abc import Iterator

import faiss
import numpy as np

from benchmarks.measurement import Result, rates
from phoenix.search.exact import ExactIndex

_NUM_POSTS, _EMB_SIZE, _NUM_QUERIES, _K = 1_000_000, 128, 1_000, 100


def results() -> Iterator[Result]:
    """Measures unit vectors, as both towers make them."""
    generator = np.random.default_rng(0)
    vectors, queries = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in (
            generator.standard_normal((count, _EMB_SIZE), np.float32)
            for count in (_NUM_POSTS, _NUM_QUERIES)
        )
    )
    ours = ExactIndex(vectors)
    peer = faiss.IndexFlatIP(_EMB_SIZE)
    peer.add(vectors)
    rates_of_both = rates(
        lambda: ours.search(queries, _K),
        lambda: peer.search(queries, _K),
        amount=_NUM_QUERIES,
        repeats=5,
    )
    note = (
        f"peer: faiss IndexFlatIP, which ours asks for proposals; top {_K} of {_NUM_POSTS:,} x "
        f"{_EMB_SIZE} for {_NUM_QUERIES:,} queries, f32; the goal is 1"
    )
    yield Result(
        name="search_exact",
        ours=rates_of_both[0],
        peer=rates_of_both[1],
        unit="queries/s",
        note=note,
    )
