import datetime

import numpy as np
import pytest

from phoenix.data.days import DAY_MS, midnight_ms
from phoenix.data.synthetic import BASE_RATES, World, WorldConfig
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


def start_ms(day: datetime.date) -> int:
    return midnight_ms(day)


def test_a_day_is_the_same_whatever_was_asked_before(world: World) -> None:
    world.impressions(FIRST)
    for one, other in zip(world.impressions(THIRD), World(CONFIG).impressions(THIRD), strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_seed_is_another_world(world: World) -> None:
    other = World(WorldConfig(**{**vars(CONFIG), "seed": 8}))
    assert not np.array_equal(world.impressions(FIRST).user_ids, other.impressions(FIRST).user_ids)


@pytest.mark.parametrize("day", [FIRST, THIRD])
def test_actions_come_at_their_base_rates(world: World, day: datetime.date) -> None:
    rates = unpack_actions(world.impressions(day).actions, 3).mean(axis=0)
    wanted = np.array([BASE_RATES[name] for name in CONFIG.actions])
    np.testing.assert_allclose(rates, wanted, rtol=0.25)


def test_true_probabilities_are_those_of_the_actions(world: World) -> None:
    seen = world.impressions(THIRD)
    chances = world.true_probabilities(seen.user_ids, seen.post_ids)
    done = unpack_actions(seen.actions, 3)
    for action in range(3):
        for part in np.array_split(np.argsort(chances[:, action]), 4):
            expected = chances[part, action].mean()
            spread = np.sqrt(expected * (1 - expected) / len(part))
            assert abs(done[part, action].mean() - expected) < 5 * spread


def test_affinities_tell_likers_from_others(world: World) -> None:
    seen = world.impressions(FIRST)
    chances = world.true_probabilities(seen.user_ids, seen.post_ids)
    clicked = unpack_actions(seen.actions, 3)[:, 1] > 0
    ranks = chances[:, 1].argsort().argsort()
    num_clicked, num_other = clicked.sum(), (~clicked).sum()
    area = (ranks[clicked].sum() - num_clicked * (num_clicked - 1) / 2) / (num_clicked * num_other)
    assert area > 0.75
    assert np.corrcoef(chances[:, 1], chances[:, 2])[0, 1] < 0, "what one likes is not disliked"


def test_times_are_within_the_day_and_after_the_post(world: World) -> None:
    seen, posts = world.impressions(THIRD), world.posts(THIRD)
    assert seen.shown_at.min() >= start_ms(THIRD)
    assert seen.shown_at.max() < start_ms(THIRD) + DAY_MS
    assert (np.diff(seen.shown_at) >= 0).all()
    assert (seen.ingested_at > seen.shown_at).all()
    created = dict(zip(posts.post_ids.tolist(), posts.created_at.tolist(), strict=True))
    assert all(created[p] < t for p, t in zip(seen.post_ids.tolist(), seen.shown_at, strict=True))


def test_every_day_brings_new_posts_and_cold_users(world: World) -> None:
    before, after = world.posts(FIRST), world.posts(THIRD)
    np.testing.assert_array_equal(after.post_ids[: len(before.post_ids)], before.post_ids)
    assert len(after.post_ids) == len(before.post_ids) + 2 * CONFIG.num_posts_per_day
    assert len(np.unique(after.post_ids)) == len(after.post_ids)
    users = world.users(THIRD).user_ids
    assert len(np.unique(users)) == len(users) == CONFIG.num_users + 2 * 4
    newest = after.post_ids[-CONFIG.num_posts_per_day :]
    assert np.isin(world.impressions(THIRD).post_ids, newest).any()


def test_the_world_does_not_reach_before_its_first_day(world: World) -> None:
    with pytest.raises(ValueError, match="begins on 2026-01-01, got 2025-12-31"):
        world.impressions(FIRST - datetime.timedelta(days=1))
