"""The actions of a log by its words for them, its flags and its ratings."""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.errors import BadConfigurationError
from components.profiling import times, words
from components.profiling.hints import Hints
from components.profiling.proposals import ProposedAction
from components.settings.source import NULL_WORDS
from components.tables import cells

_MAX_EVENT_TYPES = 24  # different words that are all taken; of more, those that are known
_SHARE = 0.9  # of the values that must have a form; the preview tells of the others
_MOST_TIMES = 100  # that an action is counted in one impression; more is the sum of a post
_RATING_SCALES = ((5.0, 4.0), (10.0, 8.0), (100.0, 80.0))  # the highest, and what is liked
_NUM_LISTED = 5  # words in a note


class LogActions(NamedTuple):
    """The actions of a log, and what its rows are."""

    rows_are: str  # impressions or actions
    proposed: list[ProposedAction]
    reason: str = ""  # of `rows_are`
    notes: tuple[str, ...] = ()  # what was left aside


def actions(rows: pa.Table, columns: Mapping[str, str], hints: Hints) -> LogActions:
    """Returns what the rows of a log are, and which actions they tell of.

    Args:
      rows: Some of the log.
      columns: Source columns that are something else, by canonical name.
      hints: What the user says of the log.

    Raises:
      BadConfigurationError: If no column says what users did, or a hint is at one that cannot.
    """
    if hints.actions:
        return _of_hints(rows, hints)
    free = [name for name in rows.column_names if name not in columns.values()]
    column = words.column_for(words.EVENT_TYPE_NAMES, free)
    if column is not None and any(map(words.is_action_word, _counts(rows[column]))):
        of_words = _of_words(rows, [column], hints)
        if of_words.proposed:  # else all was seen alone, and flags may say more
            return of_words
    flags = [name for name in free if _is_action_name(name) and _is_flag(rows[name])]
    proposed = _of_flags(rows, flags)
    rating = words.column_for(words.RATING_NAMES, free)
    if not proposed and rating is not None:
        proposed = _of_rating(rating, rows[rating])
    called = {name: re.sub(r"_(at|on|time|ts|timestamp|date)$", "", name) for name in free}
    others = [name for name in free if _is_action_name(called[name]) and name not in flags]
    notes = tuple(_note_of_others(name, rows[name]) for name in others if _counts(rows[name]))
    if not proposed:
        raise BadConfigurationError(
            "No column says what users did: expected one of event types (view, click, ...), flags "
            "of 0 and 1, or a rating. Say the column of a flag or of words with --say "
            f"action=COLUMN; the columns: {', '.join(rows.column_names):.500}. {' '.join(notes)}"
        )
    return LogActions("impressions", _with_positive(proposed, hints), notes=notes)


def actions_of_words(column: str, values: Iterable[str]) -> list[ProposedAction]:
    """Returns the actions that the words of a column say; one for what was seen, or no, is none."""
    by_name: dict[str, tuple[words.Meaning, list[str]]] = {}
    for value in sorted(values):
        if not words.says_no(value):
            meaning = words.meaning_of(value)
            by_name.setdefault(meaning.name, (meaning, []))[1].append(value)
    return [
        _proposed(meaning, column=column, values=tuple(texts))
        for meaning, texts in by_name.values()
    ]


def _of_hints(rows: pa.Table, hints: Hints) -> LogActions:
    """Returns the actions of columns that the user names: flags, ratings, or words."""
    flags = [name for name in hints.actions if _is_flag(rows[name])]
    others = [name for name in hints.actions if name not in flags]
    ratings = [name for name in others if _is_rating(name, rows[name])]
    columns = [name for name in others if name not in ratings]
    for name in columns:
        _refuse_numbers(name, rows[name])
    proposed = _of_flags(rows, flags)
    for name in ratings:
        proposed += _of_rating(name, rows[name])
    return _of_words(rows, columns, hints, others=proposed)


def _of_words(
    rows: pa.Table,
    columns: Sequence[str],
    hints: Hints,
    others: Sequence[ProposedAction] = (),
) -> LogActions:
    """Returns other actions, and those of columns that say in words what was done.

    With such a column, a row is an action.
    """
    proposed, notes = list(others), list[str]()
    for column in columns:
        counts = _counts(rows[column])
        is_long = len(counts) > _MAX_EVENT_TYPES
        values = [
            word
            for word in counts
            if not is_long or words.is_action_word(word) or word in hints.positive
        ]
        proposed += actions_of_words(column, values)
        strange = [word for word in counts if word not in values]
        if strange:
            notes.append(
                f"`{column}` has {len(counts)} words, of which {len(strange)} are in no action, "
                f"such as {', '.join(strange[:_NUM_LISTED])}: their rows count as seen. A word of "
                "them that matters goes into `values` of an action."
            )
    proposed = _with_own_names(proposed)
    if not columns:
        return LogActions("impressions", _with_positive(proposed, hints))
    why = f"`{columns[0]}` says what was done, a row for each action"
    return LogActions("actions", _with_positive(proposed, hints), why, tuple(notes))


def _counts(column: pa.ChunkedArray) -> Counter[str]:
    """Returns the words of a column, the most frequent first, without those for nothing."""
    texts = (str(each).strip() for each in column.drop_null().to_pylist())
    counts = Counter(text for text in texts if text and text not in NULL_WORDS)
    return Counter(dict(counts.most_common()))


def _refuse_numbers(name: str, column: pa.ChunkedArray) -> None:
    """Refuses a column that the user calls an action and that holds many numbers.

    Raises:
      BadConfigurationError: Saying what to write instead.
    """
    is_number = cells.parse_number(column.combine_chunks().drop_null())[1]
    counts = _counts(column)
    if len(counts) > _MAX_EVENT_TYPES and np.mean(is_number) >= _SHARE:
        raise BadConfigurationError(
            f"--say action={name}: expected a flag or words, found numbers such as "
            f"{', '.join(list(counts)[:_NUM_LISTED])}. Leave it out, and add an action by hand: "
            f"`{{name: {words.meaning_of(name).name}, column: {name}, at_least: NUMBER, "
            "weight: 1}`."
        )


def _is_rating(name: str, column: pa.ChunkedArray) -> bool:
    """Whether a column that the user names holds ratings: by its name, or by a highest grade.

    Codes of actions are few, and begin at 0 or 1 without gaps.
    """
    if words.plain(name) in words.RATING_NAMES:
        return True
    values = column.combine_chunks().drop_null()
    numbers, is_number = cells.parse_number(values)
    distinct = np.unique(numbers[is_number])
    return bool(
        len(distinct) > 2
        and np.mean(is_number) >= _SHARE
        and distinct[-1] in [top for top, _ in _RATING_SCALES]
        and distinct[0] > 0
    )


def _is_action_name(name: str) -> bool:
    return words.is_action_word(name) and words.plain(name) not in words.RATING_NAMES


def _is_flag(column: pa.ChunkedArray) -> bool:
    """Whether nearly all that a column says is yes, no, or how often."""
    values = column.combine_chunks()
    filled = values.filter(pa.array(~cells.says_nothing(values, NULL_WORDS)))
    if not len(filled):
        return True  # nobody did it yet
    is_flag = bool(np.mean(cells.parse_flag(filled)[1]) >= _SHARE)
    return is_flag or _is_count(filled) or bool(words.foreign_yes(_counts(column)))


def _is_count(values: pa.Array) -> bool:
    """Whether values say how often something was done, at times not at all."""
    numbers, is_whole = cells.parse_whole(values)
    numbers = numbers[is_whole]
    if not len(numbers) or len(numbers) < _SHARE * len(values):
        return False
    return bool(numbers.min() == 0 and 1 < numbers.max() <= _MOST_TIMES)


def _of_flags(rows: pa.Table, flags: Sequence[str]) -> list[ProposedAction]:
    """Returns the actions of some flags; of several with one meaning, the first counts."""
    by_name = {words.meaning_of(name).name: name for name in reversed(flags)}
    proposed = []
    for name in flags:
        if name in by_name.values():
            at_least = 1.0 if _is_count(rows[name].combine_chunks().drop_null()) else None
            yes = words.foreign_yes(_counts(rows[name]))
            action = _proposed(words.meaning_of(name), column=name, values=yes)
            proposed.append(replace(action, at_least=at_least))
    return proposed


def _note_of_others(name: str, column: pa.ChunkedArray) -> str:
    value, called = (
        next(iter(_counts(column)), ""),
        f"`{name}` is called as an action and is no flag",
    )
    if times.time_settings(column.combine_chunks()) is not None:
        return (
            f"{called} but a time ({value:.40}): write 1 where there is one, to make it an action."
        )
    return (
        f"{called} (it says {value:.40}, for example), so it is none. Where a number says it, add "
        f"`{{name: {words.meaning_of(name).name}, column: {name}, at_least: NUMBER, weight: 1}}` "
        "to `actions`."
    )


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


def _with_own_names(actions: Sequence[ProposedAction]) -> list[ProposedAction]:
    """Gives an action that another column tells of, too, a name of its own."""
    named: dict[str, ProposedAction] = {}
    for action in actions:
        name = action.name
        if name in named:
            name = f"{name}_{words.plain(action.column or '')}"
            weighs = action.published_as or (None if action.weight is not None else action.name)
            action = replace(action, name=name, published_as=weighs)
        named[name] = action
    return list(named.values())


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
