"""UTC days as numbers and as milliseconds since 1970, the unit of time in arrays."""

import datetime

DAY_MS = 86_400_000
_EPOCH = datetime.date(1970, 1, 1)


def day_number(day: datetime.date) -> int:
    """Returns the number of a day, counted from 1970-01-01.

    >>> day_number(datetime.date(1970, 1, 3))
    2
    """
    return (day - _EPOCH).days


def day_of_number(number: int) -> datetime.date:
    """Returns the day with a number, the inverse of `day_number`.

    >>> day_of_number(2)
    datetime.date(1970, 1, 3)
    """
    return _EPOCH + datetime.timedelta(days=number)


def midnight_ms(day: datetime.date) -> int:
    """Returns the first millisecond of a UTC day.

    >>> midnight_ms(datetime.date(1970, 1, 2))
    86400000
    """
    return day_number(day) * DAY_MS
