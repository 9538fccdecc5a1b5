import datetime

import numpy as np
import pytest

from phoenix.data.days import DAY_MS, midnight_ms
from phoenix.data.population import WorldConfig
from phoenix.data.synthetic import BASE_RATES, Served, World
from phoenix.data.windows import unpack_actions

FIRST = datetime.date(2026, 1, 1)
THIRD = datetime.date(2026, 1, 3)
CONFIG = WorldConfig(
    first_day=FIRST,
    actions=("favorite", "click", "not_interested"),
    num_users=400,
    num_authors=50,
    num_posts=300,
    num_posts_per_day=40,
    impressions_per_day=8_000,
    seed=7,
)


@pytest.fixture(scope="module")
def world() -> World:
    return World(CONFIG)


def test_a_day_is_the_same_whichever_days_were_made_before(world: World) -> None:
    world.impressions(FIRST)
    for one, other in zip(world.impressions(THIRD), World(CONFIG).impressions(THIRD), strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_seed_is_another_world(world: World) -> None:
    other = World(WorldConfig(**{**vars(CONFIG), "seed": 8}))
    assert not np.array_equal(world.impressions(FIRST).user_ids, other.impressions(FIRST).user_ids)


@pytest.mark.parametrize("day", [FIRST, THIRD])
def test_actions_come_at_their_base_rates(world: World, day: datetime.date) -> None:
    rates = unpack_actions(world.impressions(day).actions, 3).mean(axis=0)
    expected = np.array([BASE_RATES[name] for name in CONFIG.actions])
    np.testing.assert_allclose(rates, expected, rtol=0.25)


def test_true_probabilities_are_those_of_the_actions(world: World) -> None:
    impressions = world.impressions(THIRD)
    chances = world.true_probabilities(impressions.user_ids, impressions.post_ids)
    has_action = unpack_actions(impressions.actions, 3)
    for action in range(3):
        for part in np.array_split(np.argsort(chances[:, action]), 4):
            expected = chances[part, action].mean()
            spread = np.sqrt(expected * (1 - expected) / len(part))
            assert abs(has_action[part, action].mean() - expected) < 5 * spread


def test_affinities_tell_likers_from_others(world: World) -> None:
    impressions = world.impressions(FIRST)
    chances = world.true_probabilities(impressions.user_ids, impressions.post_ids)
    clicked = unpack_actions(impressions.actions, 3)[:, 1] > 0
    ranks = chances[:, 1].argsort().argsort()
    num_clicked, num_other = clicked.sum(), (~clicked).sum()
    area = (ranks[clicked].sum() - num_clicked * (num_clicked - 1) / 2) / (num_clicked * num_other)
    assert area > 0.75
    assert np.corrcoef(chances[:, 1], chances[:, 2])[0, 1] < 0, "what one likes is not disliked"


def test_times_are_within_the_day_and_after_the_post(world: World) -> None:
    impressions, posts = world.impressions(THIRD), world.population.posts(THIRD)
    assert impressions.shown_at.min() >= midnight_ms(THIRD)
    assert impressions.shown_at.max() < midnight_ms(THIRD) + DAY_MS
    assert (np.diff(impressions.shown_at) >= 0).all()
    assert (impressions.ingested_at > impressions.shown_at).all()
    created = dict(zip(posts.post_ids.tolist(), posts.created_at.tolist(), strict=True))
    pairs = zip(impressions.post_ids.tolist(), impressions.shown_at, strict=True)
    assert all(created[post_id] < shown_at for post_id, shown_at in pairs)


def test_new_posts_are_seen_on_their_day(world: World) -> None:
    newest = world.population.posts(THIRD).post_ids[-CONFIG.num_posts_per_day :]
    assert np.isin(world.impressions(THIRD).post_ids, newest).any()


def test_the_world_does_not_reach_before_its_first_day(world: World) -> None:
    with pytest.raises(ValueError, match="begins on 2026-01-01, got 2025-12-31"):
        world.impressions(FIRST - datetime.timedelta(days=1))


def test_feeds_are_gone_down_in_order_by_a_share_and_change_nothing_else(world: World) -> None:
    plain, posts = world.impressions(THIRD), world.population.posts(datetime.date(2026, 1, 2))
    users = np.unique(plain.user_ids)[::2]  # of every other user
    feeds = np.tile(posts.post_ids[-5:][::-1], (len(users), 1))
    feeds[0, 2:] = 0
    shown = world.impressions(THIRD, Served(users, feeds, share=0.5))
    is_served = shown.positions > 0
    np.testing.assert_array_equal(shown.user_ids, plain.user_ids)
    np.testing.assert_array_equal(shown.shown_at, plain.shown_at)
    np.testing.assert_array_equal(shown.post_ids[~is_served], plain.post_ids[~is_served])
    for place, user in enumerate(users):
        own = (shown.user_ids == user) & is_served  # in order of time
        positions = shown.positions[own]
        np.testing.assert_array_equal(positions, np.arange(1, len(positions) + 1))
        assert len(positions) <= (2 if place == 0 else 5)
        np.testing.assert_array_equal(shown.post_ids[own], feeds[place, : len(positions)])
    assert not is_served[~np.isin(shown.user_ids, users)].any()
    few = np.bincount(np.searchsorted(users, shown.user_ids[np.isin(shown.user_ids, users)]))
    expected = np.minimum(few * 0.5, 5).sum()
    assert 0.8 * expected < is_served.sum() < 1.1 * expected
    again = World(CONFIG).impressions(THIRD, Served(users, feeds, share=0.5))
    for one, other in zip(shown, again, strict=True):
        np.testing.assert_array_equal(one, other)
    chances = world.true_probabilities(shown.user_ids[is_served], shown.post_ids[is_served])
    done = unpack_actions(shown.actions[is_served], 3)
    assert abs(done[:, 1].mean() - chances[:, 1].mean()) < 0.03


def test_without_feeds_nobody_is_served(world: World) -> None:
    nobody = Served(np.empty(0, np.int64), np.empty((0, 3), np.int64), share=1.0)
    plain, shown = world.impressions(FIRST), world.impressions(FIRST, nobody)
    for one, other in zip(plain, shown, strict=True):
        np.testing.assert_array_equal(one, other)
