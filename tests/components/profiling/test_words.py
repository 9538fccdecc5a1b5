"""The words that logs use, as a first guess understands them."""

import pytest

from components.profiling import words
from components.settings.published_weights import PUBLISHED_WEIGHTS


@pytest.mark.parametrize(
    ("name", "columns", "expected"),
    [
        ("user_id", ["visitorid", "itemid"], "visitorid"),
        ("post_id", ["Product ID", "user"], "Product ID"),
        ("shown_at", ["actor.id", "created_at"], "created_at"),
        ("user_id", ["actor.id", "repo.id"], "actor.id"),
        ("user_id", ["price", "brand"], None),
        ("user_id", ["member", "article", "writer"], "member"),
        ("post_id", ["member", "article", "writer"], "article"),
        ("author_id", ["member", "article", "writer"], "writer"),
        ("shown_at", ["seen_at", "created_at"], "seen_at"),
        ("user_id", ["viewer_uuid", "clip_id"], "viewer_uuid"),
        ("user_id", ["client", "device"], None),  # kinds of them, as likely
    ],
)
def test_a_column_is_known_by_its_name(name: str, columns: list[str], expected: str | None) -> None:
    assert words.column_for(words.COLUMN_NAMES[name], columns) == expected


def test_every_known_word_has_a_weight() -> None:
    for word in ("like", "buy", "is_click", "long_view", "remove_from_cart", "report", "share"):
        meaning = words.meaning_of(word)
        published = (meaning.published_as or meaning.name) in PUBLISHED_WEIGHTS
        assert meaning.weight is not None or published, word


def test_what_speaks_against_a_post_is_not_positive() -> None:
    for word in ("dislike", "hide", "report", "block", "remove_from_cart"):
        assert not words.meaning_of(word).is_positive, word


def test_a_strange_word_becomes_a_name_that_the_configuration_takes() -> None:
    assert words.meaning_of("2nd Try!").name == "action_2nd_try"
    assert words.meaning_of("Zoomed-In").name == "zoomed_in"


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("isLiked", "favorite"),
        ("isclick", "click"),
        ("has_shared", "share"),
        ("wasPurchased", "purchase"),
    ],
)
def test_a_flag_is_known_however_its_name_is_written(column: str, name: str) -> None:
    assert words.is_action_word(column)
    assert words.meaning_of(column).name == name
