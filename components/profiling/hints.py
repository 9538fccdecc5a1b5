"""The knowledge of a user about a log, which no guess contradicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from components.errors import BadConfigurationError

KEYS = {"user_id": "user", "post_id": "post", "shown_at": "time"}  # canonical column -> of `--say`


@dataclass(frozen=True, kw_only=True)
class Hints:
    """The answers of a user to what a log does not say."""

    columns: Mapping[str, str] = field(default_factory=dict)  # canonical -> source column
    actions: Sequence[str] = ()  # columns that say what was done
    positive: Sequence[str] = ()  # actions or values that are good
    time_zone: str | None = None


def parse_hints(texts: Sequence[str]) -> Hints:
    """Reads texts `key=value`.

    Raises:
      BadConfigurationError: If a text is none, or its key is unknown.

    >>> parse_hints(["user=member_id", "zone=Europe/Paris"]).columns
    {'user_id': 'member_id'}
    """
    canonical = {key: name for name, key in KEYS.items()}
    columns: dict[str, str] = {}
    lists: dict[str, list[str]] = {"action": [], "positive": [], "zone": []}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not value or key not in {*canonical, *lists}:
            raise BadConfigurationError(
                f"--say: expected KEY=VALUE with a key of {', '.join([*canonical, *lists])}, got "
                f"{text!r}."
            )
        if key in canonical:
            columns[canonical[key]] = value
        else:
            lists[key].append(value)
    zone = lists["zone"][-1] if lists["zone"] else None
    return Hints(
        columns=columns, actions=lists["action"], positive=lists["positive"], time_zone=zone
    )
