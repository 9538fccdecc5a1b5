"""A server under load, while what is live moves, breaks, and is withdrawn."""

import random
import subprocess
import sys
import threading
import time
from collections import Counter

import httpx
import pytest

from components.release import releases
from components.serving import published
from tests.components.api.serving_process import serving
from tests.components.cli.commands import LAST

SECOND = "2026-01-02"


class Load:
    """Readers that compare every answer with the feed of the release that it names."""

    def __init__(self, world, url: str) -> None:
        live = releases.live(world.store)
        assert live is not None
        self.users = published.example_users(world.store, live.feeds, 20)
        self.expected, self.url = {}, url
        for day in (SECOND, LAST):
            release = world.artifact("publish_release", day).ref.digest
            feeds = world.artifact("publish_feeds", day).ref
            default = published.default_feed(world.store, world.config, feeds)
            own = {
                each.user_id: each
                for each in published.feeds_of(world.store, world.config, feeds, self.users)
            }
            for user in self.users:
                posts = [item.post for item in own.get(user, default).items]
                self.expected[release, user] = posts
        self.answers, self.wrong = Counter(), []
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(n,)) for n in range(3)]

    def __enter__(self) -> "Load":
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for each in self._threads:
            each.join()

    def _read(self, seed: int) -> None:
        draw = random.Random(seed)
        with httpx.Client(base_url=self.url, timeout=10) as client:
            while not self._is_over.is_set():
                user = draw.choice(self.users)
                try:
                    answer = client.get(f"/feeds/{user}")
                    release = answer.json()["live_release"]
                    posts = [item["post_id"] for item in answer.json()["items"]]
                except (httpx.HTTPError, KeyError) as error:
                    self.wrong.append(repr(error))
                    continue
                self.answers[release] += 1
                if answer.status_code != 200 or posts != self.expected[release, user]:
                    self.wrong.append(answer.text)


def _move(world, day: str) -> str:
    """Makes a day live; returns the digest of its release."""
    pointer = releases.pointer(world.store)
    for entry in reversed(pointer.log()):
        if entry.value["day"] == day:
            pointer.move(entry.value, newest=pointer.read(), reason="test")
            return entry.value["release"]["digest"]
    raise AssertionError(day)


def _wait_for(server, release: str) -> float:
    """Returns the seconds until a release is served."""
    began = time.monotonic()
    while server.client.get("/healthz").json()["live_release"] != release:
        assert time.monotonic() - began < 10
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.parametrize("moves", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_moves_of_the_pointer_are_followed_within_a_second_and_drop_nothing(world, moves) -> None:
    with serving(world.path) as server, Load(world, server.url) as load:
        seconds = []
        for number in range(moves):
            release = _move(world, (SECOND, LAST)[number % 2])
            seconds.append(_wait_for(server, release))
        assert server.client.get("/metrics").text.count('status="500"') == 0
    assert load.wrong == []
    assert len(load.answers) == 2
    assert sorted(seconds)[len(seconds) // 2] < 1


@pytest.mark.slow
def test_a_publisher_that_is_killed_harms_no_answer(world) -> None:
    draw = random.Random(1)
    code = "import sys; from components.cli.app import app; sys.exit(app())"
    with serving(world.path) as server, Load(world, server.url) as load:
        for _ in range(10):
            live = releases.live(world.store)
            assert live is not None
            way = ["rollback", SECOND] if str(live.day) == LAST else ["restore"]
            command = [sys.executable, "-c", code, "releases", *way, "--reason", "test"]
            publisher = subprocess.Popen([*command, "-c", str(world.path)])
            time.sleep(draw.uniform(0.5, 3))
            publisher.kill()
            publisher.wait()
            live = releases.live(world.store)
            assert live is not None
            _wait_for(server, live.release.digest)
        assert server.client.get("/metrics").text.count('status="500"') == 0
    assert load.wrong == []


def test_withdrawals_and_blocks_hold_at_once(world, tmp_path) -> None:
    pairs, posts = tmp_path / "pairs.csv", tmp_path / "posts.txt"
    pairs.write_text("user_id,author_id\n")
    posts.write_text("")
    named = f"{{blocked_authors: {pairs}, withdrawn_posts: {posts}, "
    world.edit("materialize_feeds: {", f"materialize_feeds: {named}")
    live = releases.live(world.store)
    assert live is not None
    user = published.example_users(world.store, live.feeds, 3)[1]
    with serving(world.path) as server:
        first, second, *_ = server.client.get(f"/feeds/{user}").json()["items"]
        posts.write_text(f"{first['post_id']}\n")
        pairs.write_text(f"user_id,author_id\n{user},{second['author_id']}\n")
        time.sleep(1)
        items = server.client.get(f"/feeds/{user}").json()["items"]
        assert first["post_id"] not in {item["post_id"] for item in items}
        assert second["author_id"] not in {item["author_id"] for item in items}
        posts.write_text("no id\n")  # what held before goes on, and it is said
        time.sleep(1)
        assert server.client.get(f"/feeds/{user}").json()["items"] == items
        health = server.client.get("/healthz")
        assert health.status_code == 200
        assert "posts.txt:1: expected a post_id" in health.json()["problems"]["rules"]


def test_damaged_feeds_are_refused_and_the_earlier_ones_go_on(world) -> None:
    feeds = world.artifact("publish_feeds", SECOND)
    with serving(world.path) as server:
        (file,) = feeds.paths("feeds.parquet")
        file.write_bytes(file.read_bytes()[:-1] + b"x")
        _move(world, SECOND)
        time.sleep(1)
        health = server.client.get("/healthz").json()
        assert health["day"] == LAST
        assert "is damaged" in health["problems"]["feeds"]
        _move(world, LAST)
        time.sleep(1)
        assert server.client.get("/healthz").json()["problems"] == {}
