"""The form in which a column writes times."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pyarrow as pa

from components.tables import cells

_SHARE = 0.95  # of the values that a form must fit; some of any log are damaged
_UNITS = ("s", "ms", "us", "ns")
# Where day and month could be each other, the American form comes first, as in most public logs.
_FORMATS = (
    *("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M"),
    *("%m/%d/%Y", "%m/%d/%y %I:%M %p", "%m/%d/%y %H:%M", "%d/%m/%Y %I:%M:%S %p", "%d.%m.%Y"),
    *("%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%d-%b-%Y %H:%M:%S", "%d %b %Y %H:%M:%S"),
    *("%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p", "%Y-%m-%d %I:%M:%S %p"),
    *("%a, %d %b %Y %H:%M:%S %z", "%Y%m%d %H:%M:%S", "%Y%m%dT%H%M%S", "%Y.%m.%d %H:%M:%S"),
    *("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M"),
    *("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%Y%m%d%H%M%S", "%Y%m%d"),
    *("%d/%b/%Y:%H:%M:%S %z", "%a %b %d %H:%M:%S %z %Y", "%b %d, %Y %H:%M:%S", "%m %d, %Y"),
)


def time_settings(column: pa.Array) -> Mapping[str, str] | None:
    """Returns the settings with which a column is read as times, or None if it holds none.

    >>> time_settings(pa.array(["1433221332117"]))
    {'time_unit': 'ms'}
    >>> time_settings(pa.array(["11/12/2019 2:14:46 PM"]))
    {'time_format': '%m/%d/%Y %I:%M:%S %p'}
    """
    values = column.drop_null()
    if not len(values):
        return None
    for unit in ("iso", *_UNITS):
        if np.mean(cells.parse_time(values, unit)[1]) >= _SHARE:
            return {"time_unit": unit}
    texts = [str(text).strip() for text in values.slice(0, 1_000).to_pylist()]
    for form in _FORMATS:
        if sum(_fits(text, form) for text in texts) >= _SHARE * len(texts):
            return {"time_format": form}
    return None


def _fits(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def has_zone(column: pa.Array) -> bool:
    """Whether times that are written as text say their zone, as numbers since 1970 do."""
    values = column.drop_null().slice(0, 1_000)
    if pa.types.is_timestamp(values.type):
        return values.type.tz is not None
    if not pa.types.is_string(values.type):
        return True
    form = (time_settings(values) or {}).get("time_format")
    if form is not None:
        return "%z" in form
    here, there = (cells.parse_time(values, "iso", zone)[0] for zone in ("UTC", "Asia/Tokyo"))
    return bool(np.array_equal(here, there))
