"""Times that are written as text: ISO 8601, or a form that a deployment describes.

A text means the same whatever else is in its block. Arrow reads blocks of texts that are all alike
at once, and what it does not read is read by Python; a time without a zone becomes a moment in one
place for both.
"""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Parsed = tuple[np.ndarray, np.ndarray]  # int64 ms since 1970 UTC and a mask of the readable, [n]

# A time outside the years 1990 to 2099 is a wrong unit, an unset clock or a typing error.
FIRST_MS, LAST_MS = 631_152_000_000, 4_102_444_799_999
MS_PER_UNIT = {"s": 1_000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_FIRST_OF_EXCEL, _LAST_OF_EXCEL = 32_874, 73_051  # 1990 to 2099 in days since 1899-12-30
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UTC_WORD = r"\s*(?:UTC|GMT)$"  # as BigQuery writes it
_UTC_END = " UTC"
_LONG_FRACTION = r"(\.\d{6})\d+"  # of nanoseconds; less than a millisecond is cut off anyway
_END_OF_DAY = re.compile(r"(.*\d)([T ])24((?::?00){0,2}(?:[.,]0+)?)([Z+-].*)?")
# Forms to guess from, the American one of two that a text may have first.
_FORMS = (
    *("%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p"),
    *("%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M"),
    *("%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d"),
    *("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d-%m-%Y %H:%M:%S", "%Y%m%d%H%M%S"),
    *("%a %b %d %H:%M:%S %z %Y", "%d/%b/%Y:%H:%M:%S %z", "%a, %d %b %Y %H:%M:%S %z"),
    "%a, %d %b %Y %H:%M:%S GMT",
)


def of_moments(moments: pa.Array, zone: str) -> Parsed:
    """Returns the times of timestamps or dates.

    Args:
      moments: Of any unit; less than a millisecond is cut off.
      zone: Of those that name none. Of a time that was there twice when clocks were put back, the
        first is meant; one that was skipped is the end of the gap.
    """
    is_local = pa.types.is_date(moments.type) or moments.type.tz is None
    # A whole number of milliseconds before anything else: nanoseconds end in the year 2262.
    moments = moments.cast(pa.timestamp("ms", None if is_local else "UTC"), safe=False)
    if is_local and zone != "UTC":
        moments = pc.assume_timezone(moments, zone, ambiguous="earliest", nonexistent="latest")
    is_good = np.asarray(pc.is_valid(moments))
    return np.asarray(moments.cast(pa.int64()).fill_null(0)), is_good


def of_iso(texts: pa.Array, zone: str) -> Parsed:
    """Reads ISO 8601, also with ` UTC` at its end, and 24:00 as the end of a day.

    Args:
      texts: Without blanks around them.
      zone: See `of_moments`.

    >>> values, is_good = of_iso(pa.array(["2026-03-01 10:00:00 UTC", "2026-03-01T24:00"]), "UTC")
    >>> (values - 1_772_323_200_000).tolist(), is_good.tolist()
    ([36000000, 86400000], [True, True])
    """
    if texts.null_count == 0 and len(texts) and pc.all(pc.ends_with(texts, _UTC_END)).as_py():
        try:  # a whole export of BigQuery: an expression would take ten times as long
            stamps = pc.utf8_slice_codeunits(texts, 0, -len(_UTC_END)).cast(pa.timestamp("us"))
            return of_moments(stamps, "UTC")
        except pa.ArrowInvalid:
            pass  # one of them is no time, or of another form
    for normalize in (lambda each: each, _normalize):
        alike = normalize(texts)
        for target in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
            try:
                return of_moments(alike.cast(target), zone)
            except pa.ArrowInvalid:
                continue
    return _of_each(_normalize(texts), _iso_moment, zone)


def of_form(texts: pa.Array, form: str, zone: str) -> Parsed:
    """Reads times of a form.

    Args:
      texts: Without blanks around them.
      form: As Python's `strptime` takes it.
      zone: See `of_moments`.

    >>> values, _ = of_form(pa.array(["11/12/2019 2:14:46 PM"]), "%m/%d/%Y %I:%M:%S %p", "UTC")
    >>> values.tolist()
    [1573568086000]
    """
    return _of_each(texts, functools.partial(_form_moment, form=form), zone)


def guess(text: str) -> str | None:
    """Returns what a time that cannot be read looks like, and the setting for it, or None.

    >>> guess("1772323201123")
    'milliseconds since 1970, `time_unit: ms`'
    >>> guess("03/14/2026 10:00")
    'the form `time_format: "%m/%d/%Y %H:%M"`'
    """
    text = text.strip()
    if re.fullmatch(r"\d{1,20}(\.\d*)?", text):
        for unit, scale in MS_PER_UNIT.items():
            if FIRST_MS <= float(text) * scale <= LAST_MS:
                return f"{_UNITS[unit]} since 1970, `time_unit: {unit}`"
        if _FIRST_OF_EXCEL <= float(text) < _LAST_OF_EXCEL:
            return "a date of Excel, days since 1899-12-30: write the column as text of dates"
    if _iso_moment(re.sub(_UTC_WORD, "Z", text)) is not None:
        return "ISO 8601, `time_unit: iso`"
    forms = [form for form in _FORMS if _form_moment(text, form=form) is not None][:2]
    quotes = [f'`time_format: "{form}"`' for form in forms]
    return f"the form {' or '.join(quotes)}" if quotes else None


def _normalize(texts: pa.Array) -> pa.Array:
    texts = pc.replace_substring_regex(texts, _UTC_WORD, "Z")
    return pc.replace_substring_regex(texts, _LONG_FRACTION, r"\1")


def _of_each(texts: pa.Array, read_one: Callable[[str], datetime | None], zone: str) -> Parsed:
    """Reads texts one by one, each that comes again once."""
    encoded = texts.dictionary_encode()
    moments = [read_one(text) for text in encoded.dictionary.to_pylist()]
    is_local = np.array([bool(each and each.tzinfo is None) for each in moments], bool)
    micros = pa.array([each and _micros(each) for each in moments], pa.int64())
    local, is_good = of_moments(micros.cast(pa.timestamp("us")), zone)
    aware, _ = of_moments(micros.cast(pa.timestamp("us", "UTC")), zone)
    values = np.where(is_local, local, aware)
    if not len(values):  # nothing but nulls
        return np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
    places = np.asarray(encoded.indices.fill_null(0))
    is_good = is_good[places] & np.asarray(pc.is_valid(texts))
    return np.where(is_good, values[places], 0), is_good


def _micros(moment: datetime) -> int:
    """Returns microseconds since 1970, of a time without a zone as if it were UTC."""
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH) // _MICROSECOND


def _iso_moment(text: str) -> datetime | None:
    days = 0
    if match := _END_OF_DAY.fullmatch(text):
        text, days = f"{match[1]}{match[2]}00{match[3]}{match[4] or ''}", 1
    try:
        return datetime.fromisoformat(text) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None


def _form_moment(text: str, *, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)
    except ValueError:
        return None
