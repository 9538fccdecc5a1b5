"""Stretches of time that files by day cover, and the UTC days that account for their rows."""

import datetime
import zoneinfo
from dataclasses import dataclass

import numpy as np

from phoenix.data.days import DAY_MS


@dataclass(frozen=True, kw_only=True)
class FileDay:
    """The local day in the path of a file, as times in ms since 1970.

    A row that was shown within it, or soon after, is a row of the UTC day of its time. All others
    - late ones, those of another time, and those whose time cannot be read - are rows of the UTC
    day on which the file was complete.
    """

    start: int  # the first ms
    end: int  # the first ms after it
    overrun: int  # ms for which a writer may run on before it opens the file of the next day

    @classmethod
    def of(cls, day: datetime.date, zone: str, overrun_ms: int) -> "FileDay":
        """Returns the stretch of a local day, of 23 or 25 hours where clocks are changed.

        >>> hours = FileDay.of(datetime.date(2026, 3, 8), "America/Los_Angeles", 0)
        >>> (hours.end - hours.start) // 3_600_000
        23
        """
        place = zoneinfo.ZoneInfo(zone)
        days = (day, day + datetime.timedelta(days=1))
        moments = [datetime.datetime.combine(each, datetime.time(), place) for each in days]
        start, end = (round(moment.timestamp() * 1_000) for moment in moments)
        return cls(start=start, end=end, overrun=overrun_ms)

    @property
    def home(self) -> int:
        """The UTC day, from 1970, that accounts for rows of no readable or of another time."""
        return (self.end - 1) // DAY_MS

    @property
    def utc_days(self) -> range:
        """The UTC days, from 1970, that overlap with the local one."""
        return range(self.start // DAY_MS, self.home + 1)

    def days_of(self, shown_at: np.ndarray, is_known: np.ndarray) -> np.ndarray:
        """Returns the UTC days, from 1970, that account for rows.

        Args:
          shown_at: `[n]` ms since 1970.
          is_known: `[n]` whether the time can be read and the row did not arrive before it.

        >>> utc = FileDay(start=0, end=DAY_MS, overrun=60_000)
        >>> utc.days_of(np.array([5, DAY_MS + 4, DAY_MS + 60_000]), np.full(3, True)).tolist()
        [0, 1, 0]
        """
        is_within = is_known & (shown_at >= self.start) & (shown_at < self.end + self.overrun)
        return np.where(is_within, shown_at // DAY_MS, self.home)
