import pytest

from components.api import rules
from components.api.rules import Rules
from components.errors import BadConfigurationError


@pytest.fixture
def lists(world, tmp_path):
    """A world with both lists."""
    pairs, posts = tmp_path / "pairs.csv", tmp_path / "posts.txt"
    pairs.write_text("user_id,author_id\n9,1\n3,5\n9,2\n")
    posts.write_text("7\n8\n")
    named = f"{{blocked_authors: {pairs}, withdrawn_posts: {posts}, "
    return world.edit("materialize_feeds: {", f"materialize_feeds: {named}"), pairs


def test_a_user_is_not_shown_the_authors_of_their_own_pairs(lists) -> None:
    found = Rules.of(lists[0].config)
    assert found.blocked_by(9) == {1, 2}
    assert found.blocked_by(3) == {5}
    assert found.blocked_by(4) == frozenset()
    assert found.withdrawn == {7, 8}


def test_a_changed_file_is_another_version(lists) -> None:
    world, pairs = lists
    before = rules.versions(world.config)
    assert rules.versions(world.config) == before
    pairs.write_text("user_id,author_id\n9,1\n")
    assert rules.versions(world.config) != before
    pairs.unlink()
    with pytest.raises(BadConfigurationError, match=r"blocked_authors: .*pairs\.csv"):
        rules.versions(world.config)


def test_without_lists_nobody_is_withheld(three_days) -> None:
    found = Rules.of(three_days.config)
    assert (found.withdrawn, found.blocked_by(1)) == (frozenset(), frozenset())
    assert rules.versions(three_days.config) == {}
