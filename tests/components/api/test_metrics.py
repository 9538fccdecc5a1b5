import re

from components.release import releases
from tests.components.cli.commands import user_of


def _value(page: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.M)
    return float(found[1]) if found else 0.0


def test_requests_are_counted_by_route_and_status(three_days, served) -> None:
    good = 'phoenix_requests_total{route="/feeds/{user:path}",status="200"}'
    bad = 'phoenix_requests_total{route="/feeds/{user:path}",status="400"}'
    before = served.client.get("/metrics").text
    for user in (user_of(three_days), "5", "joe"):
        served.client.get(f"/feeds/{user}")
    after = served.client.get("/metrics").text
    assert _value(after, good) - _value(before, good) == 2
    assert _value(after, bad) - _value(before, bad) == 1
    count = 'phoenix_request_seconds_count{route="/feeds/{user:path}"}'
    assert _value(after, count) - _value(before, count) == 3


def test_they_say_what_is_live(three_days, served) -> None:
    page = served.client.get("/metrics").text
    live = releases.live(three_days.store)
    assert live is not None
    assert _value(page, "phoenix_live_entry") == live.entry.number
    assert _value(page, "phoenix_feed_users") > 0
    assert _value(page, "phoenix_problems") == 0
