import datetime
from pathlib import Path

import pytest

from components.config import load
from components.layouts import layout

CONFIG = """
store: store
first_day: 2022-04-26
ingest_events: {source: {layout: kuairand, path: source}}
actions: [{name: favorite, column: is_like, is_positive: true}, {name: click}]
"""


def test_all_logs_and_videos_of_a_kuairand_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for name in ("log_random.csv", "log_2.csv", "video_features_basic_1k.csv", "user_features.csv"):
        (tmp_path / "source" / name).touch()
    (tmp_path / "phoenix.yaml").write_text(CONFIG)
    config = load(tmp_path / "phoenix.yaml")
    found = layout(config.ingest_events.source, config)  # type: ignore[arg-type]
    assert [path.name for path in found.event_files] == ["log_2.csv", "log_random.csv"]
    assert [path.name for path in found.post_files] == ["video_features_basic_1k.csv"]
    assert [rule.column for rule in found.actions] == ["is_like", "click"], (
        "the name of an action is its column"
    )


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{day}.csv", "2026-01-02.csv"),
        ("{day}/*.csv", "2026-01-02/part-0.csv"),
        ("logs/*/day={day}/e?.csv", "logs/x/day=2026-01-02/e1.csv"),
        ("**/{day}-*.csv", "a/b/2026-01-02-23.csv"),
    ],
)
def test_files_by_day_are_found_by_the_day_in_their_path(
    tmp_path: Path, pattern: str, name: str
) -> None:
    for each in (name, name.replace("2026-01-02", "2026-01-03"), name.replace("2026", "latest")):
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).touch()
    mapping = "{user_id: u, post_id: p, author_id: a, shown_at: t}"
    source = f"{{layout: columns, events: '{pattern}', event_columns: {mapping}}}"
    (tmp_path / "phoenix.yaml").write_text(
        CONFIG.replace("{layout: kuairand, path: source}", source)
    )
    config = load(tmp_path / "phoenix.yaml")
    found = layout(config.ingest_events.source, config)  # type: ignore[arg-type]
    assert len(found.event_files) == 2
    files = found.files_by_day[datetime.date(2026, 1, 2)]
    assert [str(path.relative_to(tmp_path)) for path in files] == [name]
