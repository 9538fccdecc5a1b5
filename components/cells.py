"""Turns raw cells into numbers, times and flags, without stopping at one that is wrong.

Every parser takes text (of a CSV file) or typed values (of a Parquet file) and returns the values
with a mask of those that could be read; what could not has the value 0.
"""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Parsed = tuple[np.ndarray, np.ndarray]  # values and a mask, both [n]

_WHOLE = r"^[+-]?\d{1,19}$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_YES, _NO = ["1", "true", "True", "TRUE", "1.0"], ["0", "false", "False", "FALSE", "0.0"]
# A time outside the years 1990 to 2099 is a wrong unit, an unset clock or a typing error.
_FIRST_MS, _LAST_MS = 631_152_000_000, 4_102_444_799_999
_MS_PER_UNIT = {"s": 1_000.0, "ms": 1.0, "us": 0.001}


def is_missing(cells: pa.Array) -> np.ndarray:
    """Returns `[n]` bool: null, or text without a character."""
    missing = np.asarray(pc.is_null(cells))
    if _is_text(cells):
        missing |= np.asarray(pc.fill_null(pc.equal(pc.utf8_trim_whitespace(cells), ""), False))
    return missing


def parse_whole(cells: pa.Array) -> Parsed:
    """Reads int64: digits with a sign, or any number without a fraction that fits."""
    if _is_text(cells):
        return _parse_text(cells, _WHOLE, pa.int64(), _int64)
    if pa.types.is_integer(cells.type):
        return _parse_typed(cells, pa.int64(), _int64)
    values, is_good = parse_number(cells)
    is_good &= (np.abs(values) < 2**53) & (values == np.floor(values))
    return np.where(is_good, values, 0).astype(np.int64), is_good


def parse_number(cells: pa.Array) -> Parsed:
    """Reads finite float64."""
    if _is_text(cells):
        values, is_good = _parse_text(cells, _NUMBER, pa.float64(), float)
    elif pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type):
        values, is_good = _parse_typed(cells, pa.float64(), float)
    else:
        return np.zeros(len(cells)), np.zeros(len(cells), bool)
    is_good = is_good & np.isfinite(values)
    return np.where(is_good, values, 0.0), is_good


def parse_flag(cells: pa.Array) -> Parsed:
    """Reads bool: 0 or 1, or true or false."""
    if pa.types.is_boolean(cells.type):
        return np.asarray(pc.fill_null(cells, False)), np.asarray(pc.is_valid(cells))
    if not _is_text(cells):
        values, is_good = parse_number(cells)
        return values == 1, is_good & ((values == 0) | (values == 1))
    is_yes = np.asarray(pc.is_in(cells, value_set=pa.array(_YES, cells.type)))
    return is_yes, is_yes | np.asarray(pc.is_in(cells, value_set=pa.array(_NO, cells.type)))


def parse_time(cells: pa.Array, unit: str) -> Parsed:
    """Reads int64 milliseconds since 1970 UTC, within the years 1990 to 2099.

    Args:
      cells: Numbers in `unit`, ISO 8601 text (`unit` "iso"), or timestamps (whatever the `unit`).
      unit: "s", "ms", "us" or "iso". A time without a zone is UTC.
    """
    if pa.types.is_timestamp(cells.type) or pa.types.is_date(cells.type):
        values, is_good = _parse_typed(cells, pa.timestamp("ms"), _iso_ms, is_safe=False)
    elif unit == "iso":
        values, is_good = _parse_iso(cells)
    elif unit == "ms":
        values, is_good = parse_whole(cells)
    else:
        numbers, is_good = parse_number(cells)
        numbers = np.round(numbers * _MS_PER_UNIT[unit])
        is_good = is_good & (np.abs(numbers) <= _LAST_MS)
        values = np.where(is_good, numbers, 0).astype(np.int64)
    is_good = is_good & (values >= _FIRST_MS) & (values <= _LAST_MS)
    return np.where(is_good, values, 0), is_good


def _is_text(cells: pa.Array) -> bool:
    return pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)


def _parse_text(
    cells: pa.Array, pattern: str, target: pa.DataType, read_one: Callable[[str], float]
) -> Parsed:
    trimmed = pc.utf8_trim_whitespace(cells)
    is_like = pc.fill_null(pc.match_substring_regex(trimmed, pattern), False)
    texts = pc.if_else(is_like, trimmed, pa.scalar(None, trimmed.type))
    return _parse_typed(texts, target, read_one)


def _parse_typed(
    cells: pa.Array,
    target: pa.DataType,
    read_one: Callable[[str], float],
    *,
    is_safe: bool = True,
) -> Parsed:
    """Casts all at once, or one by one when a value does not fit."""
    try:
        values = pc.cast(cells, target, safe=is_safe)
    except pa.ArrowInvalid:
        values = pa.array([_or_none(read_one, value) for value in cells.to_pylist()], target)
    is_good = np.asarray(pc.is_valid(values))
    if pa.types.is_timestamp(target):
        values = values.view(pa.int64())
    return pc.fill_null(values, 0).to_numpy(zero_copy_only=False), is_good


def _parse_iso(cells: pa.Array) -> Parsed:
    if not _is_text(cells):
        return np.zeros(len(cells), np.int64), np.zeros(len(cells), bool)
    numbers = [_or_none(_iso_ms, text) for text in cells.to_pylist()]
    is_good = np.array([number is not None for number in numbers], bool)
    return np.array([number or 0 for number in numbers], np.int64), is_good


def _or_none(read_one: Callable[[str], float], value: object) -> float | None:
    try:
        return None if value is None else read_one(str(value))
    except (ValueError, OverflowError):
        return None


def _int64(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError("It does not fit 64 bits.")
    return value


def _iso_ms(text: str) -> int:
    moment = datetime.fromisoformat(text.strip())
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
