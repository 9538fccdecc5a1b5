"""Posts are drawn alike, or by how often they were shown, and none before it existed."""

import numpy as np
import pytest
from scipy import stats

from phoenix.data.engagement.counts import Ids, Outcomes, Tally
from phoenix.data.engagement.rates import Rates
from phoenix.data.negatives.known_posts import KnownPosts

IDS = np.arange(1, 21)
CREATED_AT = np.random.default_rng(3).permutation(np.arange(20) // 2 * 100)  # two at a time


def drawn(posts: KnownPosts, time: int, count: int = 20_000) -> np.ndarray:
    """`[M + 1]` how often each post was drawn at a moment, and how often none."""
    shares = np.random.default_rng(0).random(count)
    at = posts.draw(shares, np.full(count, time))
    return np.bincount(np.where(at >= 0, posts.post_ids[at], 0), minlength=len(IDS) + 1)


@pytest.mark.parametrize("time", [1, 100, 101, 450, 10_000])
def test_every_post_that_existed_is_drawn_equally_often_and_no_other(time: int) -> None:
    counts = drawn(KnownPosts.of(IDS, IDS, CREATED_AT), time)
    existed = np.append(False, time > CREATED_AT)
    assert not counts[~existed].any()
    assert stats.chisquare(counts[existed]).pvalue > 1e-3


def test_nothing_is_drawn_where_nothing_existed() -> None:
    assert drawn(KnownPosts.of(IDS, IDS, CREATED_AT), 0)[0] == 20_000
    none = np.empty(0, np.int64)
    assert KnownPosts.of(none, none, none).draw(np.array([0.5]), np.array([7])).tolist() == [-1]


def test_a_power_draws_by_how_often_posts_were_shown_before_the_day() -> None:
    shown = np.repeat(IDS, IDS)  # post i was shown i times
    tally = Tally(1)
    ones = np.ones(len(shown), np.int64)
    bits = np.zeros(len(shown), np.uint64)
    tally.add(Ids(ones, shown, ones, ones), Outcomes(bits, bits, ones.astype(float)))
    rates = Rates.of(tally.counts())
    counts = drawn(KnownPosts.of(IDS, IDS, CREATED_AT, rates=rates, power=0.5), 10_000)
    expected = np.sqrt(1 + IDS) / np.sqrt(1 + IDS).sum() * 20_000
    assert stats.chisquare(counts[1:], expected).pvalue > 1e-3


def test_a_share_just_below_1_draws_the_last_post_that_existed() -> None:
    posts = KnownPosts.of(IDS, IDS, CREATED_AT, rates=None)
    share = np.array([np.nextafter(1.0, 0.0)])
    assert CREATED_AT[posts.post_ids[posts.draw(share, np.array([201]))][0] - 1] == 200
