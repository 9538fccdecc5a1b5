import re
from pathlib import Path

from schemas.rules import RULES

ROOT = Path(__file__).parents[2]
# How the readers and the row rules name a rule.
NAMED = re.compile(r'(?:Rule\(\s*"|_judge\(\w+, "|mark\([^"]*, "|place, ")(\w+)"', re.S)


def test_every_rule_that_the_code_names_is_listed() -> None:
    names = set()
    for room in ("rows", "source"):
        for path in (ROOT / "components" / room).glob("*.py"):
            matches = NAMED.findall(path.read_text(encoding="utf-8"))
            names |= {match for match in matches if match.isidentifier()}
    assert {"zero_id", "bad_dwell", "unreadable_time", "missing_value"} <= names
    assert names - set(RULES) == set()
