"""The users of a day who are asked for: a sample of them, and their first windows."""

import numpy as np

from components.evaluation.day_users import by_history, first_windows, sample_users
from phoenix.metrics.by_user import UserValues


def test_a_sample_is_of_so_many_users_and_the_same_for_equal_users(windows) -> None:
    users = np.unique(windows.user_ids)
    sample = sample_users(users, 30, seed=1)
    assert len(np.unique(sample)) == 30
    assert np.isin(sample, users).all()
    again, other = (sample_users(users, 30, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(again, sample)
    assert set(other.tolist()) != set(sample.tolist())
    assert sample_users(users, 10_000, seed=1) is users


def test_the_first_window_of_a_user_is_the_earliest_and_there_is_one_for_each(windows) -> None:
    requests = first_windows(windows)
    earliest: dict[int, int] = {}
    for user, moment in zip(windows.user_ids.tolist(), windows.starts_at.tolist(), strict=True):
        earliest[user] = min(moment, earliest.get(user, moment))
    assert requests.user_ids.tolist() == sorted(earliest)
    assert requests.starts_at.tolist() == [earliest[user] for user in sorted(earliest)]
    assert len(first_windows(windows.rows(slice(0, 0))).user_ids) == 0


def test_every_user_has_a_place_by_the_length_of_the_history(windows) -> None:
    requests = first_windows(windows)
    ones = np.ones(len(requests.user_ids))
    parts = by_history(UserValues(requests.user_ids, ones, ones), requests)
    assert set(parts) == {"no history", "short history", "long history"}
    users = np.sort(np.concatenate([part.user_ids for part in parts.values()]))
    np.testing.assert_array_equal(users, requests.user_ids)
