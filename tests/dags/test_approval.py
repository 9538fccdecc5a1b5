"""When a person is asked before a release."""

import pytest

from wiring.approval import is_asked


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
