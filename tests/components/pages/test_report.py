import datetime
import html.parser
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.pages import report
from components.pages.panels import all_panels
from components.settings.config import Config
from components.settings.loading import load
from components.store import records
from components.store.artifacts import Store

LAST = "2026-01-03"
VOID = {"meta", "img", "br", "link", "input", "hr", "path"}


def page(store: Store, day: str = LAST) -> str:
    return Path(store.storage.uri(report.page_path(day))).read_text()


def draw(world, day: str = LAST) -> str:
    report.refresh(world.store, world.config, datetime.date.fromisoformat(day))
    return page(world.store, day)


class Markup(html.parser.HTMLParser):
    """Checks that tags are closed in order; collects identifiers and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"a script in {name}"
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                self.addresses.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture
def empty(tmp_path: Path) -> tuple[Store, Config]:
    path = tmp_path / "phoenix.yaml"
    path.write_text(
        "store: store\nfirst_day: 2026-01-01\ningest_events: {source: {layout: synthetic}}\n"
        "actions: [{name: favorite, is_positive: true}]\n"
    )
    config = load(path)
    return Store(config.store), config


def _record(step: str, **more: object) -> dict:
    return {
        "step": step,
        "day": "2026-01-01",
        "options": {},
        "started_at": "2026-01-02T00:00:00",
        "seconds": 1.5,
        "exit_code": 0,
        "status": "done",
    } | more


def test_a_finished_day_shows_every_part(three_days) -> None:
    text = draw(three_days)
    assert "cannot be shown" not in text
    assert "1,500 rows in" in text
    assert text.count("data:image/svg+xml") == 4  # learning curves, calibration, drift
    for word in ("ndcg@5", "recall@20", "most popular", "random", "most frequent post"):
        assert word in text.lower()
    assert three_days.artifact("publish_release", LAST).ref.digest in text
    assert text.count('<ol class="feed">') == 3


def test_models_that_learned_are_compared_with_what_they_learned_from(world) -> None:
    assert world.run("evaluate_models", LAST, force="promote", reason="a test") == 0
    steps = ("export_corpus", "publish_release", "materialize_feeds", "publish_feeds")
    assert set(world.run_day(LAST, steps)) == {0}
    # Drift of events and of features against those of the training, beside the four.
    assert draw(world).count("data:image/svg+xml") == 6


def test_the_page_is_well_formed_and_asks_nothing_of_the_network(three_days) -> None:
    markup = Markup(draw(three_days))
    assert len(markup.ids) == len(set(markup.ids))
    assert not markup.tags & {"script", "iframe", "link", "form", "object"}
    for address in markup.addresses:
        assert address.startswith(("data:image/svg+xml;base64,", "#", "../")), address


def test_links_within_the_page_lead_somewhere(three_days) -> None:
    markup = Markup(draw(three_days))
    for address in markup.addresses:
        if address.startswith("#"):
            assert address[1:] in markup.ids


def test_links_to_files_lead_to_files(three_days) -> None:
    folder = Path(three_days.store.storage.uri(f"pages/{LAST}"))
    links = [link for link in Markup(draw(three_days)).addresses if link.startswith("../")]
    assert "../../docs/2026-01-03/index.html" in links
    assert all((folder / link).is_file() for link in links)


def test_no_rule_of_the_browser_allows_a_script(three_days) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', draw(three_days))
    assert policy is not None
    assert policy[1].startswith("default-src 'none';")
    assert "script-src" not in policy[1]


def test_user_ids_are_hidden_unless_configured(world) -> None:
    users = world.artifact("publish_feeds", LAST).path("feeds.parquet")
    import pyarrow.parquet as pq

    ids = {str(user) for user in pq.read_table(users)["user_id"].unique().to_pylist()}
    assert not ids & set(re.findall(r"\d+", draw(world)))
    with world.path.open("a") as file:
        file.write("report: {show_user_ids: true, num_example_feeds: 1}\n")
    assert len(ids & set(re.findall(r"\d+", draw(world)))) == 1


def test_a_day_in_progress_says_what_is_not_there_yet(empty: tuple[Store, Config]) -> None:
    store, config = empty
    records.write(store, _record("ingest_events"))
    report.refresh(store, config, config.first_day)
    text = page(store, "2026-01-01")
    Markup(text)
    assert "in progress" in text
    assert text.count("waiting</span>") == 10
    assert "No feeds were published yet." in text


@pytest.mark.parametrize(
    ("code", "advice"),
    [(65, "Mend what the message names"), (75, "may work later"), (78, "Mend the field")],
)
def test_a_failed_step_says_what_why_and_what_to_do(
    empty: tuple[Store, Config], code: int, advice: str
) -> None:
    store, config = empty
    error = "log.csv: expected a column user_id, got <script>alert(1)</script>"
    records.write(store, _record("ingest_events", status="failed", exit_code=code, error=error))
    report.refresh(store, config, config.first_day)
    text = page(store, "2026-01-01")
    Markup(text)
    assert f"ingest_events failed with exit code {code}" in text
    assert "&lt;script&gt;alert(1)" in text
    assert advice in text
    assert "phoenix step ingest_events --day 2026-01-01" in text


def test_a_damaged_artifact_is_named_and_the_rest_is_shown(world) -> None:
    artifact = world.artifact("train_ranker", LAST)
    curve = artifact.path("curve.json")
    curve.write_bytes(curve.read_bytes()[:-1])
    manifest = world.artifact("publish_feeds", LAST).folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    text = draw(world)
    Markup(text)
    assert "curve.json is damaged" in text
    assert "The artifact of publish_feeds is damaged" in text
    assert "1,500 rows in" in text


def test_the_index_lists_every_day_the_newest_first(three_days) -> None:
    draw(three_days)
    text = Path(three_days.store.storage.uri("pages/index.html")).read_text()
    Markup(text)
    days = re.findall(r'href="(2026-01-0\d)/index.html"', text)
    assert days == ["2026-01-03", "2026-01-02", "2026-01-01"]


def test_a_damaged_summary_is_made_again_with_its_page(three_days) -> None:
    store, path = three_days.store, report.summary_path(LAST)
    before = store.storage.read(path)
    store.storage.replace(path, b"{")
    draw(three_days, "2026-01-02")
    draw(three_days)
    assert store.storage.read(path) == before


def test_the_summary_has_the_numbers_of_the_day(three_days) -> None:
    draw(three_days)
    path = three_days.store.storage.uri(f"pages/{LAST}/summary.json")
    summary = json.loads(Path(path).read_text())
    facts = three_days.artifact("validate_events", LAST).facts
    assert summary["accepted"] == facts["accepted"]
    assert summary["state"] == "done"
    assert summary["num_done"] == 11


def test_drawing_a_page_takes_a_moment(three_days) -> None:
    draw(three_days)
    times = []
    for _ in range(5):
        began = time.process_time()
        draw(three_days)
        times.append(time.process_time() - began)
    assert min(times) < 0.3


def test_steps_that_end_together_lose_no_result(empty: tuple[Store, Config]) -> None:
    store, config = empty
    steps = ("train_retrieval", "train_ranker", "evaluate_models", "export_corpus")
    code = f"""
import datetime, sys
from pathlib import Path
from components.pages import report
from components.store import records
from components.store.artifacts import Store
from components.settings.loading import load
config = load(Path({str(Path(config.store).parent / "phoenix.yaml")!r}))
store = Store(config.store)
record = {_record("")!r} | {{"step": sys.argv[1]}}
sys.stdin.read(1)
records.write(store, record)
report.refresh(store, config, config.first_day)
"""
    workers = [
        subprocess.Popen([sys.executable, "-c", code, step], stdin=subprocess.PIPE)
        for step in steps
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"g")
        worker.stdin.close()
    assert [worker.wait() for worker in workers] == [0] * len(steps)
    assert page(store, "2026-01-01").count("waiting</span>") == 11 - len(steps)
    assert "4 of 11 steps" in Path(store.storage.uri("pages/index.html")).read_text()


def test_a_panel_that_breaks_is_a_sentence_and_not_an_end(three_days) -> None:
    from components.pages.day_facts import DayFacts

    facts = DayFacts.read(three_days.store, three_days.config, LAST)
    manifest = facts.manifests["publish_feeds"]
    broken = dict(facts.manifests) | {"evaluate_models": manifest}
    shown = all_panels(
        DayFacts(**{**vars(facts), "manifests": broken}),
    )
    assert "cannot be shown" in shown["metrics"]["problem"]
    assert shown["data"]["problem"] is None
