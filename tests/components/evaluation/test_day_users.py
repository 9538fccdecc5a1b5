"""The users of a day who are asked for: a sample of them, and their first windows."""

import numpy as np

from components.evaluation.day_users import by_history, first_windows, sample_users
from phoenix.metrics.by_user import UserValues


def test_a_sample_has_so_many_users_with_all_their_windows(windows) -> None:
    sample = sample_users(windows, 30, seed=1)
    users = np.unique(sample.user_ids)
    assert len(users) == 30
    assert len(sample.user_ids) == np.isin(windows.user_ids, users).sum()
    again, other = (sample_users(windows, 30, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(again.user_ids, sample.user_ids)
    assert not np.array_equal(np.unique(other.user_ids), users)
    assert sample_users(windows, 10_000, seed=1) is windows


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
