from collections.abc import Callable

import pytest

from components.contract import parse_day
from components.rows.day_parts import settled_parts
from components.rows.day_parts.settled_counts import SettledCounts
from components.settings.loading import load
from tests.components.small_log import Deployment


def test_the_rows_of_a_day_are_settled_some_users_at_a_time_and_add_up(
    deployment: Deployment, row: Callable[..., dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(n, user_id=1 + n % 20) for n in range(40)]
    deployment.log([*rows, row(50, user_id=1, tab=99), row(51, user_id=4, play_time_ms="long")])
    deployment.run("ingest_events")
    config = load(deployment.root / "phoenix.yaml")
    day = parse_day("2026-01-02")
    (whole,) = settled_parts.settled_parts(deployment.store, config, day)
    monkeypatch.setattr(settled_parts, "PART_ROWS", 10)
    parts = list(settled_parts.settled_parts(deployment.store, config, day))
    assert len(parts) > 3
    assert max(part.account["rows_in"] for part in parts) <= 11, "with the one without a user"
    assert sum(map(len, (part.accepted for part in parts))) == len(whole.accepted) == 40
    assert parts[0].broken["rule"].to_pylist() == ["unreadable_number"], "of whatever user"
    merged = SettledCounts.merge(list(map(SettledCounts.of, parts)))
    assert (merged.account, merged.rules) == (whole.account, SettledCounts.of(whole).rules)
    assert sum(len(part.mendable) for part in parts) == len(whole.mendable) == 2
