"""Log-odds are those of rates that are backed off from key to wider key."""

import numpy as np
import pytest

from phoenix.data.engagement.counts import KINDS, Counts, Ids, Outcomes, Tally
from phoenix.data.engagement.rates import LEVELS, POPULARITY, Rates

NUM_ACTIONS = 2


def ids_of(*rows):
    users, posts, authors, surfaces = np.array(rows).T
    return Ids(users, posts, authors, surfaces)


def rates_of(num=300, seed=0):
    rng = np.random.default_rng(seed)
    ids = Ids(*(rng.integers(1, most, num) for most in (9, 20, 5, 4)))
    done = rng.integers(0, 4, num).astype(np.uint64)
    tally = Tally(NUM_ACTIONS)
    tally.add(ids, Outcomes(done, np.zeros(num, np.uint64), np.ones(num)))
    return Rates.of(tally.counts()), ids, done


def test_the_rate_of_a_post_is_its_own_drawn_to_its_author_drawn_to_all() -> None:
    rates, ids, done = rates_of()
    row = 7
    found = rates.smoothed(ids.post_ids[row : row + 1], ids.author_ids[row : row + 1])[0]
    for action in range(NUM_ACTIONS):
        is_done = (done >> np.uint64(action)) & np.uint64(1)
        rate = (is_done.sum() + 1) / (len(done) + 2)
        for kind, array in (("author", ids.author_ids), ("post", ids.post_ids)):
            own = array == array[row]
            prior = rates.priors[kind][action]
            rate = (is_done[own].sum() + prior * rate) / (own.sum() + prior)
        assert found[action] == pytest.approx(rate, rel=1e-5)
    odds = rates.evidence(ids).log_odds[row, LEVELS.index("post")]
    np.testing.assert_allclose(1 / (1 + np.exp(-odds)), found, rtol=1e-5)


def test_what_was_never_shown_has_the_rate_of_the_wider_key() -> None:
    rates, _, _ = rates_of()
    known, unknown = ids_of((1, 3, 2, 1)), ids_of((99, 999, 2, 1))
    evidence = rates.evidence(unknown)
    levels = {level: evidence.log_odds[0, place] for place, level in enumerate(LEVELS)}
    np.testing.assert_allclose(levels["post"], levels["author"], rtol=1e-5)
    np.testing.assert_allclose(levels["recent_post"], levels["author"], rtol=1e-5)
    np.testing.assert_allclose(levels["user"], levels["all"], rtol=1e-5)
    author = rates.evidence(known).log_odds[0, LEVELS.index("author")]
    np.testing.assert_allclose(levels["author"], author)
    assert evidence.log_counts[0, LEVELS.index("post")] == 0


def test_without_any_count_nothing_speaks_for_or_against_an_action() -> None:
    rates = Rates.of({kind: Counts.none(NUM_ACTIONS) for kind in KINDS})
    evidence = rates.evidence(ids_of((1, 2, 3, 0)))
    assert not evidence.log_odds.any()
    assert not evidence.log_counts.any()


def test_a_users_own_rate_is_the_same_for_all_candidates() -> None:
    rates, _, _ = rates_of()
    posts = np.array([[1, 2, 3]])
    evidence = rates.evidence(Ids(np.full((1, 3), 5), posts, posts, posts))
    own = evidence.log_odds[0, :, LEVELS.index("user")]
    assert (own == own[0]).all()
    assert (evidence.log_odds[0, :, LEVELS.index("post")] != own).any()


def test_actions_of_impressions_that_were_never_counted_make_no_rate_of_one_or_more() -> None:
    """Labels arrive of impressions that were shown before counting began."""
    tally = Tally(NUM_ACTIONS)
    ids = ids_of(*[(user, 2, 3, 1) for user in range(1, 9)])
    done = np.full(8, 3, np.uint64)
    tally.add_late(ids, Outcomes(done, np.zeros(8, np.uint64), np.ones(8)), np.ones(8))
    evidence = Rates.of(tally.counts()).evidence(ids)
    assert np.isfinite(evidence.log_odds).all()


def test_popularity_is_what_impressions_of_late_and_rates_say() -> None:
    rates, ids, done = rates_of()
    known = rates.popularity(ids.post_ids, ids.author_ids, np.array([False, True]))
    liked = (done >> np.uint64(1)) & np.uint64(1)
    rate_of_all = (liked.sum() + 1) / (len(liked) + 2)
    for row in (0, 7, 100):
        author, post = (array == array[row] for array in (ids.author_ids, ids.post_ids))
        prior = rates.priors["author"][1]
        author_rate = (liked[author].sum() + prior * rate_of_all) / (author.sum() + prior)
        prior = rates.priors["post"][1]
        rate = (liked[post].sum() + prior * author_rate) / (post.sum() + prior)
        expected = {
            "engagement": np.log((1 + post.sum()) * rate),
            "recent_shown": np.log1p(post.sum()),
            "shown": np.log1p(post.sum()),
            "recent_rate": np.log((liked[post].sum() + prior * rate) / (post.sum() + prior)),
            "author_shown": np.log1p(author.sum()),
            "author_rate": np.log(author_rate),
        }
        assert known[row] == pytest.approx([expected[name] for name in POPULARITY], rel=1e-4)


def test_of_a_post_that_was_never_shown_its_author_says_what_to_expect() -> None:
    rates, ids, _ = rates_of()
    new = rates.popularity(np.array([999]), ids.author_ids[:1], np.ones(NUM_ACTIONS, bool))[0]
    known = dict(zip(POPULARITY, new.tolist(), strict=True))
    assert known["shown"] == known["recent_shown"] == 0 < known["author_shown"]
    assert known["engagement"] == known["recent_rate"] == known["author_rate"]
