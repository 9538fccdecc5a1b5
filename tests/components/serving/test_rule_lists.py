"""Lists of rules are read as the source writes ids, and refused by file and line."""

from pathlib import Path

import pytest

from components.errors import BadConfigurationError
from components.serving import rule_lists
from components.settings.config import Config
from tests.components.serving.sources.conftest import SETTINGS, with_settings

PLAIN = Config.model_validate(SETTINGS)


def _config(path: Path, name: str, text: str) -> Config:
    path.write_text(text)
    return with_settings(PLAIN, **{name: path})


def test_pairs_and_posts_are_read_in_their_order(tmp_path: Path) -> None:
    config = _config(
        tmp_path / "a.csv", "blocked_authors", "note,author_id,user_id\nx,7,3\ny,8,4\n"
    )
    assert rule_lists.blocked_authors(config).to_pydict() == {
        "user_id": [3, 4],
        "author_id": [7, 8],
    }
    config = _config(tmp_path / "c.csv", "listed_posts", "post_id,user_id,note\n12,,x\n5,3,\n5,,\n")
    assert rule_lists.listed_posts(config).to_pydict() == {
        "user_id": [0, 3, 0],
        "post_id": [12, 5, 5],
    }
    config = _config(tmp_path / "b.txt", "withdrawn_posts", "12\n5\n")
    assert rule_lists.withdrawn_posts(config).tolist() == [12, 5]


def test_without_lists_there_is_nothing() -> None:
    assert not any(len(getattr(rule_lists, name)(PLAIN)) for name in rule_lists.SETTINGS)
    assert rule_lists.recipe(PLAIN) == {}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("blocked_authors", "user_id,author_id\n3,7\n3,x\n", r"list:3: expected a author_id.*'x'"),
        (
            "blocked_authors",
            "user,author\n3,7\n",
            "expected the columns user_id and author_id, got",
        ),
        (
            "followed_authors",
            "user_id\n3\n",
            "expected the columns user_id and author_id, got user_id",
        ),
        ("listed_posts", "item\n3\n", "expected the column post_id, got item: write it into"),
        ("listed_posts", "post_id,user_id\n3,\n4,-1\n", r"list:3: expected a user_id.*'-1'"),
        ("withdrawn_posts", "12\n0\n", r"list:2: expected a post_id, a whole number above 0"),
    ],
)
def test_a_bad_list_is_refused_by_file_and_line(name, text, message, tmp_path: Path) -> None:
    config = _config(tmp_path / "list", name, text)
    with pytest.raises(BadConfigurationError, match=message):
        getattr(rule_lists, name)(config)


@pytest.mark.parametrize("name", rule_lists.SETTINGS)
def test_a_list_is_in_the_recipe_by_its_digest_and_must_be_there(name: str, tmp_path: Path) -> None:
    config = _config(tmp_path / "list", name, "12\n")
    before = rule_lists.recipe(config)
    (tmp_path / "list").write_text("13\n")
    assert rule_lists.recipe(config) != before
    (tmp_path / "list").unlink()
    for read in (rule_lists.recipe, getattr(rule_lists, name)):
        with pytest.raises(BadConfigurationError, match=f"{name}: .*list: it cannot be read"):
            read(config)
