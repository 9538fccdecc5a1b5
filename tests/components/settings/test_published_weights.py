import pytest

from components.settings.published_weights import PUBLISHED_WEIGHTS


def test_what_users_reject_lowers_a_score_and_what_they_do_does_not() -> None:
    rejections = {"not_interested", "block_author", "mute_author", "report", "not_dwelled"}
    assert {name for name, weight in PUBLISHED_WEIGHTS.items() if weight < 0} == rejections


def test_nobody_can_change_them() -> None:
    with pytest.raises(TypeError):
        PUBLISHED_WEIGHTS["click"] = 1.0
