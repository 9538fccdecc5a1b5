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


CONFIG = """
store: store
first_day: 2026-01-01
actions: [{name: click, is_positive: true}]
ingest_events:
  source:
    layout: columns
    events: source/{day}.csv
    time_unit: s
    overrun_minutes: 0
    event_columns:
      {user_id: user, post_id: item, author_id: item, shown_at: ts, source_event_id: id}
"""


def test_the_counts_are_those_of_the_step_where_an_earlier_day_told_of_an_event(
    deployment: Deployment,
) -> None:
    deployment.source.mkdir()
    start = 1_767_225_600 + 600  # of 1 January
    rows = {"2026-01-01": ["1,2,{},1,a", "2,2,{},1,b"], "2026-01-02": ["1,3,{},1,a", "3,3,{},1,c"]}
    for number, (day, lines) in enumerate(rows.items()):
        text = "".join(f"{line.format(start + number * 86_400)}\n" for line in lines)
        (deployment.source / f"{day}.csv").write_text(f"user,item,ts,click,id\n{text}")
    (deployment.root / "phoenix.yaml").write_text(CONFIG)
    for day in rows:
        for step in ("ingest_events", "validate_events"):
            deployment.run(step, day=day)
    config = load(deployment.root / "phoenix.yaml")
    parts = settled_parts.settled_parts(deployment.store, config, parse_day("2026-01-02"))
    account = SettledCounts.merge(list(map(SettledCounts.of, parts))).account
    facts = deployment.artifact("validate_events", "2026-01-02").manifest["facts"]
    assert account == {name: facts[name] for name in account}
    assert (account["accepted"], account["duplicate"]) == (1, 1)
