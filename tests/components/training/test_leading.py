"""Leader and followers say and hear the same two words, whatever happens in between."""

from collections.abc import Iterator

import pytest

from components.run import hosts
from components.store.artifacts import Artifact, Ref, Unchanged
from components.training.leading import following, leading

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words of the leader, in order."""
    spoken: list[str] = []
    monkeypatch.setattr(hosts, "agree", lambda word: spoken.append(word) or word)
    return spoken


def unchanged(tmp_path) -> Unchanged:
    return Unchanged(Artifact(Ref("train_ranker", "2026-01-01", KEY, ""), {}, tmp_path))


def test_a_training_is_begun_with_its_key_and_ended_when_all_is_written(words) -> None:
    with leading() as leader:
        leader.begin(KEY)
        assert words == [KEY]
    assert words == [KEY, "written"]


def test_a_leader_that_does_not_train_says_so_before_it_ends(words) -> None:
    with leading():
        pass
    assert words == ["nothing", "written"]


def test_what_was_written_long_ago_ends_the_others_too(words, tmp_path) -> None:
    with pytest.raises(Unchanged), leading():
        raise unchanged(tmp_path)
    assert words == ["nothing", "written"]


def test_an_error_of_the_leader_promises_no_artifact(words) -> None:
    def fail() -> None:
        with leading() as leader:
            leader.begin(KEY)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert words == [KEY]


@pytest.mark.parametrize("is_training", [True, False])
def test_followers_hear_what_the_leader_says_in_as_many_turns(
    is_training: bool, words, monkeypatch: pytest.MonkeyPatch
) -> None:
    with leading() as leader:
        if is_training:
            leader.begin(KEY)
    turns: Iterator[str] = iter(words)
    monkeypatch.setattr(hosts, "agree", lambda word: next(turns))
    with following() as key:
        assert key == (KEY if is_training else None)
    assert next(turns, "all were heard") == "all were heard"
