import pyarrow as pa

from components.rows import quarantine
from components.rows.day_parts.settled_counts import SettledCounts
from components.rows.quarantine import RuleReport
from tests.components.rows.test_settlement import settle_day


def test_the_counts_of_users_add_up_to_those_of_all() -> None:
    events = [("a.csv", user, time % 2, user % 4, 0) for user in range(-1, 9) for time in range(3)]
    late_rows, bad = [("b.csv", 1), (None, 9)], ["a.csv"]
    whole = SettledCounts.of(settle_day(events, late_rows, bad))
    parts = [
        settle_day([row for row in events if row[1] % 3 == part], *others)
        for part, others in enumerate([(late_rows, bad), ([], []), ([], [])])
    ]
    merged = SettledCounts.merge([SettledCounts.of(part) for part in parts])
    assert merged.account == whole.account
    assert merged.files == whole.files
    assert merged.repetitions == whole.repetitions
    assert (merged.late_by_day, merged.labels_by_day) == (whole.late_by_day, whole.labels_by_day)
    counts = [{rule.name: rule.count for rule in each.rules} for each in (merged, whole)]
    assert counts[0] == counts[1]
    assert sorted(merged.users) == sorted(whole.users)


def test_a_rule_keeps_the_places_of_its_first_rows() -> None:
    def report(count: int, *places: str) -> list[RuleReport]:
        return [RuleReport(name="zero_id", count=count, expected="an id", places=places)]

    merged = quarantine.merge([report(2, "a:1", "a:2"), [], report(9, "a:7", "a:8", "a:9")])
    assert merged == [
        RuleReport(name="zero_id", count=11, expected="an id", places=["a:1", "a:2", "a:7"])
    ]
    assert quarantine.summary(pa.table({"rule": pa.array([], pa.string())})) == []
