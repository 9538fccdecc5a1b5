import json

import pytest

from components.cli import output, terminal


def test_a_program_gets_json_and_a_person_what_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    views = []
    output.show(False, {"b": 1}, views.append)
    assert views == [terminal]
    assert capsys.readouterr().out == ""
    output.show(True, {"b": 1, "a": [2]}, views.append)
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": [2], "b": 1}
    assert out.index("a") < out.index("b"), "the same value is always the same text"
    assert views == [terminal]


def test_a_complaint_is_no_output(capsys: pytest.CaptureFixture[str]) -> None:
    output.complain("Stopped.")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "Stopped.\n")
