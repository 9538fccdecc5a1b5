"""Actions that arrive later are joined with their impressions, and with no others."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from components.earnings import day_impressions
from phoenix.data.states import LabelRows

KEY = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2))


@given(
    st.dictionaries(KEY, st.integers(0, 3), max_size=12),
    st.lists(st.tuples(KEY, st.integers(0, 7)), max_size=12),
)
def test_an_impression_has_all_that_arrived_for_it(impressions, labels) -> None:
    keys = np.array(list(impressions), np.int64).reshape(-1, 3).T
    actions = np.array(list(impressions.values()), np.uint64)
    arrived = np.array([each[0] for each in labels], np.int64).reshape(-1, 3).T
    bits = np.array([each[1] for each in labels], np.uint64)
    nothing = np.zeros(len(labels))
    found = day_impressions.with_labels(
        tuple(keys), actions, LabelRows(*arrived, nothing.astype(np.int64), bits, nothing)
    )
    expected = dict(impressions)
    for key, more in labels:
        if key in expected:
            expected[key] |= more
    assert found.tolist() == list(expected.values())


def test_places_of_kept_feeds_are_a_source_of_their_own() -> None:
    listed = pa.table({"source": ["retrieval", "popular"], "kind": ["kept", "fresh"]})
    assert day_impressions._sources(listed).to_pylist() == ["kept", "popular"]
    assert day_impressions._sources(listed.select(["source"])).to_pylist()[0] == "retrieval"
