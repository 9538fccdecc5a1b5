"""What a user says about a log."""

import pytest

from components.errors import BadConfigurationError
from components.profiling.hints import parse_hints


def test_every_key_has_its_place() -> None:
    hints = parse_hints(
        ["user=a", "post=b", "time=c", "action=d", "action=e", "positive=buy", "zone=Asia/Tokyo"]
    )
    assert hints.columns == {"user_id": "a", "post_id": "b", "shown_at": "c"}
    assert (hints.actions, hints.positive, hints.time_zone) == (["d", "e"], ["buy"], "Asia/Tokyo")


@pytest.mark.parametrize("text", ["user", "user=", "colour=blue"])
def test_what_is_no_hint_is_refused_with_the_keys_there_are(text: str) -> None:
    with pytest.raises(BadConfigurationError, match="a key of user, post, time, action"):
        parse_hints([text])
