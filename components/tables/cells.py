"""Turns raw cells into numbers, times and flags, without stopping at one that is wrong.

Every parser takes text (of a CSV file) or typed values (of a Parquet file) and returns the values
with a mask of those that could be read; what could not has the value 0.
"""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.tables import times

Parsed = tuple[np.ndarray, np.ndarray]  # values and a mask, both [n]

_WHOLE = r"^[+-]?\d{1,19}$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_ZERO_FRACTION = r"\.0+$"  # as pandas writes whole numbers of a column that lacks some
_SPELLINGS = (str.lower, str.title, str.upper)
_YES_WORDS, _NO_WORDS = ("true", "yes", "y", "t", "on"), ("false", "no", "n", "f", "off")
_YES = ["1", "1.0", *(spell(word) for word in _YES_WORDS for spell in _SPELLINGS)]
_NO = ["0", "0.0", *(spell(word) for word in _NO_WORDS for spell in _SPELLINGS)]
_REPLACEMENT = "\ufffd"  # stands for bytes that were no UTF-8: two ids may differ in them
_DIGITS = np.zeros(256, bool)  # bytes of which Arrow reads no other numbers than the patterns allow
_DIGITS[[*b"0123456789-"]] = True
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)


def is_missing(cells: pa.Array) -> np.ndarray:
    """Returns `[n]` bool: null, or text without a character."""
    return says_nothing(cells, ()) & ~_is_nan(cells)


def says_nothing(cells: pa.Array, null_words: Sequence[str]) -> np.ndarray:
    """Returns `[n]` bool: null, NaN, text without a character, or one of `null_words`."""
    if not _is_text(cells):
        return np.asarray(pc.is_null(cells)) | _is_nan(cells)
    texts = pc.utf8_trim_whitespace(cells)
    nothing = pa.array(["", *null_words], texts.type)
    return np.asarray(pc.is_null(cells)) | np.asarray(pc.is_in(texts, value_set=nothing))


def parse_whole(cells: pa.Array) -> Parsed:
    """Reads int64: digits with a sign, or any number without a fraction that fits."""
    if _is_text(cells):
        if not _is_digits(cells):
            cells = pc.utf8_trim_whitespace(cells)
            cells = pc.replace_substring_regex(cells, _ZERO_FRACTION, "")
        return _parse_text(cells, _WHOLE, pa.int64(), _int64)
    # Decimals before floats, which have too few digits for those of 38.
    if pa.types.is_integer(cells.type) or pa.types.is_decimal(cells.type):
        return _parse_typed(cells, pa.int64(), _int64)
    values, is_good = parse_number(cells)
    # From 2^53 on, a float64 may stand for several whole numbers: two ids could become one.
    is_good &= (np.abs(values) < 2**53) & (values == np.floor(values))
    return np.where(is_good, values, 0).astype(np.int64), is_good


def parse_number(cells: pa.Array) -> Parsed:
    """Reads finite float64."""
    if _is_text(cells):
        values, is_good = _parse_text(cells, _NUMBER, pa.float64(), float)
    elif any(is_type(cells.type) for is_type in _NUMBERS):
        values, is_good = _parse_typed(cells, pa.float64(), float)
    else:
        return np.zeros(len(cells)), np.zeros(len(cells), bool)
    is_good = is_good & np.isfinite(values)
    return np.where(is_good, values, 0.0), is_good


def parse_flag(cells: pa.Array) -> Parsed:
    """Reads bool: 0 or 1, or a pair of words for no and yes: false, no, n, f, off."""
    if pa.types.is_boolean(cells.type):
        return np.asarray(pc.fill_null(cells, False)), np.asarray(pc.is_valid(cells))
    if not _is_text(cells):
        values, is_good = parse_number(cells)
        return values == 1, is_good & ((values == 0) | (values == 1))
    # Flags are one digit in nearly every log, and bytes are compared faster than text.
    letters = _single_bytes(cells)
    if letters is not None and ((letters - ord("0")) < 2).all():
        return letters == ord("1"), np.ones(len(cells), bool)
    texts = pc.utf8_trim_whitespace(cells)
    is_yes = np.asarray(pc.is_in(texts, value_set=pa.array(_YES, texts.type)))
    return is_yes, is_yes | np.asarray(pc.is_in(texts, value_set=pa.array(_NO, texts.type)))


def parse_match(cells: pa.Array, values: Sequence[str]) -> Parsed:
    """Reads whether a cell, written as text, is one of `values`; missing is none of them."""
    texts = _texts(cells)
    is_good = np.asarray(pc.is_valid(texts)) | np.asarray(pc.is_null(cells))
    return np.asarray(pc.is_in(texts, value_set=pa.array(values, pa.string()))), is_good


def is_padded(cells: pa.Array) -> np.ndarray:
    """Returns `[n]` bool: text that begins with a zero before another digit, as `007` does.

    As a number it would be the same id as `7`, which may be another one.
    """
    if not _is_text(cells) or not len(cells):
        return np.zeros(len(cells), bool)
    if pa.types.is_string(cells.type):
        offsets = np.frombuffer(cells.buffers()[1], np.int32)
        offsets = offsets[cells.offset : cells.offset + len(cells) + 1]
        data = np.frombuffer(cells.buffers()[2] or b"", np.uint8)
        first = data[np.minimum(offsets[:-1], max(len(data) - 1, 0))] if len(data) else data
        # Nearly no number begins with a zero, a sign or a blank: bytes say so at once.
        is_plain = (first > ord("0")) & (first <= ord("9"))
        if (is_plain | (np.diff(offsets) < 2)).all() if len(first) else True:
            return np.zeros(len(cells), bool)
    return np.asarray(pc.fill_null(pc.match_substring_regex(cells, r"^\s*[+-]?0\d"), False))


def parse_id(
    cells: pa.Array,
    text_end: str | None,
    null_words: Sequence[str] = (),
    known: dict[str, int] | None = None,
) -> Parsed:
    """Reads ids: int64, of text the number that stands for it.

    Args:
      cells: Of a column.
      text_end: See `parse_text_id`; None where ids are whole numbers, of which none is padded.
      null_words: Text that is no id.
      known: See `parse_text_id`.
    """
    if text_end is None:
        values, is_good = parse_whole(cells)
        return values, is_good & ~is_padded(cells)
    known = {} if known is None else known
    known.update(dict.fromkeys(null_words, 0))
    return parse_text_id(cells, text_end, known)


def parse_text_id(cells: pa.Array, end: str, known: dict[str, int] | None = None) -> Parsed:
    """Reads ids that are text: int64 above 0, the first 63 bits of the BLAKE2b-64 of its UTF-8.

    Args:
      cells: Text, or anything that can be written as text.
      end: The id is what comes before this; all of the text if it is empty.
      known: Numbers by text: takes those of new texts, 0 of what is no id. A hash costs more than
        all else, and another block of a file names the same users again.

    >>> values, is_good = parse_text_id(pa.array(["mary@a", "mary@b", None]), "@")
    >>> values.tolist(), is_good.tolist()
    ([4435260810116256461, 4435260810116256461, 0], [True, True, False])
    """
    texts = _texts(cells)
    dictionary = texts.dictionary_encode()  # a log names the same users again and again
    if not len(dictionary.dictionary):
        return np.zeros(len(cells), np.int64), np.zeros(len(cells), bool)
    names = dictionary.dictionary.to_pylist()
    if end:
        names = [text if is_structure(text) else text.partition(end)[0] for text in names]
    known = {} if known is None else known
    ids = np.fromiter(map(known.get, names, itertools.repeat(-1)), np.int64, len(names))
    for place in np.flatnonzero(ids < 0):  # in order, so that equal files give equal messages
        ids[place] = known[names[place]] = _text_id(names[place])
    places = np.asarray(dictionary.indices.fill_null(0))
    values = np.where(np.asarray(pc.is_valid(texts)), ids[places], 0)
    return values, values != 0


def parse_words(cells: pa.Array, numbers: Mapping[str, int]) -> Parsed:
    """Reads words that stand for numbers.

    Args:
      cells: Text, or anything that can be written as text.
      numbers: By word; that of `*` is of all other words, and of nothing.

    >>> values, is_good = parse_words(pa.array(["home", "ads", None]), {"home": 0, "*": 9})
    >>> values.tolist(), is_good.tolist()
    ([0, 9, 9], [True, True, True])
    """
    other = numbers.get("*", -1)
    encoded = _texts(cells).dictionary_encode()
    words = encoded.dictionary.to_pylist()
    # The last place is that of nothing.
    found = np.array([*(numbers.get(word, other) for word in words), other], np.int64)
    values = found[np.asarray(encoded.indices.fill_null(len(words)))]
    return np.maximum(values, 0), values >= 0


def parse_text(cells: pa.Array) -> np.ndarray:
    """Returns cells as text without blanks around it, `[n]` of str; None where there is none."""
    texts = _texts(cells)
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts)
    return texts.to_numpy(zero_copy_only=False)


def _texts(cells: pa.Array) -> pa.Array:
    """Returns cells as text without blanks around it; null where their type cannot be written."""
    if _is_text(cells):
        return pc.utf8_trim_whitespace(cells)
    try:
        return cells.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # of lists, say; of bytes
        return pa.nulls(len(cells), pa.string())


def number_of_text(text: str, end: str) -> int:
    """Returns what `parse_text_id` makes of one text; 0 if it is no id.

    >>> number_of_text("mary@a", "@")
    4435260810116256461
    """
    text = text.strip()
    return _text_id(text.partition(end)[0] if end and not is_structure(text) else text)


def is_structure(text: str) -> bool:
    """Whether a text is a list or an object of JSON, which is several values and no id.

    >>> is_structure('["u-1", "u-2"]'), is_structure('{"id": 1}'), is_structure("[u-1]")
    (True, True, False)
    """
    if text[:1] not in ("[", "{") or text[-1:] not in ("]", "}"):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def is_replaced(text: str) -> bool:
    """Whether a text stands for bytes that were no UTF-8."""
    return _REPLACEMENT in text


def _text_id(text: str) -> int:
    if not text or is_replaced(text) or is_structure(text):
        return 0
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return max(int.from_bytes(digest, "big") >> 1, 1)


def parse_time(cells: pa.Array, unit: str, zone: str = "UTC", form: str | None = None) -> Parsed:
    """Reads int64 milliseconds since 1970 UTC, within the years 1990 to 2099.

    Args:
      cells: Numbers in `unit`, ISO 8601 text (`unit` "iso"), or timestamps (whatever the `unit`).
      unit: "s", "ms", "us", "ns" or "iso".
      zone: Of text and timestamps that name none. Of a time that was there twice when clocks were
        put back, the first is meant; one that was skipped is the end of the gap.
      form: Of text, as Python's `strptime` takes it, instead of a unit.
    """
    if pa.types.is_timestamp(cells.type) or pa.types.is_date(cells.type):
        values, is_good = times.of_moments(cells, zone)
    elif form is not None or unit == "iso":
        values, is_good = _parse_time_text(cells, zone, form)
    elif unit == "ms":
        values, is_good = parse_whole(cells)
        if not is_good.all():  # some clocks count fractions of a millisecond
            numbers, is_good = parse_number(cells)
            values = np.where(np.abs(numbers) <= times.LAST_MS, numbers, 0).astype(np.int64)
    else:
        numbers, is_good = parse_number(cells)
        numbers = np.round(numbers * times.MS_PER_UNIT[unit])
        is_good = is_good & (np.abs(numbers) <= times.LAST_MS)
        values = np.where(is_good, numbers, 0).astype(np.int64)
    is_good = is_good & (values >= times.FIRST_MS) & (values <= times.LAST_MS)
    return np.where(is_good, values, 0), is_good


def _parse_time_text(cells: pa.Array, zone: str, form: str | None) -> Parsed:
    if not _is_text(cells):
        if form is None or not pa.types.is_integer(cells.type):
            return np.zeros(len(cells), np.int64), np.zeros(len(cells), bool)
        cells = cells.cast(pa.string())  # 20260301, say
    texts = pc.utf8_trim_whitespace(cells)
    return times.of_iso(texts, zone) if form is None else times.of_form(texts, form, zone)


def _is_nan(cells: pa.Array) -> np.ndarray:
    if not pa.types.is_floating(cells.type):
        return np.zeros(len(cells), bool)
    return np.asarray(pc.fill_null(pc.is_nan(cells), False))


def _is_text(cells: pa.Array) -> bool:
    return pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)


def _single_bytes(cells: pa.Array) -> np.ndarray | None:
    """Returns the bytes of text of which every cell is one byte, `[n]` uint8, or None."""
    if cells.null_count or not pa.types.is_string(cells.type):
        return None
    start, end = (cells.offset, cells.offset + len(cells))
    offsets = np.frombuffer(cells.buffers()[1], np.int32)[start : end + 1]
    if not len(cells) or (np.diff(offsets) != 1).any():
        return None
    return np.frombuffer(cells.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]


def _is_digits(cells: pa.Array) -> bool:
    """Whether all text is digits and minus signs, as it nearly always is."""
    if cells.null_count or not len(cells) or not pa.types.is_string(cells.type):
        return False
    offsets = np.frombuffer(cells.buffers()[1], np.int32)
    start, end = offsets[cells.offset], offsets[cells.offset + len(cells)]
    return bool(_DIGITS[np.frombuffer(cells.buffers()[2] or b"", np.uint8)[start:end]].all())


def _parse_text(
    cells: pa.Array, pattern: str, target: pa.DataType, read_one: Callable[[str], float]
) -> Parsed:
    if _is_digits(cells):
        try:
            return np.asarray(pc.cast(cells, target)), np.ones(len(cells), bool)
        except pa.ArrowInvalid:
            pass  # one of them is no number, or too big
    # Arrow would read more than the pattern allows, hexadecimal digits for example, and one text
    # that is no number would fail all of them.
    texts = pc.utf8_trim_whitespace(cells)
    is_like = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
    texts = pc.if_else(is_like, texts, pa.scalar(None, texts.type))
    return _parse_typed(texts, target, read_one)


def _parse_typed(cells: pa.Array, target: pa.DataType, read_one: Callable[[str], float]) -> Parsed:
    """Casts all at once, or one by one when a value does not fit."""
    try:
        values = pc.cast(cells, target)
    except pa.ArrowInvalid:
        values = pa.array([_value_or_none(read_one, v) for v in cells.to_pylist()], target)
    is_good = np.asarray(pc.is_valid(values))
    return pc.fill_null(values, 0).to_numpy(zero_copy_only=False), is_good


def _value_or_none(read_one: Callable[[str], float], value: object) -> float | None:
    try:
        return None if value is None else read_one(str(value))
    except (ValueError, OverflowError):
        return None


def _int64(text: str) -> int:
    value = int(re.sub(_ZERO_FRACTION, "", text))  # of a decimal
    if not -(2**63) <= value < 2**63:
        raise ValueError("It does not fit 64 bits.")
    return value
