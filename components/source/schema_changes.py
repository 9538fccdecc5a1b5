"""Changes of a source's columns from one day to the next: those that pass, and those refused.

New columns pass, and so do wider types. A column that the configuration names and that is gone,
was renamed, or has a narrower or another type is refused by name, before a row is read.
"""

import datetime
import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components import contract
from components.errors import BadConfigurationError, BadDataError
from components.run.context import Context
from components.source import raw_files
from components.source.layouts import Layout

LIKENESS = 0.6  # of names, from which one may be the other; 1 if they are equal
_REACH_DAYS = 31  # how far back to look for a day to compare with
_INTEGER = re.compile(r"(u?)int(\d+)")
_FLOATS = {"halffloat": 16, "float": 32, "double": 64}
_TIME = re.compile(r"timestamp\[(s|ms|us|ns)(.*)\]")
_UNITS = ("s", "ms", "us", "ns")
_TEXT = ("string", "large_string", "string_view", "dictionary<values=string")


def check(context: Context, layout: Layout) -> dict[str, str]:
    """Returns the types of the columns that are read, having compared them with the day before.

    Args:
      context: The day and the store.
      layout: Files and columns. Of text, the names are compared; what is in it is for the rules.

    Raises:
      BadDataError: If a file is damaged, or its columns changed in a way that loses something.
    """
    previous, source = _newest_before(context)
    before = source.get("columns", {})
    types: dict[str, str] = {}
    for file in layout.files_of(context.day):
        present = raw_files.columns(file, layout.event_format)
        if present is not None:
            _refuse(_problems(before, present, layout, previous), file, context.day)
            types |= {name: present[name] for name in layout.source_columns if name in present}
    return dict(sorted(types.items()))


def check_surfaces(context: Context, layout: Layout) -> None:
    """Refuses other numbers for words that stood for surfaces on the day before.

    The numbers are in the events of every day; models and histories know nothing else of a surface.

    Raises:
      BadConfigurationError: Naming the word.
    """
    if not layout.surfaces:
        return
    previous, source = _newest_before(context)
    for word, number in source.get("surfaces", {}).items():
        if layout.surfaces.get(word, number) != number:
            raise BadConfigurationError(
                f"ingest_events.source.surfaces: {word!r} is {layout.surfaces[word]}, but was "
                f"{number} on {previous}: a number stays that of its word. Give it back, or set "
                f"`ingest_events.schema_since: {context.day}` to begin anew."
            )


def change(old: str, new: str) -> str | None:
    """Returns `narrowed` or `retyped` for a type that cannot hold what the old one could, or None.

    Args:
      old: An Arrow type as text, `text` of a file that has no types, or `null` without a value.
      new: The same.

    >>> change("int64", "int32"), change("int32", "int64"), change("int64", "string")
    ('narrowed', None, 'retyped')
    >>> change("null", "string")
    """
    if old == new or (old.startswith(_TEXT) and new.startswith(_TEXT)):
        return None
    if {"text", "null"} & {old, new}:  # null: of a Parquet file without a value in the column
        return None
    integers = _INTEGER.fullmatch(old), _INTEGER.fullmatch(new)
    if integers[0] and integers[1]:
        (unsigned, bits), (new_unsigned, new_bits) = integers[0].groups(), integers[1].groups()
        spare = int(new_bits) - int(bits)
        fits = spare >= 0 if unsigned == new_unsigned else not new_unsigned and spare > 0
        return None if fits else "narrowed"
    if old in _FLOATS and new in _FLOATS:
        return None if _FLOATS[new] >= _FLOATS[old] else "narrowed"
    times = _TIME.fullmatch(old), _TIME.fullmatch(new)
    if times[0] and times[1] and times[0][2] == times[1][2]:
        return None if _UNITS.index(times[1][1]) >= _UNITS.index(times[0][1]) else "narrowed"
    return "retyped"


def _newest_before(context: Context) -> tuple[datetime.date | None, Mapping[str, Any]]:
    """Returns the newest earlier day that counts and what it says of its source."""
    since = context.config.ingest_events.schema_since or context.config.first_day
    for back in range(1, _REACH_DAYS + 1):
        day = context.day - datetime.timedelta(days=back)
        ref = context.head(contract.INGEST_EVENTS.name, day) if day >= since else None
        facts = {} if ref is None else context.store.manifest(ref)["facts"]
        if facts.get("rows_in"):  # an empty day has no file whose columns could be compared
            return day, facts["source"]
    return None, {}


def _problems(
    before: Mapping[str, str],
    present: Mapping[str, str],
    layout: Layout,
    previous: datetime.date | None,
) -> list[str]:
    """Returns a sentence for each column that is gone or holds less than on the day before."""
    used = layout.source_columns
    free = sorted(present.keys() - set(used))
    sentences = []
    for name, old in before.items():
        if name not in used:
            continue  # the configuration reads another column now
        if name not in present:
            like = difflib.get_close_matches(name, free, n=1, cutoff=LIKENESS)
            guess = f"; {like[0]!r} looks like it: map it, if it is the same" if like else ""
            sentences.append(f"the column {name!r} of {previous} is gone{guess}")
        elif (what := change(old, present[name])) is not None:
            types = f"{old} on {previous}, now {present[name]}"
            sentences.append(f"the column {name!r} is {what}: {types}")
    return sentences


def _refuse(problems: list[str], file: Path, day: datetime.date) -> None:
    if problems:
        raise BadDataError(
            f"{file}: {'; '.join(problems)}. Restore the file, or name the right column in "
            "`ingest_events.source` or in `actions`; where the new columns are right as they are, "
            f"set `ingest_events.schema_since: {day}`."
        )
