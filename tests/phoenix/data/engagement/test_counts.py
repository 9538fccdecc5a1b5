"""Counts equal a slow definition on random logs, whatever the blocks and weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix.data.engagement import counts
from phoenix.data.engagement.counts import KINDS, OTHER, Counts, Ids, Outcomes, Tally

NUM_ACTIONS, FADING = 3, 0.8
# Day, user, post, author, surface, actions, unknown actions, weight.
logs = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(1, 3),
        st.integers(1, 4),
        st.integers(1, 2),
        st.integers(0, 2),
        st.integers(0, 7),
        st.integers(0, 7),
        st.sampled_from([0.5, 1.0, 4.0]),
    ),
    max_size=40,
)


def columns(rows):
    table = np.array(rows, np.float64).reshape(-1, 8)
    ids = Ids(*table[:, 1:4].T.astype(np.int64), table[:, 4].astype(np.int32))
    unknown = table[:, 6].astype(np.uint64)
    bits = table[:, 5].astype(np.uint64) & ~unknown
    return table[:, 0], ids, Outcomes(bits, unknown, table[:, 7])


def state_of(rows, block_size):
    """The counts after day 3, carried from day to day as the steps do."""
    days, ids, outcomes = columns(rows)
    state = {kind: Counts.none(NUM_ACTIONS) for kind in KINDS}
    for day in range(4):
        tally = Tally(NUM_ACTIONS)
        of_day = np.flatnonzero(days == day)
        for start in range(0, len(of_day), block_size):
            block = of_day[start : start + block_size]
            tally.add(Ids(*(a[block] for a in ids)), Outcomes(*(a[block] for a in outcomes)))
        own = tally.counts()
        state = {k: counts.add([state[k].faded(FADING), own[k]]).float32() for k in KINDS}
    return state


@settings(deadline=None, max_examples=60)
@given(logs, st.integers(1, 7))
def test_counts_carried_from_day_to_day_are_those_of_all_rows(rows, block_size) -> None:
    state = state_of(rows, block_size)
    days, ids, outcomes = columns(rows)
    for kind in KINDS:
        keys, table = ids.keys(kind), state[kind]
        assert table.keys.tolist() == sorted(set(keys.tolist()))
        for place, key in enumerate(table.keys):
            own = np.flatnonzero(keys == key)
            fading = FADING ** (3 - days[own])
            for action in range(NUM_ACTIONS):
                is_known = (outcomes.unknown[own] >> np.uint64(action) & np.uint64(1)) == 0
                is_done = (outcomes.actions[own] >> np.uint64(action) & np.uint64(1)) == 1
                weight = outcomes.weights[own]
                expected = [
                    (weight * is_known).sum(),
                    (weight * is_done).sum(),
                    (weight * is_known * fading).sum(),
                    (weight * is_done * fading).sum(),
                ]
                found = [values[place, action] for values in table[1:]]
                assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_what_becomes_known_late_counts_as_followed_and_not_as_shown_again() -> None:
    _, ids, outcomes = columns([(0, 1, 2, 1, 0, 1, 0, 2.0)])
    tally = Tally(NUM_ACTIONS)
    tally.add_late(ids, outcomes, np.array([0.25]))
    post = tally.counts()["post"]
    assert (post.shown.sum(), post.followed[0].tolist()) == (0, [2, 0, 0])
    assert post.recent_followed[0].tolist() == [0.5, 0, 0]


def test_what_is_shown_least_falls_into_the_key_of_all_others() -> None:
    rows = [(0, 1, 1 + n % 4, 1, 0, 1, 0, float(1 + n % 4)) for n in range(8)]
    whole = state_of(rows, 3)["post"]
    small = whole.limited(2)
    assert small.keys.tolist() == [OTHER, 3, 4]
    np.testing.assert_allclose(small.shown.sum(axis=0), whole.shown.sum(axis=0))
    again = counts.add([small, small]).limited(1)
    assert again.keys.tolist() == [OTHER, 4]


def test_of_the_same_size_the_lower_key_stays() -> None:
    rows = [(0, 1, post, 1, 0, 1, 0, 1.0) for post in (4, 2, 3, 1)]
    assert state_of(rows, 4)["post"].limited(2).keys.tolist() == [OTHER, 1, 2]


def test_an_action_that_is_new_was_shown_for_nothing() -> None:
    table = state_of([(0, 1, 1, 1, 0, 5, 0, 1.0)], 1)["post"].with_actions([2, None, 0])
    assert table.shown.tolist() == [[1, 0, 1]]
    assert table.followed.tolist() == [[1, 0, 1]]


def test_priors_are_strong_where_rates_differ_by_chance_alone() -> None:
    rng = np.random.default_rng(0)
    shown = np.full((400, 2), 60.0)
    rates = np.stack([rng.beta(4, 6, 400), np.full(400, 0.4)], axis=1)  # m = 10, and no difference
    table = Counts(np.arange(400), shown, rng.binomial(60, rates).astype(float), shown, shown)
    found = counts.priors(table)
    assert found[0] == pytest.approx(10, rel=0.2)
    assert found[1] > 200
