"""The configuration file of a proposal: YAML with a comment where a setting was guessed."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from components.profiling.proposals import Proposal

_WIDTH = 100


def text(proposal: Proposal, *, store: str) -> str:
    """Returns the text of the file, which `components.settings.loading.load` reads.

    Args:
      proposal: With its first day.
      store: The place of the artifacts.
    """
    assert proposal.first_day is not None
    lines = [
        f"# {proposal.title}",
        "# Written by `phoenix init`: correct what it could not know, and go on with",
        "# `phoenix doctor`.",
        *(line for note in proposal.notes for line in _comment(f"Note: {note}")),
        f"store: {_scalar(store)}",
        f"first_day: {proposal.first_day}  # days before it have no history",
        "",
        "ingest_events:",
        "  source:",
        *_settings(proposal.source, proposal.reasons, indent=4),
        "",
        "# What users do. The weights are those of the score; `is_positive` is what retrieval",
        "# looks for.",
        "actions:",
        *(f"  - {_flow(action.settings())}" for action in proposal.actions),
    ]
    for name, section in proposal.sections.items():
        lines += ["", *_settings({name: section}, {}, indent=0)]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="#   ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _settings(
    settings: Mapping[str, Any], reasons: Mapping[str, str], *, indent: int
) -> Iterator[str]:
    margin = " " * indent
    for name, value in settings.items():
        if name in reasons:
            yield f"{margin}# {reasons[name]}"
        line = f"{margin}{_scalar(name)}: {_flow(value)}"
        if isinstance(value, Mapping) and len(line) > _WIDTH:
            yield f"{margin}{_scalar(name)}:"
            yield from _settings(value, {}, indent=indent + 2)
        else:
            yield line


def _flow(value: object) -> str:
    """Returns a value in one line of YAML."""
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(f"{_scalar(key)}: {_flow(member)}" for key, member in value.items())
            + "}"
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: object) -> str:
    """Returns a scalar as YAML; text is quoted wherever YAML would read something else.

    >>> _scalar("0"), _scalar("on"), _scalar("video_id"), _scalar(4.0), _scalar("a: b")
    ('"0"', '"on"', 'video_id', '4.0', '"a: b"')
    """
    is_plain = re.fullmatch(r"[\w./+-]([\w./+ -]|:(?! ))*", str(value))
    if isinstance(value, str) and is_plain and yaml.safe_load(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)
