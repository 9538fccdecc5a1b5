import re
from pathlib import Path

from schemas.rules import RULES

ROOT = Path(__file__).parents[2]
# How the readers and the row rules name a rule.
NAMED = re.compile(r'(?:Broken\(\s*"|_judge\(\w+, "|mark\(.*?, "|place, ")(\w+)"', re.S)


def test_every_rule_that_the_code_names_is_listed() -> None:
    found = set()
    for name in ("row_rules", "row_checks", "known_posts", "sources"):
        text = (ROOT / f"components/{name}.py").read_text()
        found |= {match for match in NAMED.findall(text) if match.isidentifier()}
    assert {"zero_id", "bad_dwell", "unreadable_time", "missing_value"} <= found
    assert found - set(RULES) == set()
