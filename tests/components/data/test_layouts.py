from pathlib import Path

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
    assert found.action_columns == ["is_like", "click"], "the name of an action is its column"
