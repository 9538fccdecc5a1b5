import re
from pathlib import Path

from components.settings import table
from components.settings.config import Config

PAGE = Path(__file__).parents[3] / "docs/configuration.md"


def test_the_page_says_what_the_code_says() -> None:
    refresh = "run `phoenix config > docs/configuration.md`"
    assert PAGE.read_text() == table.markdown(), refresh


def test_every_section_and_every_setting_is_there() -> None:
    text = table.markdown()
    for name in Config.model_fields:
        assert f"`{name}`" in text


def test_every_setting_has_a_meaning() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| .* \| (.*) \|$", table.markdown(), re.M)
    assert len(rows) > 60
    assert [name for name, value, meaning in rows if not value or not meaning] == []
