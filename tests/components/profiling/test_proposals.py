"""Proposed actions as entries of a configuration."""

from components.profiling.proposals import ProposedAction


def test_an_entry_holds_what_is_not_the_default() -> None:
    assert ProposedAction(name="click", column="click").settings() == {"name": "click"}
    assert ProposedAction(
        name="favorite", column="rating", at_least=4.0, is_positive=True
    ).settings() == {
        "name": "favorite",
        "column": "rating",
        "at_least": 4.0,
        "is_positive": True,
    }
