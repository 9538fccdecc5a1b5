"""The users of a day who are asked for: a sample of them, their first windows, their histories."""

import numpy as np

from phoenix.data.windows import Windows
from phoenix.metrics.by_user import UserValues

SHORT_HISTORY = 8  # posts: fewer make a history short


def sample_users(users: np.ndarray, max_users: int, *, seed: int) -> np.ndarray:
    """Returns at most so many users, each set of them equally likely.

    Args:
      users: `[N]` int64, sorted: of a day.
      max_users: At least 1.
      seed: Of the draw, which is the same for equal users.
    """
    if len(users) <= max_users:
        return users
    generator = np.random.Generator(np.random.Philox(key=[seed % 2**63, len(users)]))
    return generator.choice(users, max_users, replace=False)


def first_windows(windows: Windows) -> Windows:
    """Returns the first window of each user, by user: the moment at which the day began for them.

    Later windows of the day hold posts of the day in their history, which would tell a retriever
    what the user came to like.
    """
    order = np.lexsort((windows.starts_at, windows.user_ids))
    _, first = np.unique(windows.user_ids[order], return_index=True)
    return windows.rows(order[first])


def users_by_history(requests: Windows) -> dict[str, np.ndarray]:
    """Users by the length of the history of their first window."""
    users = requests.user_ids
    lengths = (requests.history_post_ids != 0).sum(axis=1)
    return {
        "no_history": users[lengths == 0],
        "short_history": users[(lengths > 0) & (lengths < SHORT_HISTORY)],
        "long_history": users[lengths >= SHORT_HISTORY],
    }


def by_history(values: UserValues, requests: Windows) -> dict[str, UserValues]:
    """Returns the values of users by the length of their history."""
    members = users_by_history(requests).items()
    return {name.replace("_", " "): values.of(users) for name, users in members}
