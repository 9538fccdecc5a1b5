"""`phoenix feed`, `phoenix why` and `phoenix feeds refresh`."""

import json
import subprocess
import sys

import pytest

from components.serving import published
from tests.components.cli.commands import LAST, run_command, user_of
from tests.components.sink_servers import RedisServer


def test_feed_shows_the_live_feed(three_days, capsys: pytest.CaptureFixture[str]) -> None:
    user = user_of(three_days)
    code, out, _ = run_command(capsys, "feed", user, "-c", three_days.path)
    assert code == 0
    assert f"Feed of user {user} on {LAST} (fresh; live" in out
    found = published.feed(three_days.store, three_days.config, user)
    assert all(str(item.post_id) in out for item in found.items)


def test_json_is_the_whole_output_and_the_whole_truth(
    three_days, capsys: pytest.CaptureFixture[str]
) -> None:
    user = user_of(three_days)
    _, out, err = run_command(capsys, "feed", user, "-c", three_days.path, "--json")
    found = published.feed(three_days.store, three_days.config, user)
    assert json.loads(out) == found.to_json()
    assert err == ""


def test_why_explains_a_place_and_an_absence(
    three_days, capsys: pytest.CaptureFixture[str]
) -> None:
    user = user_of(three_days)
    found = published.feed(three_days.store, three_days.config, user)
    post = found.items[1].post_id
    _, out, _ = run_command(capsys, "why", user, post, "-c", three_days.path)
    assert "place 2 of" in out
    assert "adds" in out
    code, out, _ = run_command(capsys, "why", user, 5, "-c", three_days.path)
    assert code == 0
    assert "not in the feed" in out
    _, out, _ = run_command(capsys, "why", user, post, "-c", three_days.path, "--json")
    assert json.loads(out)["item"]["rank"] == 2


def test_feed_starts_fast_and_without_the_heavy_libraries(three_days) -> None:
    user = user_of(three_days)
    code = (
        "import sys, time; began = time.process_time(); from components.cli.app import app;"
        f"code = app(['feed', {user!r}, '-c', {str(three_days.path)!r}]);"
        "heavy = {'jax', 'great_expectations', 'airflow', 'duckdb', 'tensorstore', 'pandas'};"
        "print(code, sorted(heavy & sys.modules.keys()), time.process_time() - began)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    last = run.stdout.splitlines()[-1].split()
    assert last[:2] == ["0", "[]"]
    assert float(last[2]) < 1.0


def test_refresh_fills_a_sink_that_was_added_later_and_leaves_it_alone_then(
    world, redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    refresh = ("feeds", "refresh", "-c", world.path, "--json")
    assert json.loads(run_command(capsys, *refresh)[1])["written"] == []
    world.edit("publish_feeds: {", "publish_feeds: {sinks: [{kind: redis}], ")
    assert json.loads(run_command(capsys, *refresh)[1])["written"] == [
        "the sink phoenix:feed: in Redis"
    ]
    assert json.loads(run_command(capsys, *refresh)[1])["written"] == []
    redis_server.kill()
    code, _, err = run_command(capsys, *refresh)
    assert (code, "Redis cannot be reached" in err) == (75, True)
