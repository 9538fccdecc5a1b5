"""The actions of a log by its words for them, its flags and its ratings."""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.errors import BadConfigurationError
from components.profiling import words
from components.profiling.hints import Hints
from components.profiling.proposals import ProposedAction
from components.tables import cells

_MAX_EVENT_TYPES = 24  # different values of a column that says what was done
_SHARE = 0.99  # of the values that have a form
_YES = {"yes": "no", "y": "n", "t": "f", "on": "off"}  # of flags that are words, with their no
_MOST_TIMES = 100  # that an action is counted in one impression; more is the sum of a post
_RATING_SCALES = ((5.0, 4.0), (10.0, 8.0), (100.0, 80.0))  # the highest, and what is liked


def actions(
    rows: pa.Table, columns: Mapping[str, str], hints: Hints
) -> tuple[str, list[ProposedAction], str]:
    """Returns whether rows are impressions or actions, the actions, and the reason."""
    free = [name for name in rows.column_names if name not in columns.values()]
    flags = [name for name in hints.actions or free if _is_flag(name, rows[name], hints)]
    column = words.column_for(words.EVENT_TYPE_NAMES, free)
    if hints.actions:
        column = next((name for name in hints.actions if name not in flags), None)
    if column is not None:
        values = [str(each) for each in pc.unique(rows[column].drop_null()).to_pylist()]
        is_known = any(words.is_action_word(each) for each in values) or hints.actions
        if len(values) <= _MAX_EVENT_TYPES and is_known:
            actions = actions_of_words(column, values)
            why = f"`{column}` says what was done, a row for each action"
            return "actions", _with_positive(actions, hints), why
    by_name = {words.meaning_of(name).name: name for name in reversed(flags)}
    actions = [_of_flag(name, rows[name]) for name in flags if name in by_name.values()]
    rating = words.column_for(words.RATING_NAMES, free)
    if not actions and rating is not None:
        actions = _of_rating(rating, rows[rating])
    if not actions:
        raise BadConfigurationError(
            "No column says what users did: expected one of event types (view, click, ...), flags "
            "of 0 and 1, or a rating. Say the column of a flag or of words with --say "
            f"action=COLUMN; the columns: {', '.join(rows.column_names):.500}."
        )
    return "impressions", _with_positive(actions, hints), ""


def actions_of_words(column: str, values: Iterable[str]) -> list[ProposedAction]:
    """Returns the actions that the words of a column say; a word for what was seen is none."""
    by_name: dict[str, tuple[words.Meaning, list[str]]] = {}
    for value in sorted(values):
        if words.plain(value) not in words.SEEN:
            meaning = words.meaning_of(value)
            by_name.setdefault(meaning.name, (meaning, []))[1].append(value)
    return [
        _proposed(meaning, column=column, values=tuple(texts))
        for meaning, texts in by_name.values()
    ]


def _is_flag(name: str, column: pa.ChunkedArray, hints: Hints) -> bool:
    values = column.combine_chunks()
    is_good = cells.parse_flag(values)[1] | cells.is_missing(values)
    is_action = name in hints.actions or words.is_action_word(name)
    if not is_action or words.plain(name) in words.RATING_NAMES:
        return False
    return bool(np.mean(is_good) >= _SHARE or _yes_words(column) or _is_count(column))


def _yes_words(column: pa.ChunkedArray) -> tuple[str, ...]:
    """Returns the words that say yes where all values are yes or no; none elsewhere.

    >>> _yes_words(pa.chunked_array([["No", "Yes", None]])), _yes_words(pa.chunked_array([["1"]]))
    (('Yes',), ())
    """
    values = [str(each) for each in pc.unique(column.drop_null()).to_pylist()]
    for yes, no in _YES.items():
        if values and {value.strip().lower() for value in values} <= {yes, no}:
            return tuple(value for value in values if value.strip().lower() == yes)
    return ()


def _is_count(column: pa.ChunkedArray) -> bool:
    """Whether values say how often something was done, at times not at all."""
    numbers, is_whole = cells.parse_whole(column.combine_chunks().drop_null())
    if not len(numbers) or not is_whole.all():
        return False
    return bool(numbers.min() == 0 and 1 < numbers.max() <= _MOST_TIMES)


def _of_flag(name: str, column: pa.ChunkedArray) -> ProposedAction:
    at_least = 1.0 if _is_count(column) else None
    action = _proposed(words.meaning_of(name), column=name, values=_yes_words(column))
    return replace(action, at_least=at_least)


def _of_rating(column: str, ratings: pa.ChunkedArray) -> list[ProposedAction]:
    highest = float(cells.parse_number(ratings.combine_chunks())[0].max())
    liked = next((low for top, low in _RATING_SCALES if highest <= top), 0.8 * highest)
    return [
        ProposedAction(name="favorite", column=column, at_least=liked, is_positive=True),
        ProposedAction(name="not_interested", column=column, at_most=liked / 2),
    ]


def _proposed(
    meaning: words.Meaning, *, column: str, values: tuple[str, ...] = ()
) -> ProposedAction:
    return ProposedAction(
        name=meaning.name,
        column=column,
        values=values,
        published_as=meaning.published_as,
        weight=meaning.weight,
        is_positive=meaning.is_positive,
    )


def _with_positive(actions: Sequence[ProposedAction], hints: Hints) -> list[ProposedAction]:
    """Marks what the user says is good; without a word of it, all that can be."""
    if hints.positive:
        names = {each.name for each in actions} | {v for each in actions for v in each.values}
        strange = [name for name in hints.positive if name not in names]
        if strange:
            raise BadConfigurationError(
                f"--say positive: expected an action or a value of it, got {strange[0]!r}; there "
                f"are {', '.join(sorted(names))}."
            )
        return [
            replace(each, is_positive=bool({each.name, *each.values} & set(hints.positive)))
            for each in actions
        ]
    if any(each.is_positive for each in actions):
        return list(actions)
    return [replace(each, is_positive=(each.weight or 0) >= 0) for each in actions]
