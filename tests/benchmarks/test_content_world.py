"""The world of news is the one that it is said to be."""

import datetime

import numpy as np
import pyarrow.parquet as pq

from benchmarks.content_world import FIRST_DAY, ContentWorld
from components.settings.loading import load
from phoenix.data.days import DAY_MS, midnight_ms


def test_half_of_the_posts_that_a_day_shows_are_written_on_it(tmp_path) -> None:
    world = ContentWorld(seed=1, users=50, posts_per_day=40, rows_per_day=4_000)
    load(world.write(tmp_path, 2))
    posts = pq.read_table(tmp_path / "posts.parquet").to_pydict()
    written = dict(zip(posts["post"], posts["written"], strict=True))
    start = midnight_ms(FIRST_DAY) + DAY_MS
    day = pq.read_table(tmp_path / f"{FIRST_DAY + datetime.timedelta(days=1)}.parquet").to_pydict()
    moments = np.array([written[post] for post in day["post"]])
    assert np.all(moments < day["at"])
    assert np.all(moments >= start - DAY_MS)
    new, old = (
        len({*np.array(day["post"])[at].tolist()}) for at in (moments >= start, moments < start)
    )
    assert old == 40
    assert 36 <= new <= 40, "the last ones may be shown to nobody"


def test_users_like_what_is_about_their_topics(tmp_path) -> None:
    world = ContentWorld(seed=1, users=3, posts_per_day=40, rows_per_day=9_000)
    world.write(tmp_path, 1)
    posts = pq.read_table(tmp_path / "posts.parquet").to_pydict()
    content = dict(zip(posts["post"], map(np.array, posts["text"]), strict=True))
    day = pq.read_table(tmp_path / f"{FIRST_DAY}.parquet").to_pydict()
    users, liked = np.array(day["user"]), np.array(day["liked"])
    texts = np.stack([content[post] for post in day["post"]])
    for user in (1, 2, 3):
        taste = texts[(users == user) & liked].mean(axis=0) - texts[users == user].mean(axis=0)
        matches = texts[users == user] @ taste
        is_high = matches > np.median(matches)
        likes = liked[users == user]
        assert likes[is_high].mean() > 2 * likes[~is_high].mean()
