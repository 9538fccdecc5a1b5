"""Sinks without an address, and sinks that do not serve what is live."""

import pytest
import redis

from components.cli.doctor.examination import examine
from components.cli.doctor.findings import Severity, exit_code
from components.contract import ExitCode
from components.settings.config import Config
from tests.components.cli.commands import run_command
from tests.components.cli.doctor.select import by_check
from tests.components.sink_servers import RedisServer, free_port


def test_a_sink_without_its_address_is_a_warning(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    sinks = {"sinks": ({"kind": "redis", "url_variable": "SOME_URL"},)}
    raw = config.model_dump() | {"publish_feeds": sinks}
    with_sink = Config.model_validate(raw)
    assert "SOME_URL" in by_check(examine(with_sink), "sinks")[0].message
    monkeypatch.setenv("SOME_URL", "redis://localhost")
    assert by_check(examine(with_sink), "sinks") == []


def test_every_sink_is_compared_with_what_is_live(
    world, redis_server: RedisServer, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.edit("publish_feeds: {", "publish_feeds: {sinks: [{kind: redis}], ")

    def finding():
        (found,) = by_check(examine(world.config), "sinks")
        return found

    assert finding().severity is Severity.WARNING
    assert "does not serve the live feeds of 2026-01-03" in finding().message
    assert "phoenix feeds refresh" in finding().advice
    assert run_command(capsys, "feeds", "refresh", "-c", world.path)[0] == 0
    assert finding().severity is Severity.FINE
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    assert finding().severity is Severity.WARNING
    monkeypatch.setenv("PHOENIX_REDIS_URL", f"redis://127.0.0.1:{free_port()}")
    assert "cannot be reached" in finding().message
    monkeypatch.setenv("PHOENIX_REDIS_URL", "redis://:wrong@127.0.0.1:1:2")
    assert finding().severity is Severity.ERROR
    assert exit_code([finding()]) == ExitCode.BAD_CONFIGURATION
