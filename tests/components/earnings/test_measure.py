"""Every cell of the table is the sum over its impressions, one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.earnings.measure import NO_RANK, Impressions, Measure

WEIGHTS = {"like": 1.0, "share": 2.0, "hide": -1.0}
SMALL = st.integers(0, 2)
IMPRESSION = st.tuples(
    st.integers(1, 4),  # user
    SMALL,  # release
    SMALL,  # source
    st.integers(NO_RANK, 2),
    st.sampled_from([1.0, 2.0, 0.5]),
    st.integers(0, 7),  # actions
)
NAMES = ("r", "s", "none")


def _impressions(rows) -> Impressions:
    columns = np.array(rows, np.float64).reshape(-1, 6).T
    nothing = np.full(len(rows), np.nan)
    ids = [column.astype(np.int64) for column in columns]
    actions = ids[5].astype(np.uint64)
    return Impressions(ids[0], ids[1], ids[2], ids[3], columns[4], actions, nothing, nothing)


def _engagement(actions: int) -> float:
    return sum(weight for bit, weight in enumerate(WEIGHTS.values()) if actions >> bit & 1)


@settings(max_examples=60)
@given(st.lists(IMPRESSION, max_size=25))
def test_cells_are_sums_over_impressions(rows) -> None:
    measure = Measure(NAMES, ("none", "retrieval", "popular"), WEIGHTS)
    expected: dict[tuple, list[float]] = {}
    for _, release, source, rank, weight, actions in rows:
        name = ("none", "retrieval", "popular")[source]
        for key in {("all", None), (name, None), (name, rank if rank != NO_RANK else None)}:
            cell = expected.setdefault((NAMES[release], *key), [0.0, 0.0, 0.0])
            cell[0] += weight
            cell[1] += weight * _engagement(actions)
            cell[2] += weight * (actions >> 1 & 1)
    table = measure.table(_impressions(rows)).to_pylist()
    found = {
        (row["release"], row["source"], row["rank"]): row
        for row in table
        if row["measure"] == "engagement"
    }
    assert found.keys() == expected.keys()
    shares = {
        (row["release"], row["source"], row["rank"]): row["mean"]
        for row in table
        if row["measure"] == "share"
    }
    for key, (impressions, engagement, shared) in expected.items():
        assert found[key]["impressions"] == pytest.approx(impressions)
        assert found[key]["mean"] == pytest.approx(engagement / impressions)
        assert shares[key] == pytest.approx(shared / impressions)


@settings(max_examples=30)
@given(st.lists(IMPRESSION, max_size=25))
def test_sums_of_users_add_up_to_the_day(rows) -> None:
    measure = Measure(NAMES, ("none", "retrieval", "popular"), WEIGHTS)
    users = measure.user_earnings(_impressions(rows)).to_pylist()
    keys = [(row["release"], row["user_id"]) for row in users]
    assert len(set(keys)) == len(keys)
    for row in users:
        own = [
            each for each in rows if (NAMES[each[1]], each[0]) == (row["release"], row["user_id"])
        ]
        assert row["impressions"] == pytest.approx(sum(each[4] for each in own))
        total = sum(each[4] * _engagement(each[5]) for each in own)
        assert row["engagement"] == pytest.approx(total)
