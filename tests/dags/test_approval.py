"""When a person is asked before a release."""

import pytest

from wiring.approval import answer, is_asked, question


@pytest.mark.parametrize(
    ("choice", "needed", "configured", "expected"),
    [
        ("never", True, "when_promoted", False),
        ("always", False, "never", True),
        ("configured", True, "never", True),
        ("configured", False, "when_promoted", False),
        ("configured", None, "when_promoted", True),  # nobody knows what the gate said: ask
        ("configured", None, "never", False),
    ],
)
def test_the_form_overrules_the_gate_and_the_gate_the_setting(choice, needed, configured, expected):
    result = None if needed is None else {"facts": {"needs_approval": needed}}
    assert is_asked(choice, result, configured) is expected


DECISION = {
    "metric": "ndcg@5",
    "verdict": "promoted",
    "choice": "candidate",
    "candidate": 0.63,
    "champion": 0.6,
    "gain": 0.03,
    "interval": [0.01, 0.05],
    "reasons": ["candidate, improvement: surely better"],
    "vetoes": [{"entrant": "challenger_2026-01-01", "reason": "worse", "about": "new posts"}],
}
METRICS = {"most_popular": {"ndcg@5": 0.5}, "random": {"ndcg@5": 0.25}}


def test_the_question_has_a_table_the_verdict_in_words_the_vetoes_and_the_link() -> None:
    facts = {"ranker": DECISION, "metrics": {"ranker": METRICS}}
    lines = question({"facts": facts}, "https://host/page").splitlines()
    assert lines[0] == "### Ranker: promoted, the candidate goes on"
    assert lines[2:5] == [
        "| ndcg@5 | candidate | champion | most popular | random | gain | 95 % |",
        "|---|---|---|---|---|---|---|",
        "| this day | 0.6300 | 0.6000 | 0.5000 | 0.2500 | +0.0300 | +0.0100 to +0.0500 |",
    ]
    assert "- candidate, improvement: surely better" in lines
    assert "- **veto** on challenger_2026-01-01: worse (new posts)" in lines
    assert lines[-1] == "[All numbers are on the page of the day](https://host/page)."


def test_examples_of_what_changes_are_a_table() -> None:
    change = {"history": 8, "champion": ["a|b", "c"], "candidate": ["c", "a|b"]}
    facts = {"retrieval": DECISION | {"examples": [change]}}
    lines = question({"facts": facts}, "page").splitlines()
    assert "| best of all posts, user with a history of | champion | candidate |" in lines
    assert r"| 8 | a\|b, c | c, a\|b |" in lines


def test_a_mixture_that_was_asked_is_in_the_table_and_named_where_it_goes_on() -> None:
    label = "mixture of ranking_transformer (50 %) and most_popular"
    mixed = DECISION | {"model": label, "model_share": 0.5, "gain_of": "mixture", "gain": 0.04}
    facts = {"ranker": mixed, "metrics": {"ranker": {"mixture": {"ndcg@5": 0.64}}}}
    text = question({"facts": facts}, "page")
    assert f"the candidate ({label}) goes on" in text
    heads = "candidate | mixture | champion | most popular | random | gain of mixture | 95 % |"
    assert heads in text
    assert "| 0.6300 | 0.6400 | 0.6000 | — | — | +0.0400 |" in text


def test_a_question_without_numbers_says_so() -> None:
    nothing = DECISION | {"champion": None, "gain": None, "interval": None}
    text = question({"facts": {"ranker": nothing}}, "page")
    assert "| this day | 0.6300 | — | — | — | — | — |" in text
    assert question(None, "page").startswith("This runner does not return what the gate said.")


def test_an_answer_says_who_and_why() -> None:
    response = {
        "chosen_options": ["Reject"],
        "params_input": {"note": " looks odd "},
        "responded_by_user": {"id": "7", "name": "ada"},
    }
    expected = {"answer": "reject", "answered_by": "ada", "note": "looks odd"}
    assert answer(response) == expected
    unnamed = response | {"params_input": {}, "responded_by_user": None}
    assert answer(unnamed) == expected | {"answered_by": "somebody", "note": ""}
