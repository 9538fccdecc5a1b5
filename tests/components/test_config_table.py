import re
from pathlib import Path

from components import config_table
from components.config import Config

PAGE = Path(__file__).parents[2] / "docs/configuration.md"


def test_the_page_says_what_the_code_says() -> None:
    refresh = "run `phoenix config > docs/configuration.md`"
    assert PAGE.read_text() == config_table.markdown(), refresh


def test_every_section_and_every_setting_is_there() -> None:
    text = config_table.markdown()
    for name in Config.model_fields:
        assert f"`{name}`" in text


def test_every_setting_has_a_meaning() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| .* \| (.*) \|$", config_table.markdown(), re.M)
    assert len(rows) > 60
    assert [name for name, value, meaning in rows if not value or not meaning] == []
