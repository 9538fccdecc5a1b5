"""Examples of what a change of model changes: the first posts of a few users under both.

A retriever's are the best posts of the corpus, a ranker's the best of what the user was shown on
the day. Users are told by the length of their history alone, since decisions outlive them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.evaluation.day_users import first_windows
from components.evaluation.results import Result
from components.tables import id_texts
from components.tables.id_texts import IdTexts
from phoenix.data.windows import Windows

NUM_USERS = 3
LENGTH = 5  # posts of each


def users_of(user_ids: np.ndarray) -> np.ndarray:
    """Returns a few users spread evenly over all, by their ids.

    Args:
      user_ids: `[n]` int64; a user may come several times.

    >>> users_of(np.array([9, 1, 5, 5, 3, 7])).tolist()
    [1, 5, 9]
    """
    users = np.unique(user_ids)
    places = np.linspace(0, len(users) - 1, min(NUM_USERS, len(users)))
    return users[places.astype(np.int64)]


def of_answers(user_ids: np.ndarray, answers: np.ndarray) -> dict[int, list[int]]:
    """Returns the first posts of a few users.

    Args:
      user_ids: `[N]` int64, rising.
      answers: `[N, K]` int64, best first; 0: none.
    """
    users = users_of(user_ids)
    posts = answers[np.searchsorted(user_ids, users), :LENGTH]
    return {
        user: [post for post in own if post]
        for user, own in zip(users.tolist(), posts.tolist(), strict=True)
    }


def of_scores(
    user_ids: np.ndarray, post_ids: np.ndarray, scores: np.ndarray
) -> dict[int, list[int]]:
    """Returns the posts of a few users in the order of their scores, each post once.

    Of equal scores the smaller id comes first. Only users of several posts are taken, if any are.

    Args:
      user_ids: `[E]` int64.
      post_ids: `[E]` int64.
      scores: `[E]` float.

    >>> of_scores(np.array([3, 3, 3]), np.array([7, 8, 7]), np.array([0.1, 0.2, 0.3]))
    {3: [7, 8]}
    """
    order = np.lexsort((post_ids, -scores, user_ids))
    users, posts = user_ids[order], post_ids[order]
    _, count = np.unique(users, return_counts=True)
    has_several = np.repeat(count >= min(LENGTH, count.max(initial=0)), count)
    return {
        user: list(dict.fromkeys(posts[users == user].tolist()))[:LENGTH]
        for user in users_of(users[has_several]).tolist()
    }


def changes(results: Mapping[str, Result], windows: Windows, folder: Path) -> list[dict[str, Any]]:
    """Returns the posts of each example under the champion and under the candidate.

    Args:
      results: By the name of the recommender.
      windows: Of the day.
      folder: Of the accepted events, with the texts of ids that are text.

    Returns:
      Keys of each: history (posts in it), champion, candidate (names of posts, best first). None
      without both.
    """
    if not {"candidate", "champion"} <= results.keys():
        return []
    both = {name: results[name].examples for name in ("champion", "candidate")}
    texts = _texts(
        folder, [post for each in both.values() for own in each.values() for post in own]
    )
    requests = first_windows(windows)
    lengths = (requests.history_post_ids != 0).sum(axis=1)
    return [
        {
            "history": int(lengths[np.searchsorted(requests.user_ids, user)]),
            **{name: texts.names_of(np.array(own[user])) for name, own in both.items()},
        }
        for user in both["candidate"]
        if user in both["champion"]
    ]


def _texts(folder: Path, post_ids: Sequence[int]) -> IdTexts:
    path = folder / id_texts.file_name("post_id")
    if not path.is_file():
        return IdTexts.none("post_id")
    return IdTexts.read("post_id", path, np.array(post_ids, np.int64))
