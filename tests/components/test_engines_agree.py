"""DuckDB and Spark make the same artifacts of every form of log, through the data steps.

One session of Spark serves all of it. Days are few and small: what engines may differ in are nulls,
ties, types and order, and a few dozen rows hold all of these.
"""

import random
from pathlib import Path

import pytest

from components.store.artifacts import Ref, Store
from tests.components.day_log import DayLog

pytestmark = pytest.mark.filterwarnings("ignore")  # of Spark's own Python

DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")
ENGINES = {"duckdb": "{name: duckdb}", "spark": "{name: spark, spark_master: 'local[2]'}"}
SERVED = ("place", "release", "chance", "request", "kept", "id")
SERVED_COLUMNS = (
    "position: place, feed: release, propensity: chance, request_id: request, sampling_rate: kept"
)
# That each expectation comes to the same verdict is held by the tests of `suites`.
LIMITS = """
validate_events:
  max_quarantined_share: 1.0
  max_duplicate_share: 1.0
  severities: {contract: ignore, arrival_order: ignore, any_action: ignore}
build_features: {history_length: 4, num_candidates: 3, window_minutes: 60}
"""
TEXT_IDS = 'text_ids: {user_id: "", post_id: "", author_id: ""}'
FORMS = {
    "impressions": "",
    "texts and what was served": TEXT_IDS,
    "actions": f"rows: actions\nfold_minutes: 90\n{TEXT_IDS}",
    "actions with ids of their own": "rows: actions\nfold_minutes: 90",
    "slates": f"rows: slates\nslates: {{lists: [items, likes], separator: ' '}}\n{TEXT_IDS}",
}
FAVORITE, CLICK = (
    "{name: favorite, column: liked, is_positive: true}",
    "{name: click, column: clicked}",
)
# Of three days: the second appends and reorders, the third removes and renames.
ACTION_LISTS = (
    (FAVORITE, CLICK),
    ("{name: share, column: shared, is_positive: true}", CLICK, FAVORITE),
    ("{name: like, column: liked, is_positive: true, weight: 1, formerly: [favorite]}", CLICK),
)


def write_log(log: DayLog, form: str) -> None:
    """Rows of few users and posts: ties, repeats, conflicts, late rows, and rows that are none."""
    draw = random.Random(form)
    for day in DAYS:
        lines = [f"user,item,author,ts,known,liked,clicked,shared,{','.join(SERVED)}"]
        for _ in range(50):
            user, item = draw.randrange(5), draw.randrange(1, 5)
            shown = draw.choice([day] * 6 + list(DAYS[:2]))
            time = f"{draw.choice(['00', '01', '23'])}:{draw.choice(['02:00', '02:00', '59:59'])}"
            known = f"{max(shown, day)}T{time}"
            flags = [str(draw.randrange(2)) for _ in range(3)]
            served = [
                draw.choice(["", "0", "7", "-1"]),
                draw.choice(["", "f-1", "f-2"]),
                draw.choice(["", "0.1", "1", "1.5"]),
                draw.choice(["", "r-1"]),
                draw.choice(["1", "0.1", "0.5"]),
                draw.choice(["", f"e-{draw.randrange(30)}"]),
            ]
            author = draw.choice([str(item % 3 + 1)] * 9 + [""])
            lines.append(
                ",".join([str(user), str(item), author, f"{shown}T{time}", known, *flags, *served])
            )
        path = log.root / "log" / f"{day}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")


def write_slates(log: DayLog) -> None:
    """Slates of one to four posts, some of another day, some twice, some malformed."""
    draw = random.Random(1)
    for day in DAYS:
        lines = ["user,ts,items,likes,kept"]
        for _ in range(25):
            size = draw.randrange(1, 5)
            items = " ".join(f"N{draw.randrange(1, 7)}" for _ in range(size))
            likes = " ".join(draw.choice("0001x") for _ in range(size))
            time = f"{draw.choice([day] * 4 + [DAYS[0]])}T0{draw.randrange(3)}:00:00"
            lines.append(f"u-{draw.randrange(4)},{time},{items},{likes},{draw.choice('11 ')}")
            lines += lines[-1:] if draw.randrange(5) == 0 else []
        path = log.root / "log" / f"{day}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")


def configure(log: DayLog, form: str, engine: str, day: str) -> None:
    """Writes the configuration of a day, whose store is the engine's own."""
    log.configure("log/{day}.csv", source=FORMS[form], more=LIMITS)
    text = log.config.read_text().replace("store: store", f"store: {engine}")
    columns = "author_id: author, shown_at: ts"
    if form == "slates":
        text = text.replace("user_id: user, post_id: item", "user_id: user, post_id: items")
        text = text.replace(columns, "author_id: items, shown_at: ts, weight: kept")
        text = text.replace("column: liked", "column: likes").replace(
            "  - {name: click, column: clicked}\n", ""
        )
    elif form == "impressions":  # a label comes later, and the list changes
        text = text.replace(columns, f"{columns}, ingested_at: known")
        start, rest = text.split("actions:\n", 1)
        actions = ", ".join(ACTION_LISTS[DAYS.index(day)])
        text = f"{start}actions: [{actions}]\n{rest[rest.index('ingest_events') :]}"
    else:
        own_id = ", source_event_id: id" * ("own" in form)
        text = text.replace(columns, f"{columns}, {SERVED_COLUMNS}{own_id}")
    log.config.write_text(f"{text}engine: {ENGINES[engine]}\n")


def run_days(log: DayLog, form: str, engine: str) -> dict[str, Ref]:
    """Runs the data steps of all days, and of the first day again with what arrived for it."""
    for day in (*days_of(form), DAYS[0]):
        configure(log, form, engine, day)
        log.run_days(day)
    return {f"{ref.kind}/{ref.partition}": ref for ref in store_of(log, engine).heads()}


def days_of(form: str) -> tuple[str, ...]:
    # A list of actions that changes three ways takes three days.
    return DAYS if form == "impressions" else DAYS[:2]


def store_of(log: DayLog, engine: str) -> Store:
    return Store(str(log.root / engine))


@pytest.mark.parametrize("form", FORMS)
def test_both_engines_make_the_same_artifacts(
    form: str, require_spark: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = DayLog(tmp_path, capsys)
    write_slates(log) if form == "slates" else write_log(log, form)
    duckdb, spark = (run_days(log, form, engine) for engine in ENGINES)
    days = days_of(form)
    assert len(duckdb) == 3 * len(days)
    assert spark == duckdb
    store = store_of(log, "duckdb")
    facts = [store.manifest(duckdb[f"validate_events/{day}"])["facts"] for day in days]
    # What the form is about took part.
    assert min(facts[1][name] for name in ("accepted", "duplicate", "quarantined")) > 0
    assert facts[0]["arrived_late"]
    if form.startswith("actions"):
        assert min(each["folded"] for each in facts) > 0
    assert DAYS[0] in facts[1]["labels_by_day"]
