"""`phoenix releases`."""

import json
import time

import pytest

from components.contract import ExitCode
from components.release import releases
from components.serving import published
from components.serving.sinks import all_sinks
from tests.components.cli.commands import LAST, phoenix, run_command
from tests.components.sink_servers import PostgresServer, RedisServer


def test_releases_are_listed_shown_and_verified(
    three_days, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run_command(capsys, "releases", "list", "-c", three_days.path, "--json")
    rows = json.loads(out)
    assert [(row["day"], row["is_live"]) for row in rows] == [
        ("2026-01-01", False),
        ("2026-01-02", False),
        (LAST, True),
    ]
    _, out, _ = run_command(capsys, "releases", "list", "-c", three_days.path)
    assert all(row["digest"][:12] in out for row in rows)
    _, out, _ = run_command(capsys, "releases", "show", LAST, "-c", three_days.path)
    assert rows[-1]["digest"] in out
    code, out, _ = run_command(capsys, "releases", "verify", LAST, "-c", three_days.path, "--json")
    assert code == 0
    assert json.loads(out)["files"] > 10


def test_a_release_that_is_gone_is_listed_and_says_what_makes_it_again(
    world, capsys: pytest.CaptureFixture[str]
) -> None:
    ref = world.store.head("publish_release", LAST)
    world.store.storage.remove(f"publish_release/{LAST}")
    _, out, _ = run_command(capsys, "releases", "list", "-c", world.path, "--json")
    row = json.loads(out)[-1]
    assert (row["digest"], row["is_live"], row["is_gone"]) == (ref.digest, True, True)
    assert row["retrieval"] is None
    _, out, _ = run_command(capsys, "releases", "list", "-c", world.path)
    assert "live, gone" in out
    assert f"`phoenix step publish_release --day {LAST}` makes it again." in out


def test_a_damaged_release_is_not_verified(world, capsys: pytest.CaptureFixture[str]) -> None:
    path = world.artifact("publish_release", LAST).path("release.json")
    path.write_bytes(path.read_bytes() + b" ")
    code, _, err = run_command(capsys, "releases", "verify", LAST, "-c", world.path)
    assert code == ExitCode.BAD_DATA
    assert "release.json is damaged" in err


def test_a_rollback_changes_what_feed_says_and_the_log_says_who_and_why(
    world, capsys: pytest.CaptureFixture[str]
) -> None:
    day_before = world.store.head("publish_feeds", "2026-01-02")
    user = published.example_users(world.store, day_before, 1)[0]
    argv = ("releases", "rollback", "2026-01-02", "--reason", "clicks fell", "--actor", "ann")
    code, out, _ = run_command(capsys, *argv, "-c", world.path, "--json")
    assert code == 0
    assert json.loads(out)["actor"] == "ann"
    _, out, _ = run_command(capsys, "feed", user, "-c", world.path, "--json")
    assert (json.loads(out)["day"], json.loads(out)["is_live"]) == ("2026-01-02", True)
    _, out, _ = run_command(capsys, "releases", "list", "-c", world.path)
    assert "ann: rollback: clicks fell" in out


def test_rollback_and_feed_together_take_about_a_second(world) -> None:
    user = published.example_users(world.store, world.store.head("publish_feeds", "2026-01-02"), 1)[
        0
    ]
    assert (
        phoenix("releases", "rollback", "2026-01-02", "--reason", "r", "-c", world.path).returncode
        == 0
    )
    began = time.monotonic()
    run = phoenix("feed", user, "-c", world.path, "--json")
    assert json.loads(run.stdout)["day"] == "2026-01-02"
    assert time.monotonic() - began < 10  # generous: a busy machine; the CPU time is asserted above


def test_a_rollback_waits_for_no_sink_and_the_same_command_completes_it(
    world,
    redis_server: RedisServer,
    postgres_server: PostgresServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world.edit("publish_feeds: {", "publish_feeds: {sinks: [{kind: postgres}, {kind: redis}], ")
    assert world.run("publish_feeds", LAST, num_shards=2) == ExitCode.NOTHING_TO_DO
    config, day = world.config, "2026-01-02"
    redis_server.kill()
    argv = ("releases", "rollback", day, "--reason", "bad", "-c", world.path)
    code, out, err = run_command(capsys, *argv)
    assert (code, day in out, world.live_day()) == (ExitCode.TRY_AGAIN, True, day)
    assert "not in every sink: Redis cannot be reached" in err
    assert run_command(capsys, *argv)[0] == ExitCode.TRY_AGAIN, "it is away still"
    redis_server.start()
    assert run_command(capsys, *argv)[0] == ExitCode.DONE
    live = releases.live(world.store)
    assert [entry.value["day"] for entry in releases.pointer(world.store).log()][-2:] == [LAST, day]
    feeds = world.store.read(live.feeds)
    assert [state for _, state in all_sinks.compared(config, feeds)] == [True, True]
    code, _, err = run_command(capsys, *argv)
    assert (code, "live already" in err) == (ExitCode.BAD_CONFIGURATION, True)
