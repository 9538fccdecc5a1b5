import datetime

import numpy as np
import pytest

from phoenix.data.days import midnight_ms
from phoenix.data.population import Population, WorldConfig, rows_of_ids

FIRST = datetime.date(2026, 1, 1)
THIRD = datetime.date(2026, 1, 3)
CONFIG = WorldConfig(
    first_day=FIRST,
    actions=("favorite",),
    num_users=400,
    num_authors=50,
    num_posts=300,
    num_posts_per_day=40,
    impressions_per_day=0,
    seed=7,
)


def test_every_day_brings_new_posts_and_users_and_keeps_the_old_ones() -> None:
    population = Population(CONFIG)
    before, after = population.posts(FIRST), population.posts(THIRD)
    np.testing.assert_array_equal(after.post_ids[: len(before.post_ids)], before.post_ids)
    assert len(after.post_ids) == len(before.post_ids) + 2 * CONFIG.num_posts_per_day
    assert len(np.unique(after.post_ids)) == len(after.post_ids)
    users = population.users(THIRD).user_ids
    assert len(np.unique(users)) == len(users) == CONFIG.num_users + 2 * 4


def test_users_and_posts_do_not_depend_on_the_days_made_before() -> None:
    whole, alone = Population(CONFIG), Population(CONFIG)
    whole.posts(FIRST), whole.users(FIRST)
    for kind in ("users", "posts"):
        arrays = zip(getattr(whole, kind)(THIRD), getattr(alone, kind)(THIRD), strict=True)
        for one, other in arrays:
            np.testing.assert_array_equal(one, other)


def test_more_users_do_not_change_the_posts() -> None:
    more = Population(WorldConfig(**{**vars(CONFIG), "num_users": 900}))
    for one, other in zip(more.posts(THIRD), Population(CONFIG).posts(THIRD), strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_day_repeats_another() -> None:
    size = CONFIG.num_posts_per_day
    vectors = Population(CONFIG).posts(THIRD).vectors
    assert not np.isclose(vectors[-size:], vectors[-2 * size : -size]).all(axis=1).any()


def test_an_id_carries_the_row_of_its_user_or_post() -> None:
    population = Population(CONFIG)
    for ids in (population.users(THIRD).user_ids, population.posts(THIRD).post_ids):
        np.testing.assert_array_equal(rows_of_ids(ids), np.arange(len(ids)))


def test_the_first_day_with_a_row_is_the_first_on_which_it_exists() -> None:
    population, nobody = Population(CONFIG), np.zeros(0, np.int64)
    for row, days in ((0, 0), (299, 0), (300, 1), (339, 1), (340, 2)):
        expected = FIRST + datetime.timedelta(days=days)
        assert population.first_day_with(nobody, np.array([row])) == expected
        assert len(population.posts(expected).post_ids) > row
    assert population.first_day_with(np.array([400]), nobody) == FIRST + datetime.timedelta(days=1)


def test_posts_of_a_day_are_made_on_it() -> None:
    created_at = Population(CONFIG).posts(THIRD).created_at[-CONFIG.num_posts_per_day :]
    assert created_at.min() >= midnight_ms(THIRD)
    assert created_at.max() < midnight_ms(THIRD + datetime.timedelta(days=1))
    assert (np.diff(created_at) >= 0).all()


def test_there_is_nothing_before_the_first_day() -> None:
    with pytest.raises(ValueError, match="begins on 2026-01-01, got 2025-12-31"):
        Population(CONFIG).posts(FIRST - datetime.timedelta(days=1))
