import pytest

from components.settings.loading import load
from components.tables.masks import user_name

_CONFIG = (
    "store: store\nfirst_day: 2026-01-01\nseed: 7\nactions: [{name: click, is_positive: true}]\n"
)


@pytest.fixture
def config_with(tmp_path):
    def config(report: str = ""):
        path = tmp_path / "phoenix.yaml"
        path.write_text(_CONFIG + "ingest_events: {source: {layout: synthetic}}\n" + report)
        return load(path)

    return config


def test_the_same_user_has_the_same_short_name_and_others_another(config_with) -> None:
    names = [user_name(user, str(user), config_with()) for user in (1, 1, 2)]
    assert names[0] == names[1] != names[2]
    assert names[0] != "1"


def test_an_id_is_shown_where_the_configuration_asks_for_it(config_with) -> None:
    assert user_name(12, "u-12", config_with("report: {show_user_ids: true}\n")) == "u-12"
