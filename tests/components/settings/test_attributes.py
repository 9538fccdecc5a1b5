from pathlib import Path

import pytest
from pydantic import ValidationError

from components.settings.attributes import AttributesConfig

USERS = {"files": "users.csv", "id": "user_id"}
DEGREE = {"name": "degree", "side": "user", "column": "d", "kind": "vocabulary", "words": ["low"]}
HOUR = {"name": "hour", "side": "context", "column": "hour", "kind": "raw"}
TAGS = {"name": "tags", "side": "post", "column": "t", "kind": "sequence", "length": 2}


def test_sides_are_in_the_order_in_which_models_read_them() -> None:
    tags = TAGS | {"num_rows": 9}
    config = AttributesConfig.model_validate(
        {"users": USERS, "posts": USERS, "declared": [HOUR, DEGREE, tags]}
    )
    assert [each.name for each in config.attributes] == ["hour", "degree", "tags"]
    assert [each.name for each in config.post_attributes] == ["tags", "hour"]
    assert [each.name for each in config.user_attributes] == ["degree"]
    assert [each.column for each in config.of_side("post")] == ["t"]


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ([DEGREE, DEGREE], "names 'degree' twice"),
        ([TAGS | {"num_rows": 9}], "'tags' is of the post: give `posts`"),
        ([TAGS], "num_rows.*2 to 16,777,215"),
        ([TAGS | {"num_rows": 9, "words": ["a"]}], "num_rows|words"),
        ([HOUR | {"column": "minute"}], "one of surface, hour, weekday, got 'minute'"),
        ([TAGS | {"num_rows": 9, "side": "context", "column": "hour"}], "has no sequences"),
        ([DEGREE | {"default": "high"}], "one of the words, got 'high'"),
        ([DEGREE | {"kind": "text"}], "'id', 'raw', 'bucketized', 'vocabulary', 'sequence'"),
        ([DEGREE | {"boundaries": [1]}], "boundaries"),
        ([DEGREE | {"name": "De gree"}], "name"),
    ],
)
def test_what_says_nothing_clear_is_refused(declared: list, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        AttributesConfig.model_validate({"users": USERS, "declared": declared})


def test_paths_start_at_the_folder_of_the_configuration() -> None:
    folder = {"folder": Path("/data")}
    config = AttributesConfig.model_validate({"users": USERS}, context=folder)
    assert config.users is not None
    assert config.users.files == "/data/users.csv"
    assert config.posts is None
