"""The lock: every package pinned with hashes, no address in it, nothing forgotten."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINS = re.findall(r"^([a-z0-9.-]+)(?:\[[^]]*\])?==(\S+)(?: ; (.*?))? \\\n(    --hash)?", LOCK, re.M)


def canonical(requirement: str) -> str:
    """The normalised name at the head of a requirement."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_lock_names_no_address_and_no_path() -> None:
    for line in LOCK.splitlines():
        assert "://" not in line, line
        assert "@ " not in line, line
        assert not re.search(r"(^|\s)\.{0,2}/|--(index|extra-index|find-links)", line), line


def test_every_pin_has_a_sha256() -> None:
    entries = [line for line in LOCK.splitlines() if line and line[0] not in " #"]
    assert len(entries) == len(PINS)
    assert all(first_hash for *_, first_hash in PINS)
    hashes = re.findall(r"--hash=(\S+)", LOCK)
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes)


def test_every_requirement_of_every_extra_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {canonical(item) for item in project["dependencies"]}
    for items in project["optional-dependencies"].values():
        wanted |= {canonical(item) for item in items}
    assert wanted <= {name for name, *_ in PINS}, "run `make lock`"
