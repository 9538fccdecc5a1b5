from components.features.negatives import impression_marks
from components.settings.config import Config


def config_of(rows: str) -> Config:
    columns = {"user_id": "u", "post_id": "p", "author_id": "p", "shown_at": "t"}
    source = {"layout": "columns", "events": "log.csv", "event_columns": columns, "rows": rows}
    names = ("exposure", "favorite", "click")
    return Config.model_validate(
        {
            "store": "store",
            "first_day": "2026-01-01",
            "ingest_events": {"source": source},
            "actions": [
                {"name": name, "weight": 1, "is_positive": name == "favorite"} for name in names
            ],
        }
    )


def test_what_is_no_positive_may_be_a_mark_of_impressions() -> None:
    config = config_of("impressions")
    assert impression_marks.of_config(config) == 0b101
    assert impression_marks.names_of(0b101, config) == "exposure, click"


def test_views_of_a_log_of_actions_are_no_marks() -> None:
    assert impression_marks.of_config(config_of("actions")) == 0
